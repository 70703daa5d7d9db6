"""Files of variables: ``.env`` and ``env_file``, by the rules of Compose (specification, "Env_file format").

Compose's rules differ from those of the Python libraries for such files (what ends a comment, ``:`` as delimiter,
defaults inside values), so they are followed here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from revieee.model.reading.findings import Budget, quote
from revieee.model.reading.interpolation import BadTemplate, Interpolation

_KEY = re.compile(r"(?:export[ \t]+)?(?P<key>[\w.\-\[\]]+)[ \t]*(?P<delimiter>[=:]|(?=\r?\n|\Z|\#))[ \t]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'", "$": "$$"}
_COMMENT = re.compile(r"(?:^|[ \t])#.*")


class BadEnvFile(ValueError):
    """A line that is no variable."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line
        self.words = words


@dataclass(frozen=True, slots=True)
class EnvFile:
    """How a file of variables is read."""

    lookup: Callable[[str], str | None]
    """Gives variables from outside the file; they win inside values."""
    budget: Budget
    raw: bool = False
    """``format: raw``: values are taken as they stand."""

    def parse(self, text: str) -> dict[str, str | None]:
        """Read all variables, the last of a name winning. A name without ``=`` takes its value from outside, or None.

        Raises:
            BadEnvFile: a line is no variable.
            OverBudget: the values grow too long.
        """
        text = text.replace("\r\n", "\n")
        found: dict[str, str | None] = {}
        position = 0
        while position < len(text):
            if text[position].isspace():
                position += 1
            elif text[position] == "#":
                position = _end_of_line(text, position)
            else:
                position = self._variable(text, position, found)
        return found

    def _variable(self, text: str, position: int, found: dict[str, str | None]) -> int:
        key = _KEY.match(text, position)
        if not key:
            shown = text[position : _end_of_line(text, position)]
            raise BadEnvFile(_line(text, position), f"{quote(shown)} is no variable. Write `NAME=value`.")
        if not key["delimiter"]:
            found[key["key"]] = self.lookup(key["key"])
            return _end_of_line(text, key.end())
        start = key.end()
        if self.raw:
            end = _end_of_line(text, start)
            found[key["key"]] = text[start:end]
            return end
        try:
            found[key["key"]], end = self._value(text, start, found)
        except BadTemplate as error:
            raise BadEnvFile(_line(text, position), f"The value of {quote(key['key'])}: {error}.") from error
        return end

    def _value(self, text: str, start: int, found: Mapping[str, str | None]) -> tuple[str, int]:
        mark = text[start : start + 1]
        if mark not in ("'", '"') or not mark:
            end = _end_of_line(text, start)
            plain = _COMMENT.sub("", text[start:end]).strip()
            return self._fill(plain, found), end
        inner, end = _quoted(text, start, mark)
        rest = text[end : _end_of_line(text, end)].strip()
        if rest and not rest.startswith("#"):
            raise BadTemplate(f"{quote(rest)} stands after the closing quote")
        if mark == "'":
            return inner.replace("\\'", "'"), _end_of_line(text, end)
        unescaped = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), inner, flags=re.DOTALL)
        return self._fill(unescaped, found), _end_of_line(text, end)

    def _fill(self, value: str, found: Mapping[str, str | None]) -> str:
        def lookup(name: str) -> str | None:
            outside = self.lookup(name)
            return outside if outside is not None else found.get(name)

        return Interpolation(lookup, lambda _name: None, self.budget)(value)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _quoted(text: str, start: int, mark: str) -> tuple[str, int]:
    """Give what stands between quotes, and where the text goes on."""
    position = start + 1
    while position < len(text):
        if text[position] == "\\":
            position += 2
        elif text[position] == mark:
            return text[start + 1 : position], position + 1
        else:
            position += 1
    raise BadTemplate(f"the quote {mark} is not closed")
