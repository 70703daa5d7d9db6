"""Variables in values: ``$VAR``, ``${VAR}`` and its forms, ``$$`` (compose specification, "Interpolation")."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from revieee.model.reading.findings import Budget, quote

Lookup = Callable[[str], str | None]
"""Gives a variable's value, or None where it is not set."""

_DEEPEST = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


class BadTemplate(ValueError):
    """A value whose variables cannot be filled in. Its words say why."""


@dataclass(frozen=True, slots=True)
class Interpolation:
    """Fills variables in."""

    lookup: Lookup
    unset: Callable[[str], None]
    """Told of each variable that is used without a default and is not set; the text becomes empty."""
    budget: Budget

    def __call__(self, text: str) -> str:
        """Give ``text`` with its variables filled in.

        Raises:
            BadTemplate: a form that is not known, or a required variable that is not set.
            OverBudget: the result is too long.
        """
        return self._fill(text, 0) if "$" in text else text

    def _fill(self, text: str, depth: int) -> str:
        if depth > _DEEPEST:
            raise BadTemplate(f"variables are nested deeper than {_DEEPEST} levels")
        parts: list[str] = []
        position = 0
        while (dollar := text.find("$", position)) >= 0:
            parts.append(text[position:dollar])
            value, position = self._variable(text, dollar, depth)
            self.budget.spend("characters", len(value))
            parts.append(value)
        parts.append(text[position:])
        return "".join(parts)

    def _variable(self, text: str, dollar: int, depth: int) -> tuple[str, int]:
        """Give the value of what begins at ``dollar``, and where the text goes on."""
        after = dollar + 1
        if text[after : after + 1] == "$":
            return "$", after + 1
        if name := _NAME.match(text, after):
            return self._plain(name[0]), name.end()
        if text[after : after + 1] != "{":
            raise BadTemplate(f"{quote(text[dollar : dollar + 20])} is no variable. Write `$$` for a dollar sign")
        end = _closing(text, dollar)
        return self._braced(text[after + 1 : end], depth), end + 1

    def _plain(self, name: str) -> str:
        value = self.lookup(name)
        if value is None:
            self.unset(name)
        return value or ""

    def _braced(self, inner: str, depth: int) -> str:
        name = _NAME.match(inner)
        operator = _OPERATOR.match(inner, name.end()) if name else None
        if not name or (not operator and name.end() != len(inner)):
            raise BadTemplate(
                f"{quote('${' + inner + '}')} is no form of a variable. Write `${{NAME}}` or `${{NAME:-default}}`"
            )
        if not operator:
            return self._plain(name[0])
        value = self.lookup(name[0])
        present = bool(value) if operator[0][0] == ":" else value is not None
        rest = inner[operator.end() :]
        match operator[0][-1]:
            case "-":
                return (value or "") if present else self._fill(rest, depth + 1)
            case "+":
                return self._fill(rest, depth + 1) if present else ""
            case _ if present:
                return value or ""
        said = self._fill(rest, depth + 1)
        reason = f": {said}" if said else ""
        raise BadTemplate(f"the variable `{name[0]}` is required and not set{reason}. Set it in `.env`")


def _closing(text: str, start: int) -> int:
    """Find the brace that closes the ``${`` at ``start``."""
    level = 0
    position = start
    while position < len(text):
        if text.startswith("${", position):
            level += 1
            position += 1
        elif text[position] == "}":
            level -= 1
            if level == 0:
                return position
        position += 1
    raise BadTemplate(f"{quote(text[start : start + 20])} has no closing brace")
