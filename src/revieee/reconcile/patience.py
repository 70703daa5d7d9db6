"""Patience: how long something may take. What counts is time that passed, not the clock on the wall, which is set."""

import asyncio

from revieee.ports import Clock


class Patience:
    """Seconds that are left, of what was slept and what was worked.

    Args:
        clock: to sleep by.
        seconds: how many there are.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._left = clock, seconds
        self._worked_from = asyncio.get_running_loop().time()

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return asyncio.get_running_loop().time() - self._worked_from >= self._left

    async def sleep(self, seconds: float) -> None:
        """Let some of it pass."""
        loop = asyncio.get_running_loop()
        self._left -= seconds + loop.time() - self._worked_from
        await self._clock.sleep(seconds)
        self._worked_from = loop.time()
