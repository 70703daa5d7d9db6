"""GitHub's JSON as facts: the same reading for what a delivery carries and for what a listing says.

Everything in it was written by strangers and any of it may be missing or of another type: what cannot be read is
:class:`Malformed`, with the place. Addresses in it are never used; names are checked.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.names import BadName, repository_name

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LARGEST_ID = 2**63 - 1
_LARGEST_NUMBER = 2**31 - 1
_LONGEST_TEXT = 1024
_MOST_LABELS = 100
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Half characters (JSON can hold them, UTF-8 cannot) and NUL (PostgreSQL cannot)."""


class Malformed(ValueError):
    """A document that is not what GitHub writes; the words say which part."""


@dataclass(frozen=True, slots=True)
class Part:
    """A JSON object inside a document, and where it stands in it."""

    data: Mapping[str, Any]
    path: str = ""

    @classmethod
    def of(cls, document: object) -> "Part":
        """Take a whole document.

        Raises:
            Malformed: it is no JSON object.
        """
        if not isinstance(document, dict):
            raise Malformed(f"The document is {_kind(document)}, not an object.")
        return cls(cast("Mapping[str, Any]", document))

    def where(self, key: str) -> str:
        """Name a key's place: ``pull_request.head.sha``."""
        return f"{self.path}.{key}" if self.path else key

    def part(self, key: str) -> "Part":
        """Give the object at ``key``."""
        value = self.data.get(key)
        if not isinstance(value, dict):
            raise Malformed(f"{self.where(key)} is {_kind(value)}, not an object.")
        return Part(cast("Mapping[str, Any]", value), self.where(key))

    def part_or_none(self, key: str) -> "Part | None":
        """Give the object at ``key``; None where it is null or missing."""
        return None if self.data.get(key) is None else self.part(key)

    def parts(self, key: str) -> Sequence["Part"]:
        """Give the objects of the list at ``key``; none where it is null or missing."""
        value = self.data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise Malformed(f"{self.where(key)} is {_kind(value)}, not a list.")
        found = []
        for index, item in enumerate(cast("list[object]", value)):
            if not isinstance(item, dict):
                raise Malformed(f"{self.where(key)}[{index}] is {_kind(item)}, not an object.")
            found.append(Part(cast("Mapping[str, Any]", item), f"{self.where(key)}[{index}]"))
        return found

    def text(self, key: str) -> str:
        """Give the text at ``key``, cut to what GitHub allows in titles and names, and storable anywhere."""
        value = self.data.get(key)
        if not isinstance(value, str):
            raise Malformed(f"{self.where(key)} is {_kind(value)}, not a text.")
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value[:_LONGEST_TEXT])

    def text_or(self, key: str, otherwise: str) -> str:
        """Give the text at ``key``, or something else where it is null or missing."""
        return otherwise if self.data.get(key) is None else self.text(key)

    def flag(self, key: str) -> bool:
        """Give the truth value at ``key``; False where it is null or missing."""
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise Malformed(f"{self.where(key)} is {_kind(value)}, not true or false.")

    def integer(self, key: str, largest: int = _LARGEST_ID) -> int:
        """Give the positive whole number at ``key``."""
        value = self.data.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Malformed(f"{self.where(key)} is {_kind(value)}, not a whole number.")
        if not 0 < value <= largest:
            raise Malformed(f"{self.where(key)} is not between 1 and {largest}.")
        return value

    def commit(self, key: str) -> str:
        """Give the full hash of a commit at ``key``."""
        value = self.text(key)
        if not _COMMIT.fullmatch(value):
            raise Malformed(f"{self.where(key)} is not the full hash of a commit.")
        return value

    def moment(self, key: str) -> datetime:
        """Give the time at ``key``, in UTC."""
        try:
            value = datetime.fromisoformat(self.text(key))
            if value.tzinfo is None:
                raise Malformed(f"{self.where(key)} is a time without a zone.")
            return value.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            if isinstance(error, Malformed):
                raise
            raise Malformed(f"{self.where(key)} is not a time as GitHub writes it (2026-01-31T12:00:00Z).") from None


def repository(part: Part, installation: int | None) -> RepositoryFacts:
    """Read a repository, of a payload or of the API, also in the short form of installation payloads.

    Args:
        part: the repository's object.
        installation: the id of the App installation that speaks for it, None in token mode.

    Raises:
        Malformed: something needed is missing, or its name is none.
    """
    try:
        name = repository_name(part.text("full_name"))
    except BadName as error:
        raise Malformed(f"{part.where('full_name')}: {error}") from None
    return RepositoryFacts(
        id=part.integer("id"),
        name=name,
        private=part.flag("private"),
        default_branch=part.text_or("default_branch", ""),
        installation=installation,
    )


def pull_request(part: Part, of: RepositoryFacts, *, before: str | None = None) -> PullRequestFacts:
    """Read a pull request, of a payload or of the API.

    Args:
        part: the pull request's object.
        of: the repository it was opened in.
        before: the head that a ``synchronize`` delivery replaced.

    Raises:
        Malformed: something needed is missing or of another type.
    """
    state = part.text("state")
    if state not in {"open", "closed"}:
        raise Malformed(f"{part.where('state')} is neither open nor closed.")
    head, base, author = part.part("head"), part.part("base"), part.part_or_none("user")
    head_repository = head.part_or_none("repo")
    head_owner = None if head_repository is None else head_repository.part_or_none("owner")
    return PullRequestFacts(
        repository=of,
        number=part.integer("number", _LARGEST_NUMBER),
        open=state == "open",
        merged=part.flag("merged") or part.text_or("merged_at", "") != "",
        draft=part.flag("draft"),
        title=part.text_or("title", ""),
        author="" if author is None else author.text_or("login", ""),
        labels=tuple(one.text("name") for one in part.parts("labels")[:_MOST_LABELS]),
        head_ref=head.text_or("ref", ""),
        head_commit=head.commit("sha"),
        head_repository=None if head_repository is None else head_repository.integer("id"),
        head_owner="" if head_owner is None else head_owner.text_or("login", ""),
        base_ref=base.text_or("ref", ""),
        updated_at=part.moment("updated_at"),
        before=before,
    )


def _kind(value: object) -> str:
    """Name a JSON type for people."""
    if value is None:
        return "missing"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")
