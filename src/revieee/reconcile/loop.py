"""The loop: claim what is due, work on it, and now and then look at everything."""

import asyncio
import collections
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import NamedTuple

from sqlalchemy.orm import Session

from revieee.model.lifecycle import Act
from revieee.ports import PortError, RetryLater
from revieee.reconcile.parts import Parts
from revieee.reconcile.room import keep_bounds, keep_room
from revieee.reconcile.tick import tick
from revieee.reconcile.turn import take_turn
from revieee.store import leases
from revieee.store.leases import Lease, Places, share_of
from revieee.store.schema import EnvironmentRow

log = logging.getLogger(__name__)

GATHER, REST = 0.3, 0.7
"""Seconds in which the engine's words are gathered into one look, and until the next: no more than one a second."""

CROWD = 5
"""So many times the places for turns may be under way where most of them wait for builds."""


class Kind(Enum):
    """What a place is for: the acts of its turns. Another act waits for a place of another kind.

    Each of the first three has as many places as all others together: no build and no start keeps an environment from
    being removed, what is live from staying so, or who waits for a place from being told; and none of these grows into
    a build. To supersede is a word in the row, after which what is live is looked after.
    """

    GOING = frozenset({Act.REMOVE})
    KEPT = frozenset({Act.KEEP, Act.DRAIN, Act.SUPERSEDE})
    ASKING = frozenset({Act.BEGIN})
    ANY = frozenset(Act)


class _UnderWay(NamedTuple):
    """Whose turn it is, and in what place."""

    environment: int
    repository: int
    kind: Kind


class _Free(NamedTuple):
    """What a process has room for."""

    apart: Mapping[Kind, int]
    """The most turns to begin in places that are not for any act."""
    others: Places
    lost: frozenset[int]
    """Environments whose live release is to be looked after though they may get no turn."""


class Reconciler:
    """Runs turns until it is told to stop. Several may run on one database; leases share the work."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turns: dict[asyncio.Task[None], _UnderWay] = {}
        self._changed: set[int] = set()
        """Environments of which the engine said that something changed."""
        self._noticed = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled; then end the turns under way and give their leases back."""
        await self.free_the_dead()
        works = {"tick": self._tick, "events": self._events, "look": self._look, "room": self._room, "walk": self._walk}
        tasks = [asyncio.create_task(self._forever(work, name)) for name, work in works.items()]
        listener = self._parts.bell.listen()

        async def work() -> None:
            await self.claim()
            await listener.wait(self._parts.policy.pace.poll)

        try:
            await self._forever(work, "turns")
        finally:
            await self._stop(tasks)

    async def claim(self) -> int:
        """Begin a turn for what is due, as far as there are places; gives how many."""
        parts = self._parts
        free, now = self._free(), parts.clock.now()
        until = now + parts.policy.pace.lease
        surely = asyncio.get_running_loop().time() + parts.policy.pace.lease
        try:
            taken = await parts.database.run(partial(_take, owner=parts.owner, free=free, now=now, until=until))
        except RetryLater as error:
            log.warning("%s", error)
            return 0
        parts.lost.difference_update(free.lost)  # who was not taken has a turn, or none is due; the tick names it again
        for lease, whose in taken:
            self._begin(lease, whose, surely)
        return len(taken)

    def _free(self) -> _Free:
        """Give what there is room for.

        Who only waits, for a build or for the forge, does nothing, and keeps nobody else from working, up to a bound.
        """
        turns, kinds = self._parts.policy.turns, collections.Counter(one.kind for one in self._turns.values())
        working = [one for one in self._turns.values() if one.kind is Kind.ANY]
        busy = collections.Counter(one.repository for one in working)
        queued = {environment for environment, _ in self._parts.queued}
        waiting = sum(one.environment in queued for one in working)
        free = min(turns - (len(working) - waiting), turns * CROWD - len(working))
        return _Free(
            apart={kind: turns - kinds[kind] for kind in (Kind.GOING, Kind.KEPT, Kind.ASKING)},
            others=Places(free=free, busy=busy, share=share_of(turns)),
            lost=frozenset(self._parts.lost),
        )

    async def settle(self) -> None:
        """Take turns until nothing is due now and none is under way (for tests and for commands)."""
        while await self.claim() or self._turns:
            if self._turns:
                await asyncio.wait(list(self._turns), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)

    async def free_the_dead(self) -> bool:
        """Give back what a killed process on this host had claimed, instead of waiting until its leases run out.

        Returns:
            Whether there was any such process.
        """
        parts, found = self._parts, False
        try:
            for owner in await parts.database.read(leases.owners):
                if parts.is_dead(owner):
                    found = True
                    log.info("leases of %s, which is gone, are given back", owner)
                    await parts.database.run(partial(leases.free_of, owner=owner))
                    parts.bell.hint()
        except RetryLater as error:
            log.warning("the leases run out by themselves: %s", error)
        except Exception:
            log.exception("the leases run out by themselves")
        return found

    def _begin(self, lease: Lease, whose: _UnderWay, until: float) -> None:
        work = take_turn(self._parts, lease, until, whose.kind.value)
        turn = asyncio.create_task(work, name=f"turn {lease.environment}")
        self._turns[turn] = whose
        turn.add_done_callback(self._ended)

    def _ended(self, turn: asyncio.Task[None]) -> None:
        self._turns.pop(turn, None)
        self._parts.bell.hint()
        if not turn.cancelled() and turn.exception() is not None:
            log.error("a turn ended with an error", exc_info=turn.exception())

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        ending = [*tasks, *self._turns]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        try:
            await self._parts.database.run(lambda session: leases.free_of(session, self._parts.owner))
        except RetryLater as error:
            log.warning("the leases run out by themselves: %s", error)

    async def _tick(self) -> None:
        await tick(self._parts)
        await self._parts.clock.sleep(self._parts.policy.pace.tick)

    async def _room(self) -> None:
        await keep_room(self._parts)
        await self._parts.clock.sleep(self._parts.policy.pace.tick)

    async def _walk(self) -> None:
        """Beside everything else: to walk a large disk takes minutes. A process that only just began has other work."""
        await self._parts.clock.sleep(self._parts.policy.pace.tick)
        await keep_bounds(self._parts)

    async def _events(self) -> None:
        """Note of which environments the engine says that something changed."""
        async for environment in self._parts.engine.events(self._parts.instance):
            self._changed.add(environment)
            self._noticed.set()
        await self._parts.clock.sleep(self._parts.policy.pace.first_retry)  # it ended, as when the engine goes

    async def _look(self) -> None:
        """Have environments looked at that changed behind our back: what was killed is healed before the tick sees it.

        What turns do is said too; a look that follows finds nothing to do, and ends there.
        """
        parts = self._parts
        await self._noticed.wait()
        await parts.clock.sleep(GATHER)
        self._noticed.clear()
        changed, now = sorted(self._changed), parts.clock.now()
        self._changed.clear()
        await parts.database.run(lambda session: leases.look(session, changed, now=now))
        parts.lost.update(changed)
        parts.bell.hint()
        await parts.clock.sleep(REST)

    async def _forever(self, work: Callable[[], Coroutine[None, None, None]], name: str) -> None:
        while True:
            try:
                await work()
            except PortError as error:
                log.warning("%s: %s", name, error)
            except Exception:
                log.exception("%s failed", name)
            else:
                continue
            await self._parts.clock.sleep(self._parts.policy.pace.first_retry)


def _take(session: Session, *, owner: str, free: _Free, now: float, until: float) -> Sequence[tuple[Lease, _UnderWay]]:
    """Take leases in one transaction, for each kind of place on what it is for.

    Last, in the places left for what is to stay as it is: what may lose its live release while it waits for a turn.
    """
    kept_places = free.apart[Kind.KEPT]
    going = leases.claim_going(session, owner, now=now, until=until, limit=free.apart[Kind.GOING])
    kept = leases.claim_kept(session, owner, now=now, until=until, limit=kept_places)
    asking = leases.claim_asking(session, owner, now=now, until=until, limit=free.apart[Kind.ASKING])
    others = leases.claim(session, owner, free.others, now=now, until=until)
    left = kept_places - len(kept)
    lost = leases.claim_lost(session, owner, free.lost, now=now, until=until, limit=left)
    kinds = {Kind.GOING: going, Kind.KEPT: [*kept, *lost], Kind.ASKING: asking, Kind.ANY: others}
    return [(lease, _whose(session, lease, kind)) for kind, some in kinds.items() for lease in some]


def _whose(session: Session, lease: Lease, kind: Kind) -> _UnderWay:
    return _UnderWay(lease.environment, session.get_one(EnvironmentRow, lease.environment).repository_id, kind)
