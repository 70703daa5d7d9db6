"""A table of nftables that is ours: loaded at once, in place of an older one, and known again by its rules. Pure."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

_HOOKS = frozenset({"input", "forward"})
_PLAIN = re.compile(r"[a-z0-9_]{1,40}")


class Table(ABC):
    """What a table says."""

    __slots__ = ()
    family: ClassVar[str]
    instance: str

    @abstractmethod
    def chains(self, mark: str) -> Mapping[str, Sequence[str]]:
        """Give the rules by chain, some with the mark as a comment; one that another goes to stands before it."""

    def sets(self) -> Sequence[str]:
        """Give the sets that rules name: what they hold changes without the rules."""
        return ()

    @property
    def table(self) -> str:
        """The table's name."""
        plain = self.instance.replace("-", "_")
        unlike = plain if _PLAIN.fullmatch(plain) and plain == self.instance else _digest(self.instance)
        return f"revieee_{unlike}"

    @property
    def mark(self) -> str:
        """A comment of the last rules: tells these rules from older ones of ours."""
        return f"revieee {_digest(repr(self.chains('')))}"

    @property
    def rules(self) -> int:
        """How many rules there are when nobody took any away."""
        return sum(len(rules) for rules in self.chains("").values())

    @property
    def marks(self) -> int:
        """How many of them carry the mark."""
        return sum(self.mark in rule for rules in self.chains(self.mark).values() for rule in rules)

    def script(self) -> str:
        """Render what ``nft -f`` loads: at once, in place of an older table of ours."""
        chains = [f"chain {name} {{\n{_lines(rules, name)}}}\n" for name, rules in self.chains(self.mark).items()]
        return f"{self.removal()}table {self.family} {self.table} {{\n{''.join((*self.sets(), *chains))}}}\n"

    def removal(self) -> str:
        """Render what takes the table away, whether it is there or not."""
        return f"table {self.family} {self.table}\ndelete table {self.family} {self.table}\n"


def _lines(rules: Iterable[str], chain: str) -> str:
    """Write a chain's rules; those that the kernel enters have a head."""
    head = [f"type filter hook {chain} priority filter - 10; policy accept;"] if chain in _HOOKS else []
    return "".join(f"{line}\n" for line in (*head, *rules))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
