"""Whose turn it is to build: at most N at once, and one noisy repository cannot starve another."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from revieee.builders.slots import Slots
from revieee.clients.lock import TOUCH, Lock

Queued = Callable[[int], Awaitable[None]]
"""Is told a place in the queue; 0 is none."""

_SOON = 2.0
"""Seconds; of a shorter wait nobody need be told."""
_AGAIN = 0.05
"""Seconds until a place that another process has is asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One build that waits, as it can be told to people; ``place`` counts from 1."""

    environment: int
    scope: str
    place: int


@dataclass(slots=True, eq=False)
class _Ticket:
    environment: int
    scope: str
    called: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the queue went on."""
    slot: Lock | None = None


class FairQueue:
    """Turns for builds: next is the scope that builds least; among equals, the one served longest ago.

    Args:
        places: builds at once.
        slots: shares the places with other processes; None where there are none.
    """

    def __init__(self, places: int, slots: Slots | None = None) -> None:
        self._places, self._slots = places, slots
        self._later: asyncio.TimerHandle | None = None
        self._alive: asyncio.TimerHandle | None = None
        self._running: Counter[str] = Counter()
        self._waiting: list[_Ticket] = []
        self._served: dict[str, int] = {}
        self._turns = 0
        self._order: tuple[Waiting, ...] | None = None
        """As last given; None: something changed since."""

    @asynccontextmanager
    async def turn(self, scope: str, environment: int, queued: Queued | None = None) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Args:
            scope: among whose members turns are fair: repository and trust.
            environment: the environment's id, for :meth:`waiting`.
            queued: is told the environment's place when it waits for long and each time the place has halved, so that
                many who wait cause few words; then 0, when none of it waits any more.
        """
        ticket = _Ticket(environment, scope)
        self._waiting.append(ticket)
        self._call()
        try:
            await self._called(ticket, queued)
            yield
        finally:
            if ticket.called:
                self._running[scope] -= 1
                if self._slots is not None and ticket.slot is not None:
                    self._slots.free(ticket.slot)
            else:
                self._waiting.remove(ticket)
            self._call()

    async def _called(self, ticket: _Ticket, queued: Queued | None) -> None:
        """Wait until a ticket is called, and say meanwhile where it stands."""
        told = 0
        while not ticket.called:
            ticket.moved.clear()
            try:
                await asyncio.wait_for(ticket.moved.wait(), None if told or not queued else _SOON)
            except TimeoutError:
                told = sys.maxsize
            if told and queued and not ticket.called:
                place = min(one.place for one in self.waiting() if one.environment == ticket.environment)
                if place <= told // 2:
                    told = place
                    await queued(place)
        if told and queued and all(one.environment != ticket.environment for one in self._waiting):
            await queued(0)

    def waiting(self) -> tuple[Waiting, ...]:
        """Give the builds that wait, in the order in which their turns would come if no other one arrived."""
        if self._order is None:  # all who wait ask, each time that one of them moves
            self._order = self._in_order()
        return self._order

    def _in_order(self) -> tuple[Waiting, ...]:
        running, served, turns = self._running.copy(), dict(self._served), self._turns
        left, order = list(self._waiting), []
        while left:
            ticket = _next(left, running, served)
            left.remove(ticket)
            turns += 1
            running[ticket.scope] += 1
            served[ticket.scope] = turns
            order.append(ticket)
        return tuple(
            Waiting(environment=ticket.environment, scope=ticket.scope, place=place)
            for place, ticket in enumerate(order, start=1)
        )

    def _call(self) -> None:
        self._order = None
        while self._waiting and self._running.total() < self._places:
            running = self._running + self._slots.elsewhere() if self._slots else self._running
            ticket = _next(self._waiting, running, self._served)
            if self._slots is not None and not self._slot(self._slots, ticket, busy=running[ticket.scope] > 0):
                return
            self._waiting.remove(ticket)
            self._turns += 1
            self._running[ticket.scope] += 1
            self._served[ticket.scope] = self._turns
            ticket.called = True
            for one in (ticket, *self._waiting):
                one.moved.set()
        if not self._waiting:  # nobody to be fair to: forget, so that the tables stay as small as what runs
            self._running = +self._running
            self._served = {scope: turn for scope, turn in self._served.items() if self._running[scope]}

    def _slot(self, slots: Slots, ticket: _Ticket, *, busy: bool) -> bool:
        """Have a place of the machine's for a ticket, or ask again in a moment."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        loop = asyncio.get_running_loop()
        if not busy or not slots.others_first():
            ticket.slot = slots.take(ticket.scope)
        if ticket.slot is None:
            if not busy:
                slots.ask_first()
            self._later = loop.call_later(_AGAIN, self._call)
        elif self._alive is None:
            self._alive = loop.call_later(TOUCH, self._touch, slots)
        return ticket.slot is not None

    def _touch(self, slots: Slots) -> None:
        """Say, while builds run, that this process is alive."""
        slots.touch()
        busy = self._running.total() > 0
        self._alive = asyncio.get_running_loop().call_later(TOUCH, self._touch, slots) if busy else None


def _next(waiting: list[_Ticket], running: Counter[str], served: dict[str, int]) -> _Ticket:
    return min(waiting, key=lambda ticket: (running[ticket.scope], served.get(ticket.scope, 0)))
