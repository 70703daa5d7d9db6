"""Whose turn it is to build: at most N at once, and one noisy repository cannot starve another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


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


class FairQueue:
    """Turns for builds: next is the scope that builds least; among equals, the one served longest ago."""

    def __init__(self, places: int) -> None:
        self._places = places
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
            ticket = _next(self._waiting, self._running, self._served)
            self._waiting.remove(ticket)
            self._turns += 1
            self._running[ticket.scope] += 1
            self._served[ticket.scope] = self._turns
            ticket.called.set()
        if not self._waiting:  # nobody to be fair to: forget, so that the tables stay as small as what runs
            self._running = +self._running
            self._served = {scope: turn for scope, turn in self._served.items() if self._running[scope]}


def _next(waiting: list[_Ticket], running: Counter[str], served: dict[str, int]) -> _Ticket:
    return min(waiting, key=lambda ticket: (running[ticket.scope], served.get(ticket.scope, 0)))
