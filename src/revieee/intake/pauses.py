"""Pauses of this process before it asks the forge again. They end where the clock on the wall was set back since."""

from typing import NamedTuple


class Pause(NamedTuple):
    """From one moment to another (Unix time, seconds)."""

    since: float
    until: float

    def lasts(self, now: float) -> bool:
        """Tell whether it is not over."""
        return self.since <= now < self.until


NONE = Pause(0.0, 0.0)
