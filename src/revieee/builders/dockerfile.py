"""What must be known of a Dockerfile before BuildKit reads it; pure.

Follows the Dockerfile reference (parser directives, ``ADD``) and, where engines read more than it says, BuildKit.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from revieee.builders.instructions import WORDS, Instruction, spaced, split
from revieee.builders.references import images
from revieee.ports import Refused

_DIRECTIVE = re.compile(r"[\t\n\f\r ]*#[\t\n\f\r ]*([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*([^\n]+)")
_DIRECTIVE_SPACES = "\t\n\f\r "
_STANDARD_FRONTEND = re.compile(
    r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile as it goes to BuildKit."""

    name: str
    text: str
    """With the lines where they were, so that BuildKit's line numbers are the author's."""
    notices: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    flat: tuple[Instruction, ...]
    """As Docker before 23 reads it, to which the lines of a here-document are instructions; nothing it does not know
    is built there."""

    def line_of(self, step: str) -> int | None:
        """Give the line of the instruction that BuildKit calls ``step`` (``RUN make``), or None."""
        wanted = _collapsed(step)
        for one in self.instructions:
            if wanted and _collapsed(one.text).startswith(wanted):
                return one.line
        return None

    @property
    def heredocs(self) -> tuple[int, ...]:
        """The lines with here-documents, which BuildKit reads since Docker 23."""
        return tuple(one.line for one in self.instructions if one.heredoc)

    def images(self, args: Mapping[str, str], target: str | None = None) -> tuple[str, ...]:
        """Give the images that building ``target`` (None: the last stage) starts from or copies from.

        Raises:
            Refused: a reference cannot be told before the build.
        """
        found = dict.fromkeys(images(self.instructions, args, target, self.name))
        if self.flat is self.instructions:
            return tuple(found)
        if any(one.doubtful for one in self.flat) or all(one.word in WORDS for one in self.flat):
            found |= dict.fromkeys(images(self.flat, args, target, self.name))
        return tuple(found)


def read(text: str, name: str) -> Dockerfile:
    """Read a Dockerfile and take the frontend out of its author's hands.

    ``# syntax=`` makes BuildKit pull and run a program of the author's choice (traps.md). The standard ones are what
    the engine brings itself, so their line is dropped with a notice.

    Args:
        text: its content.
        name: its path, for messages.

    Raises:
        Refused: it asks for another frontend, adds something that is no file of the repository, or is read differently
            by different engines.
    """
    lines = re.findall(r"[^\n]*\n|[^\n]+", text.removeprefix("\ufeff"))
    first = 1 if lines and lines[0].startswith("#!") else 0
    if "".join(lines[first:]).lstrip().startswith(("//", "{")):
        raise Refused(f"{name}:{first + 1}: this is no Dockerfile: its first line is written for another frontend.")
    lines, escape, notices = _directives(lines, first, name)
    known, flat = _readings(lines, escape, name)
    for one in (*flat, *(known if known is not flat else ())):
        _refuse_fetching(one, name)
    return Dockerfile(name, "".join(lines), notices, known, flat)


def _directives(lines: list[str], first: int, name: str) -> tuple[list[str], str, tuple[str, ...]]:
    """Give the lines without a frontend, what escapes, and notices."""
    kept: list[str] = []
    dropped: list[str] = []
    notices: list[str] = []
    escape, end = "\\", first
    unknown = first > 0  # what comes first that ends the directives to some engines and not to others
    for end, line in enumerate(lines[first:], start=first):  # where the directives end is used below
        found = _DIRECTIVE.fullmatch(line.rstrip(_DIRECTIVE_SPACES))
        if not found:
            break
        match found[1].lower():
            case "syntax":
                notices.append(_dropped_frontend(found[2], f"{name}:{end + 1}"))
                dropped.append("#\n")
                continue
            case "escape":
                if unknown or found[2] not in ("\\", "`"):
                    raise Refused(f"{name}:{end + 1}: '# escape=' has to be the first line, and name ` or a backslash.")
                escape = found[2]
            case _:
                unknown = True
        kept.append(line)
    else:
        end = len(lines)
    return [*lines[:first], *kept, *dropped, *lines[end:]], escape, tuple(notices)


def _readings(lines: list[str], escape: str, name: str) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
    """Give the instructions to an engine that knows here-documents, and to one that does not."""
    bad = next((number for number, line in enumerate(lines, start=1) if line.endswith(("\r\r\n", "\r\r"))), None)
    if bad:
        raise Refused(f"{name}:{bad}: the line ends in more than one carriage return. Save it with plain line ends.")
    flat = tuple(split(lines, escape, name, heredocs=False))
    known = tuple(split(lines, escape, name, heredocs=True)) if any("<<" in one.value for one in flat) else None
    if known is None or any(one.doubtful for one in flat):
        flat = tuple(split(lines, escape, name, heredocs=False, strict=True))
    return flat if known is None else known, flat


def standard_frontend(reference: str) -> bool:
    """Tell whether a frontend is the one that BuildKit brings itself."""
    return bool(_STANDARD_FRONTEND.fullmatch(reference.strip()))


def _refuse_fetching(instruction: Instruction, name: str) -> None:
    """Refuse what the engine itself would fetch while building, from where no wall of ours stands.

    What is fetched always has a colon in its name (``https:``, ``git@host:``), or is of github.com; nothing that is
    quoted or escaped can hide one, but a variable can, and JSON.
    """
    one = instruction.inner
    if one.word != "ADD":
        return
    arguments = one.arguments
    sources = list(spaced(one.value)[:-1])  # also of a flag that is quoted: none has a colon behind a space
    if arguments.startswith("["):
        try:
            decoded = json.loads(arguments)
        except (ValueError, RecursionError):
            decoded = ["$"] if "\\" in arguments else []
        sources += [word if isinstance(word, str) else "$" for word in decoded[:-1]] or decoded
    elif "[" in one.value and "\\u" in one.value:
        sources.append("$")
    if any(re.search(r"[:$]|(?i:github\.com)", source) for source in sources if not source.startswith("--")):
        raise Refused(
            f"{name}:{instruction.line}: ADD of an address, or of a variable or a name with a colon that may be one, "
            "is not allowed: the engine itself would fetch it, from this machine's own network. Use RUN with wget or "
            "curl, or COPY with a file of the repository."
        )


def _dropped_frontend(value: str, where: str) -> str:
    frontend = (value.split(maxsplit=1) or [value])[0]
    if not standard_frontend(frontend):
        raise Refused(
            f"{where}: the frontend {frontend!r} is not allowed: it would run a program of its own while building. "
            "Remove the line, or use docker/dockerfile."
        )
    return f"{where}: '# syntax={value}' is left out; the frontend of the engine is used."


def _collapsed(text: str) -> str:
    return " ".join(text.split())
