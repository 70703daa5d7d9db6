"""What a delivery says happened. Pure: a document in, one value out; nothing is asked and nothing is done.

Payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from revieee.model import github
from revieee.model.delivery import Delivery
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.github import Malformed, Part

_LONGEST_COMMAND = 200
_COMMAND = re.compile(r"/revieee(?=\s|$)")
_LARGEST_NUMBER = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestHappening:
    """Something changed about a pull request; whatever it was, the facts are the whole of it."""

    action: str
    facts: PullRequestFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRenamed:
    """A repository has another name; its id stays."""

    repository: RepositoryFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryTransferred:
    """A repository has another owner; its id stays."""

    repository: RepositoryFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryDeleted:
    """A repository is gone, with its pull requests."""

    repository: RepositoryFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationAdded:
    """The App may see these repositories from now on."""

    installation: int
    repositories: tuple[RepositoryFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationRemoved:
    """The App may no longer see these repositories (``whole``: nor any other of the installation)."""

    installation: int
    repositories: tuple[RepositoryFacts, ...]
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Someone wrote a command into the conversation of a pull request. Whether they may is asked elsewhere."""

    repository: RepositoryFacts
    number: int
    author: str
    command: str
    """Its first line: ``/revieee approve``."""
    comment: int
    """The comment's id."""
    at: datetime
    """When it was written, by GitHub's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A webhook was set up."""

    repository: RepositoryFacts | None = None
    """Of which repository; None where it is an App's or an organization's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing that concerns us."""

    reason: str


Happening = (
    PullRequestHappening
    | RepositoryRenamed
    | RepositoryTransferred
    | RepositoryDeleted
    | InstallationAdded
    | InstallationRemoved
    | Comment
    | Ping
    | Ignored
)
"""What a delivery says."""


def read_delivery(delivery: Delivery) -> Happening:
    """Read a stored delivery.

    Raises:
        Malformed: its body is not what GitHub writes for this event.
    """
    return read(delivery.event, parse(delivery.body) if delivery.event in EVENTS else {})


def parse(body: bytes) -> object:
    """Parse a JSON document from outside.

    Raises:
        Malformed: it is not JSON, not UTF-8, nested too deeply, or holds a number of absurd length.
    """
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"The document is not JSON ({type(error).__name__}).") from None
    return document


def read(event: str, document: object) -> Happening:
    """Tell what a payload says happened.

    All actions of ``pull_request`` are read alike, since each carries the whole pull request: the facts decide.

    Args:
        event: the ``X-GitHub-Event``.
        document: the parsed JSON.

    Raises:
        Malformed: something that GitHub always writes is missing or of another type.
    """
    reader = EVENTS.get(event)
    return reader(Part.of(document)) if reader else Ignored(reason=f"event {event!r} does not concern us")


def _pull_request(payload: Part) -> Happening:
    action = payload.text("action")
    return PullRequestHappening(
        action=action,
        facts=github.pull_request(
            payload.part("pull_request"),
            _repository(payload),
            before=payload.commit("before") if action == "synchronize" else None,
        ),
    )


def _repository_event(payload: Part) -> Happening:
    action = payload.text("action")
    match action:
        case "renamed":
            return RepositoryRenamed(repository=_repository(payload))
        case "transferred":
            return RepositoryTransferred(repository=_repository(payload))
        case "deleted":
            return RepositoryDeleted(repository=_repository(payload))
        case _:
            return Ignored(reason=f"repository {action!r} changes nothing here")


def _installation(payload: Part) -> Happening:
    """A suspended App hears no more of closed pull requests, so suspension counts as removal."""
    action, installation = payload.text("action"), payload.part("installation").integer("id")
    repositories = _repositories(payload, "repositories", installation)
    if action in {"created", "unsuspend"}:
        return InstallationAdded(installation=installation, repositories=repositories)
    if action in {"deleted", "suspend"}:
        return InstallationRemoved(installation=installation, repositories=repositories, whole=True)
    return Ignored(reason=f"installation {action!r} changes nothing here")


def _installation_repositories(payload: Part) -> Happening:
    action, installation = payload.text("action"), payload.part("installation").integer("id")
    if action == "added":
        added = _repositories(payload, "repositories_added", installation)
        return InstallationAdded(installation=installation, repositories=added)
    if action == "removed":
        removed = _repositories(payload, "repositories_removed", installation)
        return InstallationRemoved(installation=installation, repositories=removed, whole=False)
    return Ignored(reason=f"installation_repositories {action!r} changes nothing here")


def _issue_comment(payload: Part) -> Happening:
    action, issue, comment = payload.text("action"), payload.part("issue"), payload.part("comment")
    if action != "created":
        return Ignored(reason=f"only a new comment can be a command, not one that was {action!r}")
    if issue.part_or_none("pull_request") is None:
        return Ignored(reason="a comment on an issue, not on a pull request")
    line = comment.text_or("body", "").lstrip().partition("\n")[0].strip()
    if not _COMMAND.match(line):
        return Ignored(reason="a comment without a command")
    author = comment.part_or_none("user")
    return Comment(
        repository=_repository(payload),
        number=issue.integer("number", _LARGEST_NUMBER),
        author="" if author is None else author.text_or("login", ""),
        command=line[:_LONGEST_COMMAND],
        comment=comment.integer("id"),
        at=comment.moment("created_at"),
    )


def _ping(payload: Part) -> Happening:
    payload.text_or("zen", "")
    return Ping(repository=None if payload.part_or_none("repository") is None else _repository(payload))


def _repository(payload: Part) -> RepositoryFacts:
    """The repository of a payload, with the installation that the delivery came through."""
    installation = payload.part_or_none("installation")
    return github.repository(payload.part("repository"), None if installation is None else installation.integer("id"))


def _repositories(payload: Part, key: str, installation: int) -> tuple[RepositoryFacts, ...]:
    return tuple(github.repository(one, installation) for one in payload.parts(key))


EVENTS: dict[str, Callable[[Part], Happening]] = {
    "pull_request": _pull_request,
    "repository": _repository_event,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
    "issue_comment": _issue_comment,
    "ping": _ping,
}
"""The events that are read, and how; all others are noted and left."""
