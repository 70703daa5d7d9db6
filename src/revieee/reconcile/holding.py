"""Holding a lease: what a turn does outside, it does only while the lease is surely its own.

A process that was paused and wakes up late finds its time over before it acts. It asks no database for that: nobody
else may take the lease before the moment it was last renewed until. The monotonic clock counts, which nobody sets.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, cast

from revieee.reconcile.parts import Parts
from revieee.store.leases import Lease, StaleLease

Port = TypeVar("Port")

_BEAT, _STOPPED = 1.0, 2.0
"""Seconds between two beats, and how much later than that one comes where the process was stopped."""


class Hold:
    """A lease and the moment, on the event loop's clock, until which it is surely ours."""

    def __init__(self, lease: Lease, until: float) -> None:
        self.lease = lease
        self.until = until

    def check(self) -> None:
        """Look at the clock.

        Raises:
            StaleLease: the time is over.
        """
        if asyncio.get_running_loop().time() >= self.until:
            raise StaleLease(f"the lease on environment {self.lease.environment} ran out")


@contextlib.contextmanager
def unless_late(until: Callable[[], float]) -> Iterator[None]:
    """End the current task's work in the block at once when this process wakes up after that moment.

    The kernel may stop a process between any two of its steps, and a lease goes to someone else meanwhile. A timer is
    met before any task goes on, so nothing is sent any more. Work that is merely slow goes on: its next act is checked.

    Args:
        until: gives the moment, on the event loop's clock, until which the work is surely ours.

    Raises:
        StaleLease: it woke up late.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    late, timer = False, loop.call_later(_BEAT, lambda: None)
    assert task is not None  # noqa: S101 -- only tasks work

    def beat(since: float) -> None:
        nonlocal late, timer
        if loop.time() - since > _BEAT + _STOPPED and loop.time() >= until():
            late = True
            task.cancel()
        else:
            timer = loop.call_later(_BEAT, beat, loop.time())

    beat(loop.time())
    try:
        yield
    except asyncio.CancelledError:
        if late:
            task.uncancel()
            raise StaleLease("this process was stopped, and someone else has its work by now") from None
        raise
    finally:
        timer.cancel()


def held(parts: Parts, hold: Hold) -> Parts:
    """Give the parts whose outward acts, whatever they are, check the lease first."""
    return replace(
        parts,
        source=_checked(parts.source, hold),
        builder=_checked(parts.builder, hold),
        engine=_checked(parts.engine, hold),
        router=_checked(parts.router, hold),
    )


def _checked(port: Port, hold: Hold) -> Port:
    return cast("Port", _Checked(port, hold))


class _Checked:
    """A port of any kind: a method that is added to it is checked by being there."""

    def __init__(self, port: object, hold: Hold) -> None:
        self._port, self._hold = port, hold

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the port has
        found = getattr(self._port, name)
        return _checking(found, self._hold) if inspect.iscoroutinefunction(found) else found


def _checking(method: Callable[..., Awaitable[Any]], hold: Hold) -> Callable[..., Awaitable[Any]]:
    @wraps(method)
    async def call(*args: Any, **named: Any) -> Any:  # noqa: ANN401 -- as above
        hold.check()
        return await method(*args, **named)

    return call
