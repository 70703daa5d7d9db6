"""Processes of a random schedule: killed at any act, paused, and met by every fault that a port may have."""

import asyncio
import random
from collections.abc import Callable

from revieee.ports import Fault, Refused, RetryLater
from support.mortal import Died, Fate, LooseWorld

_LATENCIES = (0.0, 0.0, 0.0, 0.001, 0.01, 0.2, 1.5)
_LOST = "the answer was lost"


class Weather:
    """How often calls fail."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.storm = 0.0
        """The share of calls that fail."""
        self.router_down = False

    def strikes(self) -> bool:
        return self.chance.random() < self.storm

    def fault(self, act: str) -> Exception:
        """What such a call may meet before anything is done."""
        port = act.partition(".")[0]
        if act == "builder.build" and self.chance.random() < 0.2:
            return Refused("The Dockerfile failed.", log="the last line")
        if port in {"engine", "reporter", "source"} and self.chance.random() < 0.2:
            return Fault("It is set up wrongly.")
        return RetryLater("It does not answer.", delay=self.chance.choice([None, 0.5]))


class Life(Fate):
    """One process: it may die after a given number of outward acts, and sleep while it is paused."""

    def __init__(self, weather: Weather, world: LooseWorld, watch: Callable[[str], None]) -> None:
        self.dead = False
        self.paused: asyncio.Event | None = None
        self.acts_left: int | None = None
        self._weather, self._world, self._watch = weather, world, watch

    async def before(self, act: str) -> None:
        await self._awake(act)
        latency = self._weather.chance.choice(_LATENCIES)
        if latency:
            await asyncio.sleep(latency)
            self._live()
        if act.startswith("router.") and self._weather.router_down:
            raise RetryLater("The router does not answer.")
        if self._weather.strikes():
            raise self._weather.fault(act)

    async def after(self, act: str) -> None:
        self._world.decide()
        self._watch(act)
        self._count()
        await self._awake(act)
        if self._weather.strikes():
            raise RetryLater(_LOST)

    def written(self) -> None:
        self._count()

    async def _awake(self, act: str) -> None:
        """Pause where the next thing is to look at the lease: only the store is between it and what is done outside."""
        self._live()
        if self.paused is not None and act.startswith("store."):
            await self.paused.wait()
            self._live()

    def _live(self) -> None:
        if self.dead:
            raise Died

    def _count(self) -> None:
        self._live()
        if self.acts_left is not None:
            self.acts_left -= 1
            if self.acts_left <= 0:
                self.dead = True
                raise Died
