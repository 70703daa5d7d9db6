"""Crashes: how often what is live ended in a row, and when it is started again. Times are Unix seconds."""

from dataclasses import dataclass

from revieee.model.policy import Pace


@dataclass(frozen=True, slots=True)
class Crashes:
    """Those that are not forgotten yet."""

    count: int = 0
    last: float = float("-inf")
    """When the last one was seen."""

    def pause_ends(self, pace: Pace) -> float:
        """Tell until when what ended is left as it is."""
        return self.last + pace.pause(self.count)

    def pause_left(self, pace: Pace, *, now: float) -> float:
        """Tell for how long that is; no longer than a whole pause, also where the clock was set back."""
        return min(self.pause_ends(pace) - now, pace.pause(self.count))

    def forgotten(self, pace: Pace) -> float:
        """Tell from when on they count no more, unless there is another one."""
        return self.pause_ends(pace) + pace.steady

    def another(self, pace: Pace, *, now: float) -> "Crashes":
        """Count one more."""
        return Crashes(1 if now >= self.forgotten(pace) else self.count + 1, now)
