"""A repository's secrets: what they may be called and hold, and those of one environment as a value."""

import re
from dataclasses import dataclass, field

from revieee.model.names import BadName

LEAST = 6
"""Bytes; a shorter value stands in every log by chance, so it could not be masked."""
MOST = 48 * 1024
"""Bytes; as much as GitHub takes (docs.github.com/en/actions/reference/security/secrets)."""
MOST_IN_ALL = 100
"""Secrets of one repository, as GitHub has it."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TAKEN = re.compile(
    r"(?:REVIEEE|LD|DYLD|BUILDKIT|DOCKER)_.*|PATH|HOME|PORT|BRANCH|HOSTNAME|IFS|ENV|BASH_ENV", re.IGNORECASE
)
"""What Revieee, the loader or a shell reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What a release of a repository's own code is given. Not printable."""

    values: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name, value), by name."""
    former: tuple[str, ...] = field(default=(), repr=False)
    """Values that were replaced or taken away: containers that run still know them."""
    version: str = ""
    """Another one for other values, telling nothing about them: part of the key of every service."""

    @property
    def known(self) -> tuple[str, ...]:
        """Every value that output must not show."""
        return (*(value for _, value in self.values), *self.former)


def secret_name(text: str) -> str:
    """Give back the name of a secret: a name of an environment variable (POSIX.1-2017, 8.1), but of none that is taken.

    Raises:
        BadName: it is none.
    """
    if not _NAME.fullmatch(text):
        raise BadName(f"{text!r} is no name of a secret: letters, digits and _, not a digit first, at most 128.")
    if _TAKEN.fullmatch(text):
        raise BadName(f"{text} is taken: Revieee or the container's own programs read it. Choose another name.")
    return text


def secret_value(data: bytes) -> str:
    """Read the value of a secret as it came, without the one line end that ``echo`` adds.

    Raises:
        ValueError: it is too short, too long, or no text that an environment variable holds; without the value.
    """
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    if len(data) < LEAST:
        raise ValueError(f"The value has {len(data)} bytes. It needs {LEAST}, or it could not be masked in logs.")
    if len(data) > MOST:
        raise ValueError(f"The value has more than {MOST} bytes.")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("The value is no UTF-8 text. Encode it, as by base64.") from None
    if "\0" in text:
        raise ValueError("The value holds a NUL byte, which no environment variable can. Encode it, as by base64.")
    return text
