"""Locks between processes that a hung holder cannot keep for ever.

The kernel holds them (``flock(2)``), so they end with their process. A holder also touches its file every few seconds.
Where a file was not touched for long, its holder is stopped or hung: whoever waits puts a new file in its place and
holds that one. The former holder finds out with :attr:`Lock.ours` before it does what only a holder may.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

TOUCH = 2.0
"""Seconds between two touches by the holder."""
SILENCE = 15.0
"""Seconds without a touch after which a holder counts as hung."""
_POLL = 0.05


class Lock:
    """A lock that is held, on a file; let go with :meth:`close`."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path, self._handle = path, handle

    @property
    def ours(self) -> bool:
        """Whether nobody took it from us because we were silent for too long."""
        return _is_at(self._handle, self._path)

    def touch(self) -> None:
        """Say that we are alive."""
        os.utime(self._handle)

    def write(self, text: str) -> None:
        """Write a word into the file, for those who wait."""
        os.pwrite(self._handle, text.encode(), 0)
        os.ftruncate(self._handle, len(text.encode()))

    def close(self) -> None:
        """Let go; not twice."""
        os.close(self._handle)


class Seeker:
    """Seeks one lock, again and again, and notices when its holder is silent."""

    def __init__(self, path: Path, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        """Take the file's path, in a folder that is there, and a clock that only goes forward."""
        self._path, self._elapsed = path, elapsed
        self._seen: tuple[tuple[int, int], float] | None = None

    def take(self) -> Lock | None:
        """Take the lock, at once or not."""
        handle = _open(self._path)
        if not _locked(handle):
            silent = self._silent(handle)
            os.close(handle)
            return self._replace() if silent else None
        self._seen = None
        if _is_at(handle, self._path):
            os.utime(handle)
            return Lock(self._path, handle)
        os.close(handle)
        return None  # another one put a new file in its place meanwhile

    def _silent(self, handle: int) -> bool:
        """Tell whether the holder did not touch the file for long, by our own clock."""
        found, now = os.fstat(handle), self._elapsed()
        touched = (found.st_ino, found.st_mtime_ns)
        if self._seen is None or self._seen[0] != touched:
            self._seen = touched, now
        return now - self._seen[1] > SILENCE

    def _replace(self) -> Lock | None:
        """Put a file of our own in the place of a silent holder's; of two who try one has it."""
        self._seen = None
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        handle = _open(new)
        _locked(handle)
        new.replace(self._path)
        return Lock(self._path, handle)


@asynccontextmanager
async def holding(path: Path, *, patience: float | None = None) -> AsyncIterator[tuple[Lock | None, bool]]:
    """Hold a lock; gives it, and whether it was waited for.

    Args:
        path: the file, in a folder that is there.
        patience: after so many seconds go on without the lock (None is given for it); None waits on.
    """
    seeker, loop, waited = Seeker(path), asyncio.get_running_loop(), False
    until = None if patience is None else loop.time() + patience
    while (lock := seeker.take()) is None and (until is None or loop.time() < until):
        waited = True
        await asyncio.sleep(_POLL)
    touching = asyncio.create_task(_touch(lock)) if lock else None
    try:
        yield lock, waited
    finally:
        if touching:
            touching.cancel()
            await asyncio.gather(touching, return_exceptions=True)
        if lock:
            lock.close()


async def _touch(lock: Lock) -> None:
    while True:
        await asyncio.sleep(TOUCH)
        lock.touch()


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(handle: int, path: Path) -> bool:
    mine = os.fstat(handle)
    with contextlib.suppress(FileNotFoundError):
        return (mine.st_dev, mine.st_ino) == ((there := path.stat()).st_dev, there.st_ino)
    return False
