"""Whose turn it is to build: at most N at once, and one noisy repository cannot starve another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from revieee.builders.slots import Slots
from revieee.clients.lock import TOUCH, Lock

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
    called: asyncio.Event = field(default_factory=asyncio.Event)
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

    @asynccontextmanager
    async def turn(self, scope: str, environment: int) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Args:
            scope: among whose members turns are fair: repository and trust.
            environment: the environment's id, for :meth:`waiting`.
        """
        ticket = _Ticket(environment, scope)
        self._waiting.append(ticket)
        self._call()
        try:
            await ticket.called.wait()
            yield
        finally:
            if ticket.called.is_set():
                self._running[scope] -= 1
                if self._slots is not None and ticket.slot is not None:
                    self._slots.free(ticket.slot)
            else:
                self._waiting.remove(ticket)
            self._call()

    def waiting(self) -> tuple[Waiting, ...]:
        """Give the builds that wait, in the order in which their turns would come if no other one arrived."""
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
        while self._waiting and self._running.total() < self._places:
            running = self._running + self._slots.elsewhere() if self._slots else self._running
            ticket = _next(self._waiting, running, self._served)
            if self._slots is not None and not self._slot(self._slots, ticket, busy=running[ticket.scope] > 0):
                return
            self._waiting.remove(ticket)
            self._turns += 1
            self._running[ticket.scope] += 1
            self._served[ticket.scope] = self._turns
            ticket.called.set()
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
