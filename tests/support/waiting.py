"""Waiting for a real part, no longer than it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")


def eventually(ask: Callable[[], _Value], *, timeout: float = 30.0, pause: float = 0.05) -> _Value:
    """Asks until the answer is true, and gives it; after `timeout` seconds it gives the last answer, whatever it is."""
    deadline = time.monotonic() + timeout
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(pause)
    return answer
