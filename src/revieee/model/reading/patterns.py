"""Patterns of paths and branches: ``*`` within a part, ``**`` across, ``?`` one character.

Matched without backtracking, all alternatives at once in the bits of one number, because the patterns are a stranger's.
"""

from dataclasses import dataclass

LONGEST = 200
"""Characters of a pattern."""

MOST = 50
"""Patterns of one list."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern, ready to match. Bit ``n`` of a mask stands for the pattern's step ``n``."""

    ones: dict[str, int]
    """Steps that take exactly this character."""
    any: int
    """Steps that take one character but ``/`` (``?``)."""
    part: int
    """Steps that take any number of characters but ``/`` (``*``)."""
    all: int
    """Steps that take any number of characters (``**``)."""
    folders: int
    """Steps that take any number of whole folders (``**/``)."""
    end: int
    """The bit after the last step."""

    @classmethod
    def of(cls, text: str) -> "Pattern":
        """Read a pattern. One that ends in ``/`` means all below that folder; ``./`` at the start is left out."""
        text = text.removeprefix("./")
        text = text + "**" if text.endswith("/") else text
        ones: dict[str, int] = {}
        masks = {"?": 0, "*": 0, "**": 0, "**/": 0}
        bit = 1
        position = 0
        while position < len(text):
            starts_part = position == 0 or text[position - 1] == "/"
            found = next((one for one in ("**/", "**", "*", "?") if text.startswith(one, position)), text[position])
            if found == "**/" and not starts_part:
                found = "**"
            if found in masks:
                masks[found] |= bit
            else:
                ones[found] = ones.get(found, 0) | bit
            bit <<= 1
            position += len(found)
        return cls(ones, masks["?"], masks["*"], masks["**"], masks["**/"], bit)

    def matches(self, text: str) -> bool:
        """Tell whether the pattern matches all of ``text``."""
        states = self._skipped(1, starts_part=True)
        for char in text:
            if char == "/":
                after = (states & self.ones.get(char, 0)) << 1 | states & (self.all | self.folders)
            else:
                taken = states & (self.ones.get(char, 0) | self.any)
                after = taken << 1 | states & (self.all | self.folders | self.part)
            if not after:
                return False
            states = self._skipped(after, starts_part=char == "/")
        return bool(states & self.end)

    def _skipped(self, states: int, *, starts_part: bool) -> int:
        """Add the states reached by letting wildcards match nothing more."""
        wild = self.all | self.part | (self.folders if starts_part else 0)
        while more := (states & wild) << 1 & ~states:
            states |= more
        return states
