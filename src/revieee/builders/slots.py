"""Places for builds on this machine: files that the control planes of one data folder lock, one for each build."""

import os
from collections import Counter
from pathlib import Path

from revieee.clients.lock import Lock, Seeker


class Slots:
    """So many places, counted over all processes that work in one data folder.

    Args:
        folder: where the files are; made if need be.
        places: how many there are.
    """

    def __init__(self, folder: Path, places: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files = [folder / str(number) for number in range(1, places + 1)]
        self._seekers = {file: Seeker(file) for file in self._files}
        self._held: dict[Lock, Path] = {}

    def take(self, scope: str) -> Lock | None:
        """Take a place for a build of that scope, if one is free; a hung process's counts as free after a while."""
        mine = {file for held, file in self._held.items() if held.ours}
        for file in self._files:
            if file not in mine and (lock := self._seekers[file].take()) is not None:
                lock.write(scope)
                self._held[lock] = file
                return lock
        return None

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
