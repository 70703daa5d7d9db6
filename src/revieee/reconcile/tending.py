"""Tending: what is live is kept running while something newer is on its way, however long that takes.

A commit that cannot be fetched, a disk without room, a build of an hour: nothing of it keeps what runs from being
healed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from revieee.model.crashes import Crashes
from revieee.model.lifecycle import Act
from revieee.model.resolve import ResolvedStack
from revieee.ports import PortError, Refused, ServiceState
from revieee.reconcile.holding import Hold, unless_late
from revieee.reconcile.parts import Turn
from revieee.reconcile.steps.crashes import another, pause_left
from revieee.reconcile.steps.drain import cut_late
from revieee.reconcile.steps.replace import in_place, needs
from revieee.store.leases import StaleLease

log = logging.getLogger(__name__)

TENDED = frozenset(Act) - {Act.SUPERSEDE, Act.REMOVE, Act.KEEP, Act.REST}
"""Acts on what is newer. The others write a word, take everything away, or look after the live release themselves."""

_BRIEF = frozenset({Act.REPLACE, Act.SWITCH, Act.UNDO})
"""Acts that are over in moments unless they fail: before a first try nobody looks."""


@contextlib.asynccontextmanager
async def tended(turn: Turn, act: Act, hold: Hold, *, put_off: bool = False) -> AsyncIterator[None]:
    """Heal the live release before an act and, now and then, beside it.

    A mend under way when the act is done is finished first: the next act may stop what it starts. Where the act ends
    with an error or is obsolete the mend is cut off: what follows is a wait, or an act that stops nothing of the live
    release but with everything else. What drains for too long is cut beside both: it may take a minute to stop.

    Args:
        turn: under a lease.
        act: on what is newer.
        hold: on that lease.
        put_off: the act is not done now, as it has its place elsewhere, and nobody can tell for how long.

    Raises:
        StaleLease: the lease is someone else's.
    """
    live = turn.environment.live
    if live is None or live.stack is None or act not in TENDED:
        yield
        return
    stack, crashes, keys = live.stack, turn.environment.crashes, _left_alone(turn, live.stack)
    cut = frozenset[int]()

    async def mend() -> None:
        nonlocal crashes
        crashes = await _mend(turn, stack, keys, crashes)

    async def cut_off() -> None:
        nonlocal cut
        cut = await cut_late(turn, cut)

    if _is_time(turn, act, put_off=put_off):
        # What the act will stop may run until then: it fails to, again and again.
        crashes = await _mend(turn, stack, stack.keys if act is Act.REPLACE else keys, crashes)
    # What was built may have the very containers that are cut off, and would find them running.
    async with _beside(turn, hold, mend), _beside(turn, hold, cut_off, finished=act is Act.BUILD):
        yield


@contextlib.asynccontextmanager
async def _beside(
    turn: Turn, hold: Hold, work: Callable[[], Awaitable[None]], *, finished: bool = True
) -> AsyncIterator[None]:
    """Do some work beside the block, with each tick.

    Args:
        turn: under a lease.
        hold: on that lease.
        work: to be done.
        finished: what is under way of it at the end of the block is finished first.
    """
    alone = asyncio.Lock()

    async def again() -> None:
        with unless_late(lambda: hold.until):
            while True:
                await asyncio.sleep(turn.parts.policy.pace.tick)
                async with alone:
                    await work()

    task = asyncio.create_task(again(), name=f"beside {turn.environment.id}")
    try:
        yield
        if finished:
            async with alone:
                task.cancel()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _is_time(turn: Turn, act: Act, *, put_off: bool) -> bool:
    """Whether to look before the act: not at once after another look. The tick that wakes a turn may be a bit early."""
    if act in _BRIEF and not turn.environment.attempts and not put_off:
        return False
    since = asyncio.get_running_loop().time() - turn.remembered.tended_at
    return since >= turn.parts.policy.pace.tick / 2


async def _mend(turn: Turn, stack: ResolvedStack, keys: frozenset[str], crashes: Crashes) -> Crashes:
    """Make again what is missing, and start what ended when its pause is over; gives the crashes that count by now.

    Raises:
        StaleLease: the lease is someone else's. Of nothing else the newer release is to hear.
    """
    engine, environment = turn.parts.engine, turn.environment
    placement = turn.placement(environment.live)
    turn.remembered.tended_at = asyncio.get_running_loop().time()
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
    except Exception:
        log.exception("%s: what is live could not be looked after", environment.name)
    return crashes


def _left_alone(turn: Turn, stack: ResolvedStack) -> frozenset[str]:
    """Give the keys of the live release but those that the one on its way replaces in place, and what needs these."""
    environment = turn.environment
    release, live = environment.next, environment.live
    if release is None or live is None:
        return stack.keys
    replaced = {other.id: keys for other, keys in in_place(environment, release)}.get(live.id, frozenset())
    return frozenset(task.key for task in stack.tasks if task.key not in replaced and not needs(task) & replaced)
