"""Remembered: what one process knows of an environment beside its row. Forgotten, it costs a look or a try more."""

from dataclasses import dataclass, field

from revieee.model.lifecycle import Act

_SOON = 1.0
"""Seconds that a retry may come early: the two clocks do not agree to the last digit."""


@dataclass(slots=True)
class Spell:
    """How long something is so, as far as looks that come often enough tell: another process may have looked between.

    Times are the event loop's, in seconds.
    """

    since: float = float("-inf")
    seen: float = float("-inf")

    def lasts(self, now: float, *, gap: float) -> float:
        """See once more that it is so; after longer than ``gap`` without a look it counts anew."""
        if now - self.seen > gap:
            self.since = now
        self.seen = now
        return now - self.since

    def end(self) -> None:
        """It is not so any more."""
        self.seen = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When an act that failed is tried again, unless something else is wanted by then."""

    act: Act
    revision: int
    """The environment's, when it failed: each wish makes another one."""
    loop: float
    """The event loop's time."""
    unix: float
    """The same moment in Unix seconds: whichever clock comes to it first, as the one on the wall is set."""

    def left(self, act: Act, revision: int, *, loop: float, unix: float) -> float:
        """Tell for how many seconds that act waits; 0 for any other, and where another thing is wanted."""
        if (self.act, self.revision) != (act, revision):
            return 0.0
        left = min(self.loop - loop, self.unix - unix)
        return left if left > _SOON else 0.0


@dataclass(slots=True, kw_only=True)
class Remembered:
    """All that is remembered of one environment."""

    tended_at: float = float("-inf")
    """When the live release was last looked after beside a newer one (the event loop's time)."""
    extras: frozenset[str] = frozenset()
    """Keys the tick found on the engine that no release names: its next turn looks and removes."""
    starting: Spell = field(default_factory=Spell)
    """How long what is live has been starting."""
    retry: Retry | None = None
    """Of an act that failed last."""
