"""Names: of repositories and environments as people write them, and of hosts as the router knows them."""

import hashlib
import re
from dataclasses import dataclass

LABEL_LENGTH = 63
"""The longest DNS label, in bytes (RFC 1035 section 2.3.4)."""

_NAME = re.compile(r"(?P<owner>[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))/(?P<repository>[A-Za-z0-9._-]{1,100})")
_ENVIRONMENT = re.compile(_NAME.pattern + r"#(?P<number>[1-9][0-9]{0,9})")
_RESERVED_REPOSITORIES = frozenset({".", ".."})


class BadName(ValueError):
    """A name that is not of its form."""


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentName:
    """``owner/repo#12``: how people name an environment everywhere."""

    repository: str
    number: int

    @classmethod
    def parse(cls, text: str) -> "EnvironmentName":
        """Read ``owner/repo#12``.

        Raises:
            BadName: the text is of another form.
        """
        found = _ENVIRONMENT.fullmatch(text)
        if not found or found["repository"] in _RESERVED_REPOSITORIES:
            raise BadName(f"{text!r} is not the name of an environment. Write it as owner/repository#12.")
        return cls(f"{found['owner']}/{found['repository']}", int(found["number"]))

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"


def repository_name(text: str) -> str:
    """Check that ``text`` is an ``owner/repository`` that GitHub could have given.

    Raises:
        BadName: it is not; such a name must reach no path, URL or process.
    """
    found = _NAME.fullmatch(text)
    if not found or found["repository"] in _RESERVED_REPOSITORIES:
        raise BadName(f"{text!r} is not the name of a repository. GitHub writes it as owner/repository.")
    return text


def slug(text: str) -> str:
    """Turn any text into the letters, digits and hyphens that a DNS label may hold (RFC 1123 section 2.1)."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def label(text: str, *, unique: str = "", length: int = LABEL_LENGTH) -> str:
    """Make one DNS label of ``text``, cut with a hash where it is too long or its slug is empty.

    Args:
        text: what the label should read as; anything, also hostile.
        unique: given when the plain label is taken or ambiguous: what tells the two apart goes into a hash.
        length: the most characters the label may have.
    """
    plain = slug(text)
    if plain and len(plain) <= length and not unique:
        return plain
    digest = hashlib.sha256(f"{text}\0{unique}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    head = plain[: length - len(digest) - 1].strip("-")
    return f"{head}-{digest}" if head else f"x-{digest}"


def environment_label(repository_slug: str, number: int) -> str:
    """Name the main service's host: ``<repo>-pr-<n>``."""
    return label(f"{repository_slug}-pr-{number}")


def service_label(service: str, environment: str) -> str:
    """Name another service's host: ``<service>-<repo>-pr-<n>``.

    A service whose slug differs from its name gets a hash, so ``a_b`` and ``a-b`` cannot share a host.
    """
    return label(f"{service}-{environment}", unique="" if slug(service) == service else service)
