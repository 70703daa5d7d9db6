"""Time that jumps: an event loop in which waiting costs nothing and everything happens in the same order every time.

Threads are done away with: their work is done at once. So a run depends on its seed alone and can be played again.
"""

import asyncio
import itertools
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import TypeVar

from sqlalchemy.orm import Session

from revieee.store.database import Database
from support.mortal import Whatever

Result = TypeVar("Result")

START = 1_767_225_600.0
"""Unix time at which every run begins."""


class Deadlock(RuntimeError):
    """Everybody waits and nothing will ever happen."""


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting for a timer, moves the time on to it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Deadlock("nothing is left to wait for")
        self.time += max(timeout, 0.0)
        return ready


class _Numbered(asyncio.Task[Whatever]):
    """Sets of tasks are gone through in an order that does not depend on where in memory they are."""

    numbers = itertools.count()

    def __init__(self, *args: Whatever, **named: Whatever) -> None:
        self._number = next(self.numbers)
        super().__init__(*args, **named)

    def __hash__(self) -> int:
        return self._number


def _numbered(loop: asyncio.AbstractEventLoop, coroutine: Whatever, **named: Whatever) -> _Numbered:
    return _Numbered(coroutine, loop=loop, **named)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The event loop."""

    def __init__(self, start: float = START) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._start = start
        _Numbered.numbers = itertools.count()
        self.set_task_factory(_numbered)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._jumping.time

    def unix(self) -> float:
        return self._start + self._jumping.time

    def run_in_executor(  # type: ignore[override] # the base class says less than it does
        self, executor: Executor | None, func: Callable[..., Result], *args: Whatever
    ) -> asyncio.Future[Result]:
        """Do it at once."""
        del executor
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is the caller's
            done.set_exception(error)
        return done


class LoopClock:
    """The clock of the loop: :class:`revieee.ports.Clock`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.unix()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HereDatabase(Database):
    """A database without threads."""

    async def run(self, work: Callable[[Session], Result]) -> Result:
        await asyncio.sleep(0)
        return self.run_here(work)

    async def read(self, work: Callable[[Session], Result]) -> Result:
        await asyncio.sleep(0)
        return self.read_here(work)


def play(main: Callable[[VirtualLoop], Coroutine[Whatever, Whatever, Result]], *, start: float = START) -> Result:
    """Run a coroutine to its end, in no time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return runner.run(main(loop))
