"""A small stage for single faults: one store, one engine, time that jumps, processes that can be stalled or paused."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from support.mortal import Died, Fate, LooseWorld
from support.outside import Outside, outside
from support.storing import opened
from support.virtual import HereDatabase, VirtualLoop, play


class Stalling(Fate):
    """Lets outward acts that a test chooses hang until they are cancelled or let go; remembers all of them."""

    def __init__(self) -> None:
        self.choose: Callable[[str], bool] = lambda _: False
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        self.acts: list[str] = []
        self.cancelled: list[str] = []
        self.dead = False

    def die(self) -> None:
        """From here on nothing of the process happens."""
        self.dead = True
        self.go.set()

    async def before(self, act: str) -> None:
        if self.choose(act):
            self.reached.set()
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled.append(act)
                raise
        if self.dead:
            raise Died
        self.acts.append(act)


def on_stage(folder: Path, main: Callable[[Outside], Coroutine[Any, Any, None]], url: str = "") -> None:
    """Play a test on a store of its own."""

    async def begin(loop: VirtualLoop) -> None:
        database = HereDatabase(url) if url else opened(folder, HereDatabase)
        database.open()
        try:
            await main(outside(folder, loop, database, LooseWorld(now=loop.unix)))
        finally:
            database.close()

    play(begin)
