"""The instructions of a Dockerfile, split as BuildKit's own parser splits them; pure.

Follows ``frontend/dockerfile/parser`` of BuildKit: lines end at a line feed only, continued lines are joined with
nothing between them, and what counts as a space is not what it is to Python. Where engines read the same text in
different ways, the text is refused, or both ways are looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from revieee.ports import Refused

SPACES = "".join(
    map(chr, (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F))
)
SPACES += "\u3000"
"""Spaces to Go's ``unicode``; Python knows more."""
WORDS = frozenset(
    ["ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
     "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"]
)  # fmt: skip
_BETWEEN = re.compile(r"[\t\v\f\r ]+")
_ONBUILD = re.compile(r"(?:(?:--\S*|onbuild)[\t\v\f\r ]++)++", re.IGNORECASE | re.ASCII)
_FLAG = re.compile(
    r"""[\t\n\v\f\r ]*+(--(?:[^\t\n\v\f\r "'\\]|\\.|\\$|"(?:[^"\\]|\\.)*+(?:"|\\?$)|'(?:[^'\\]|\\.)*+(?:'|\\?$))*+)""",
    re.DOTALL,
)
_HEREDOC_INSTRUCTIONS = frozenset({"RUN", "COPY", "ADD"})
_HEREDOC = re.compile(r"(?<![^\t\n\v\f\r ])\d*<<(-?)(['\"]?)([a-zA-Z_][a-zA-Z0-9_]*)\2(?![^\t\n\v\f\r ])", re.ASCII)
_PLAIN_BEFORE = re.compile(
    r"""(?:[^"'\\`$<]|"[^"\\`$]*+"|'[^'\\`]*+'|\$\w++|\$\{\w++\}|<(?!<))*+""", re.ASCII
)  # a here-document behind this is one to every engine that knows them


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: the line it begins on (from 1), its word in capitals, and the rest on one line."""

    line: int
    word: str
    value: str
    heredoc: bool = False
    doubtful: bool = False
    """Whether it is hard to say if a here-document begins here."""

    @property
    def text(self) -> str:
        """The instruction on one line."""
        return f"{self.word} {self.value}"

    @property
    def inner(self) -> "Instruction":
        """What an ``ONBUILD`` does later; anything else is itself."""
        if self.word != "ONBUILD":
            return self
        found = _ONBUILD.match(self.value)
        word, value = _split(self.value[found.end() :] if found else self.value)
        return Instruction(self.line, word, value)

    @property
    def flags(self) -> tuple[str, ...]:
        """The words of the value that begin with ``--``, before anything else, as they are written."""
        return self._flags()[0]

    @property
    def arguments(self) -> str:
        """The value without its flags."""
        return self.value[self._flags()[1] :].strip(SPACES)

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments, split at spaces whatever the quotes."""
        return spaced(self.arguments)

    def _flags(self) -> tuple[tuple[str, ...], int]:
        found: list[str] = []
        end = 0
        while one := _FLAG.match(self.value, end):
            end = one.end()
            if one[1] == "--":
                break
            found.append(one[1])
        return tuple(found), end


def spaced(text: str) -> tuple[str, ...]:
    """Split at spaces as BuildKit does."""
    return tuple(word for word in _BETWEEN.split(text) if word)


def split(
    lines: list[str], escape: str, name: str, *, heredocs: bool, strict: bool | None = None
) -> Iterator[Instruction]:
    r"""Split a Dockerfile into instructions.

    Args:
        lines: its lines, ended by ``\n`` or not.
        escape: what continues a line, ``\`` or a backtick.
        name: its path, for messages.
        heredocs: whether to pass over the lines of here-documents; Docker before 23 takes them for instructions.
        strict: whether to refuse lines that engines continue differently; as ``heredocs`` when it is not given.

    Raises:
        Refused: a line ends in two escapes, which engines read differently.
    """
    strict = heredocs if strict is None else strict
    position = 0
    while position < len(lines):
        first = _line(lines[position]).lstrip(SPACES)
        position += 1
        start = position
        if not first or first.startswith("#"):
            continue
        parts, continued = _continued(first, escape, f"{name}:{start}", strict=strict)
        text = [parts]
        while continued and position < len(lines):
            line = _line(lines[position])
            position += 1
            if not line.strip(SPACES) or line.lstrip(SPACES).startswith("#"):
                continue  # comments and empty lines do not end a continued instruction
            part, continued = _continued(line, escape, f"{name}:{position}", strict=strict)
            text.append(part)
        word, value = _split("".join(text))
        if not word:
            continue
        marks, doubtful = _marks(word, value)
        if heredocs:
            for dash, mark in marks:
                position = _behind(lines, position, mark, dash=dash)
        yield Instruction(start, word, value, bool(marks), doubtful)


def _line(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _continued(line: str, escape: str, where: str, *, strict: bool) -> tuple[str, bool]:
    bare = line.rstrip(" \t")
    if not bare.endswith(escape):
        return line, False
    if strict and bare.endswith(escape * 2):
        raise Refused(
            f"{where}: a line that ends in {escape * 2} is continued to some versions of Docker and not to others. "
            "Write it so that it ends in something else."
        )
    return bare[:-1], True


def _split(text: str) -> tuple[str, str]:
    word, *rest = _BETWEEN.split(text.strip(SPACES), maxsplit=1)
    # Go's small letters: one of a dotted capital I is a plain i
    return word.replace("\u0130", "i").lower().upper(), rest[0].strip(SPACES) if rest else ""


def _marks(word: str, value: str) -> tuple[list[tuple[str, str]], bool]:
    """Give the here-documents that certainly begin in an instruction, and whether there may be others."""
    if "<<" not in value:
        return [], False
    if word not in _HEREDOC_INSTRUCTIONS:
        return [], word == "ONBUILD"
    found = list(_HEREDOC.finditer(value))
    before = _PLAIN_BEFORE.match(value)
    certain = (
        bool(found)
        and before is not None
        and found[0].start() <= before.end()
        and value.count("<<") == len(found)
        and all(_plain(value, one.end(), other.start()) for one, other in pairwise(found))
        and "[" not in value[: found[0].start()]
    )
    return ([(one[1], one[3]) for one in found], False) if certain else ([], True)


def _plain(value: str, start: int, end: int) -> bool:
    return _PLAIN_BEFORE.fullmatch(value, start, end) is not None


def _behind(lines: list[str], position: int, mark: str, *, dash: str) -> int:
    """Give the line behind a here-document."""
    while position < len(lines):
        line = lines[position].rstrip("\r\n")
        position += 1
        if (line.lstrip("\t") if dash else line) == mark:
            break
    return position
