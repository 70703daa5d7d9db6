"""What is found while reading: faults that refuse a commit, notices that explain what was rewritten."""

import difflib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from revieee.model.manifest import ManifestError, Notice

MOST_FAULTS = 50
"""As many as a person can use; the rest are counted."""

_LONGEST_QUOTE = 80
_MOST_CANDIDATES = 200
"""More than any table of ours has: a stranger's names are as many as they like."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and the folder that relative paths in it start from."""

    file: str
    line: int | None = None
    base: str = ""


class Findings:
    """Collects faults and notices, so that the author sees all of them at once."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, int | None, str], None] = {}
        self._more = 0
        self._notices: dict[tuple[str, str], dict[int | None, None]] = {}
        self._hints = MOST_FAULTS

    def fault(self, at: Place, words: str) -> None:
        """Note what cannot become a stack: what is wrong, why, what to do."""
        key = (at.file, at.line, words)
        if key in self._faults:
            return
        if len(self._faults) < MOST_FAULTS:
            self._faults[key] = None
        else:
            self._more += 1

    def notice(self, at: Place, words: str) -> None:
        """Note what was rewritten or left out. The same words in one file become one notice."""
        self._notices.setdefault((at.file, words), {})[at.line] = None

    def nearest(self, word: str, known: Iterable[str]) -> str:
        """Give `` Did you mean `x`?`` for a misspelt name; an empty text for none, or when too many were asked for."""
        if not self._hints:
            return ""
        self._hints -= 1
        some = heapq.nsmallest(_MOST_CANDIDATES, known)
        found = difflib.get_close_matches(word[:_LONGEST_QUOTE].lower(), some, n=1, cutoff=0.6)
        return f" Did you mean {quote(found[0])}?" if found else ""

    @property
    def failed(self) -> bool:
        """Whether any fault was found."""
        return bool(self._faults)

    def faults(self) -> tuple[Notice, ...]:
        """Give the faults in the order of their places."""
        found = [Notice(file=file, line=line, words=words) for file, line, words in self._faults]
        found.sort(key=lambda one: (one.file, one.line or 0))
        if self._more:
            found.append(Notice(file=found[0].file, line=None, words=f"And {self._more} more. Mend these first."))
        return tuple(found)

    def notices(self) -> tuple[Notice, ...]:
        """Give the notices in the order of their places, each with its first line."""
        return tuple(sorted(self._grouped(), key=lambda one: (one.file, one.line or 0)))

    def _grouped(self) -> Iterator[Notice]:
        for (file, words), lines in self._notices.items():
            first, *rest = sorted(lines, key=lambda line: line or 0)
            others = [str(line) for line in rest if line is not None]
            also = f" (also line{'s' if len(others) > 1 else ''} {', '.join(others[:10])})" if others else ""
            yield Notice(file=file, line=first, words=words + also)

    def check(self) -> None:
        """Go on only without faults.

        Raises:
            ManifestError: there are some.
        """
        if self._faults:
            raise ManifestError(self.faults())


class OverBudget(Exception):
    """The files unfold into more than anyone writes by hand: a bomb. Turned into one fault by the reader."""


@dataclass(slots=True)
class Budget:
    """Bounds on what the files of one commit may unfold into, whatever they repeat, include or nest."""

    nodes: int = 100_000
    characters: int = 8_000_000
    files: int = 200
    _words: dict[str, str] = field(
        default_factory=lambda: {
            "nodes": "YAML values once aliases, includes and extends are unfolded",
            "characters": "characters once variables are filled in",
            "files": "files read (include, extends, env_file)",
        }
    )

    def spend(self, what: str, amount: int) -> None:
        """Take ``amount`` of ``what`` (``nodes``, ``characters``, ``files``).

        Raises:
            OverBudget: there is not as much left.
        """
        left = getattr(self, what) - amount
        setattr(self, what, left)
        if left < 0:
            raise OverBudget(f"There are too many {self._words[what]}. Make the file smaller, or split the product.")


@dataclass(slots=True)
class Mounted:
    """What is mounted so far, over all services."""

    bytes: int = 0
    files: int = 0


def quote(text: str) -> str:
    """Show a text of the author's in a message: one line, printable, not too long."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[: _LONGEST_QUOTE + 1])
    return f"`{shown[:_LONGEST_QUOTE]}{'…' if len(shown) > _LONGEST_QUOTE else ''}`".replace("``", "` `")


def words_of(names: Iterable[str]) -> str:
    """Write a list for a sentence: `` `a`, `b` and `c` ``."""
    shown = [quote(name) for name in names]
    if len(shown) <= 1:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
