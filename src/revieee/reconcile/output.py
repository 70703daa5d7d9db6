"""Output: a build's or hook's log on its way into the store, in chunks."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from revieee.model.environment import Release
from revieee.model.masking import Masker
from revieee.ports import PortError
from revieee.reconcile.parts import Turn
from revieee.store import logs

CHUNK = 64 * 1024
"""Bytes after which a chunk is written."""
PAUSE = 0.5
"""Seconds after which what there is is written, so that a reader can follow."""


class Output:
    """Collects output and writes it into the store now and then, and at the end whatever happened."""

    def __init__(self, turn: Turn, release: Release, stage: str) -> None:
        self._turn, self._release, self._stage = turn, release, stage
        self._waiting = bytearray()
        self._masker = Masker(turn.secrets.known)
        self._alone = asyncio.Lock()
        self._later: asyncio.Task[None] | None = None

    async def write(self, data: bytes) -> None:
        """Take some output."""
        self._waiting += self._masker.feed(data)
        if len(self._waiting) >= CHUNK:
            await self._flush()
        elif self._later is None or self._later.done():
            self._later = asyncio.create_task(self._flush_later(), name=f"output {self._stage}")

    async def _flush_later(self) -> None:
        """Write what there is after a moment, also when nothing follows: a build may be silent for minutes."""
        await asyncio.sleep(PAUSE)
        # A lost lease or database shows in the next write of the turn itself.
        with contextlib.suppress(PortError):
            await self._flush()

    async def _flush(self) -> None:
        async with self._alone:
            if not self._waiting:
                return
            data, release, stage, now = bytes(self._waiting), self._release.id, self._stage, self._turn.now
            self._waiting.clear()
            await self._turn.write(lambda session: logs.append(session, release, stage, data, now=now))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._later is not None:
            async with self._alone:  # not in the middle of a write
                self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)
        self._waiting += self._masker.end()
        await self._flush()
