"""Holding a lease: what a turn does outside, it does only while the lease is surely its own.

A process that was paused and wakes up late finds its time over before it acts. It asks no database for that: nobody
else may take the lease before the moment it was last renewed until. The monotonic clock counts, which nobody sets.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, cast

from revieee.reconcile.parts import Parts
from revieee.store.leases import Lease, StaleLease

Port = TypeVar("Port")


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
