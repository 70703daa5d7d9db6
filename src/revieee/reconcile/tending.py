"""Tending: what is live is kept running while something newer is on its way, however long that takes.

A commit that cannot be fetched, a disk without room, a build of an hour: nothing of it keeps what runs from being
healed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from revieee.model.crashes import Crashes
from revieee.model.lifecycle import Act
from revieee.model.resolve import ResolvedStack
from revieee.ports import PortError, Refused, ServiceState
from revieee.reconcile.holding import Hold, unless_late
from revieee.reconcile.parts import Turn
from revieee.reconcile.steps.crashes import another, pause_left
from revieee.reconcile.steps.replace import in_place, needs
from revieee.store.leases import StaleLease

log = logging.getLogger(__name__)

TENDED = frozenset({Act.BEGIN, Act.FETCH, Act.BUILD, Act.PREPARE, Act.START, Act.DRAIN})
"""Acts that leave the live release as it is. The others stop some of it, put it back, or look after it themselves."""


@contextlib.asynccontextmanager
async def tended(turn: Turn, act: Act, hold: Hold) -> AsyncIterator[None]:
    """Heal the live release before an act and, now and then, beside it; what is begun is finished when the act is.

    Raises:
        StaleLease: the lease is someone else's.
    """
    live = turn.environment.live
    if live is None or live.stack is None or act not in TENDED:
        yield
        return
    alone, crashes = asyncio.Lock(), turn.environment.crashes
    tended_at, now = turn.parts.tended, asyncio.get_running_loop().time()
    if now - tended_at.get(turn.environment.id, float("-inf")) >= turn.parts.policy.pace.tick:
        tended_at[turn.environment.id] = now
        crashes = await _mend(turn, live.stack, crashes)
    beside = asyncio.create_task(_beside(turn, live.stack, crashes, hold, alone), name=f"tend {turn.environment.id}")
    try:
        yield
        async with alone:  # the next act may stop what this one starts
            beside.cancel()
    finally:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)


async def _beside(turn: Turn, stack: ResolvedStack, crashes: Crashes, hold: Hold, alone: asyncio.Lock) -> None:
    """Mend until cancelled."""
    with unless_late(lambda: hold.until):
        while True:
            await asyncio.sleep(turn.parts.policy.pace.tick)
            async with alone:
                crashes = await _mend(turn, stack, crashes)
                turn.parts.tended[turn.environment.id] = asyncio.get_running_loop().time()


async def _mend(turn: Turn, stack: ResolvedStack, crashes: Crashes) -> Crashes:
    """Make again what is missing, and start what ended when its pause is over; gives the crashes that count by now."""
    engine, environment = turn.parts.engine, turn.environment
    placement, keys = turn.placement(environment.live), _left_alone(turn, stack)
    try:
        if not keys or await pause_left(turn, crashes):
            return crashes
        await engine.prepare(placement)
        seen = await engine.apply(placement, stack, only=keys)
        failed = [one for one in seen.values() if one.state is ServiceState.FAILED]
        if failed:
            await engine.stop(placement, stack, [one.key for one in failed])  # the next apply starts it again
            return await another(turn, "; ".join(f"{one.key} {turn.words_of(one)}" for one in failed))
    except StaleLease:
        raise
    except PortError as error:
        level = logging.INFO if isinstance(error, Refused) else logging.WARNING
        log.log(level, "%s: what is live could not be looked after: %s", environment.name, error)
    return crashes


def _left_alone(turn: Turn, stack: ResolvedStack) -> frozenset[str]:
    """Give the keys of the live release but those that the one on its way replaces in place, and what needs these."""
    environment = turn.environment
    release, live = environment.next, environment.live
    if release is None or live is None:
        return stack.keys
    replaced = {other.id: keys for other, keys in in_place(environment, release)}.get(live.id, frozenset())
    return frozenset(task.key for task in stack.tasks if task.key not in replaced and not needs(task) & replaced)
