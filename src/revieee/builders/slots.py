"""Places for builds on this machine: files that the control planes of one data folder lock, one for each build."""

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from revieee.clients.lock import Lock, Seeker

_MOMENT = 0.3
"""Seconds for which whoever asked to go first is let first; asked again meanwhile."""


class Slots:
    """So many places, counted over all processes that work in one data folder.

    Args:
        folder: where the files are; made if need be.
        places: how many there are.
        elapsed: a clock that only goes forward, in seconds.
    """

    def __init__(self, folder: Path, places: int, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files = [folder / str(number) for number in range(1, places + 1)]
        self._seekers = {file: Seeker(file, elapsed=elapsed) for file in self._files}
        self._held: dict[Lock, Path] = {}
        self._first = folder / "first"

    def take(self, scope: str) -> Lock | None:
        """Take a place for a build of that scope, if one is free; a hung process's counts as free after a while."""
        mine = {file for held, file in self._held.items() if held.ours}
        for file in self._files:
            if file not in mine and (lock := self._seekers[file].take()) is not None:
                lock.write(scope)
                self._held[lock] = file
                return lock
        return None

    def ask_first(self) -> None:
        """Ask other processes to let a scope of ours go first, of which nothing is built."""
        self._first.touch()

    def others_first(self) -> bool:
        """Tell whether somebody asked for that a moment ago."""
        try:
            return time.time() - self._first.stat().st_mtime < _MOMENT
        except FileNotFoundError:
            return False

    def free(self, lock: Lock) -> None:
        """Give a place back."""
        del self._held[lock]
        if lock.ours:
            lock.write("")
        lock.close()

    def elsewhere(self) -> Counter[str]:
        """Count the builds of other processes, by scope."""
        mine = {file for held, file in self._held.items() if held.ours}
        words = (_read(file) for file in self._files if file not in mine)
        return Counter(word for word in words if word)

    def touch(self) -> None:
        """Say that we are alive; to be called every :data:`revieee.clients.lock.TOUCH` seconds while builds run."""
        for lock in self._held:
            lock.touch()


def _read(file: Path) -> str:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        return os.read(handle, 4096).decode(errors="replace")
    finally:
        os.close(handle)
