"""Crashes: when what ended is started again, and when they count no more."""

from revieee.model.crashes import Crashes
from revieee.model.policy import Pace

PACE = Pace(first_retry=2.0, last_retry=300.0, steady=300.0)


def test_without_a_crash_nothing_waits() -> None:
    assert Crashes().pause_ends(PACE) < 0.0
    assert Crashes().another(PACE, now=5.0) == Crashes(1, 5.0)


def test_pauses_grow_up_to_a_ceiling() -> None:
    crashes, pauses = Crashes(), list[float]()
    for _ in range(11):
        now = crashes.pause_ends(PACE) + 5.0 if crashes.count else 0.0
        crashes = crashes.another(PACE, now=now)
        pauses.append(round(crashes.pause_ends(PACE) - now, 3))
    assert pauses == [0.2, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]


def test_minutes_of_health_let_them_be_forgotten() -> None:
    crashes = Crashes(7, 1000.0)
    assert crashes.another(PACE, now=crashes.forgotten(PACE) - 1).count == 8
    assert crashes.another(PACE, now=crashes.forgotten(PACE)).count == 1
