"""Processes that can be killed at any outward act: whatever is behind a port, the store or the engine's own rows.

Every port is wrapped without knowing its methods, so that a new step or a new method is covered by being there.
"""

import contextvars
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from revieee.engines.memory import World

Whatever: TypeAlias = Any  # wrapped without being looked at


class Died(BaseException):
    """The process was killed: nothing of it goes on."""


class Fate:
    """What befalls one process at its outward acts. The usual fate: nothing."""

    async def before(self, act: str) -> None:
        """Called before each outward act."""

    async def after(self, act: str) -> None:
        """Called when its work is done and before the process hears of it."""

    def written(self) -> None:
        """Called after each single thing that an engine did."""


_FATE: contextvars.ContextVar[Fate | None] = contextvars.ContextVar("fate", default=None)


@contextmanager
def fated(fate: Fate) -> Iterator[None]:
    """Tasks that are made inside belong to the process of this fate."""
    token = _FATE.set(fate)
    try:
        yield
    finally:
        _FATE.reset(token)


class LooseWorld(World):
    """A world in which an engine's call can be cut off half done, as on a real engine.

    What was done is noted before anybody can die of it.
    """

    _undecided = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield
        self.decide()

    def write(self, query: str, *values: object) -> int:
        if "INTO acts" in query:
            return super().write(query, *values)
        self.decide()
        changed = super().write(query, *values)
        self._undecided = bool(changed)
        return changed

    def decide(self) -> None:
        """Let the fate of whoever wrote know of it."""
        fate = _FATE.get()
        if self._undecided and fate is not None:
            self._undecided = False
            fate.written()
        self._undecided = False


def mortal(real: Whatever, name: str, fate: Fate) -> Whatever:
    """Wrap a port, so that each of its calls is an outward act."""
    return _Mortal(real, name, fate)


class _Mortal:
    def __init__(self, real: Whatever, name: str, fate: Fate) -> None:
        self._real, self._name, self._fate = real, name, fate

    def __getattr__(self, attribute: str) -> Whatever:
        found = getattr(self._real, attribute)
        act = f"{self._name}.{attribute}"
        if inspect.iscoroutinefunction(found):
            return _call(found, act, self._fate)
        if inspect.isasyncgenfunction(found):
            return _stream(found, act, self._fate)
        return found


def _call(found: Whatever, act: str, fate: Fate) -> Whatever:
    async def call(*args: Whatever, **named: Whatever) -> Whatever:
        await fate.before(act)
        result = await found(*args, **named)
        await fate.after(act)
        return result

    return call


def _stream(found: Whatever, act: str, fate: Fate) -> Whatever:
    async def stream(*args: Whatever, **named: Whatever) -> AsyncIterator[Whatever]:
        await fate.before(act)
        async for one in found(*args, **named):
            yield one

    return stream
