"""Keep: nothing is to change; see that what should run runs, and that nothing else does."""

import asyncio
import logging
from collections.abc import Collection

from sqlalchemy.orm import Session

from revieee.model.environment import Release
from revieee.model.phases import Outcome, Verdict
from revieee.model.policy import Pace
from revieee.model.resolve import ResolvedStack
from revieee.model.route import RouteState
from revieee.ports import ImageGone, PortError, Refused, ServiceState
from revieee.reconcile.parts import Step, Turn, Wait
from revieee.reconcile.steps.crashes import another, pause_left
from revieee.reconcile.steps.healthy import GOOD
from revieee.reconcile.steps.routing import set_routes, show
from revieee.reconcile.steps.stack import named, used_images
from revieee.store import releases, wishes
from revieee.store.leases import StaleLease
from revieee.store.releases import Ending

log = logging.getLogger(__name__)

_IS = {
    ServiceState.FAILED: "does not run",
    ServiceState.UNHEALTHY: "is not healthy",
    ServiceState.STARTING: "does not get healthy",
    ServiceState.WAITING: "does not run",
}


async def keep(turn: Turn) -> Step:
    """Heal the live release: what is missing is made again, what nobody names is removed."""
    environment, parts = turn.environment, turn.parts
    live = environment.live
    if live is None or live.stack is None:
        return Wait(seconds=float("inf"))
    placement = turn.placement(live)
    await _remove_extras(turn)
    pause = await pause_left(turn, environment.crashes)
    if pause:
        return Wait(seconds=pause)  # whoever woke us, the tick mostly
    await parts.engine.prepare(placement)
    return await _heal(turn, live, live.stack)


async def _remove_extras(turn: Turn) -> None:
    """Remove what no release names. What cannot be removed is tried again at each tick, and is no word to people."""
    environment = turn.environment
    extras, turn.remembered.extras = turn.remembered.extras - named(environment), frozenset()
    if not extras:
        return
    try:
        await turn.parts.engine.remove(turn.placement(environment.live), extras)
    except StaleLease:
        raise
    except PortError as error:
        log.warning("%s: no release has this, and it stays: %s: %s", environment.name, ", ".join(sorted(extras)), error)


async def _heal(turn: Turn, live: Release, stack: ResolvedStack) -> Step:
    environment, parts, placement = turn.environment, turn.parts, turn.placement(live)
    try:
        seen = await parts.engine.apply(placement, stack)
    except Refused as error:
        return await _refused(turn, live, error)
    bad = [one for one in seen.values() if one.state not in GOOD]
    if not bad:
        turn.remembered.starting.end()
        await set_routes(turn, live)
        return await _well(turn)
    failed = [one.key for one in bad if one.state is ServiceState.FAILED]
    words = "; ".join(
        f"Service {stack.task(one.key).service.name} {_IS[one.state]}: {turn.words_of(one) or one.state}"
        for one in bad
        if one.state in _IS
    )
    if failed:
        turn.remembered.starting.end()
        await parts.engine.stop(placement, stack, failed)  # stopped by us, the next apply starts it again as it was
        return await _crashed(turn, words)
    starting = _starting({one.state for one in bad})
    late = starting and _late(turn, stack)
    if not late and (starting or not environment.attempts):  # it may be about to be healthy: told at the second look
        return Wait(seconds=1.0, failed=not starting)
    return Wait(seconds=parts.policy.pace.tick, words=words, failed=True)


def _starting(states: Collection[ServiceState]) -> bool:
    """Whether time alone may make it well: what waits for something that is not healthy tells no more than that."""
    waits = ServiceState.WAITING in states and ServiceState.UNHEALTHY not in states
    return waits or ServiceState.STARTING in states


def _late(turn: Turn, stack: ResolvedStack) -> bool:
    """Whether it has been starting for longer than a start may take."""
    now, gap = asyncio.get_running_loop().time(), 2 * turn.parts.policy.pace.tick
    return turn.remembered.starting.lasts(now, gap=gap) >= stack.start_timeout


async def _refused(turn: Turn, live: Release, error: Refused) -> Step:
    """Have what the live release needs made anew by another release, unless that failed already."""
    newest = turn.environment.newest
    if newest is None or newest.verdict is not Verdict.FAILED:
        # It is gone for good, its image mostly: a new release builds it.
        await turn.write(lambda session: wishes.ask_again(session, turn.lease))
        return None
    return await _give_up(turn, live, error) if isinstance(error, ImageGone) else await _crashed(turn, str(error))


async def _give_up(turn: Turn, live: Release, error: ImageGone) -> Step:
    """End a live release of which an image is gone for good: the one that would have it again failed already."""
    environment, engine, placement = turn.environment, turn.parts.engine, turn.placement(live)
    await show(turn, RouteState.FAILED)
    keys = live.keys - named(environment, without=live)
    if keys:
        await engine.remove(placement, keys)
    await engine.remove_images(placement, used_images(environment, without=live))

    def work(session: Session) -> None:
        ending = Ending(verdict=Verdict.FAILED, reason=str(error))
        releases.move(session, turn.lease, live.id, Outcome.FAILED, now=turn.now, ending=ending)
        # Told beside why the newest one failed, until something else is wanted.
        releases.wait(session, turn.lease, f"What was live until now ended, too: {error}")

    await turn.write(work)
    log.warning("%s: what was live is not any more: %s", turn.environment.name, error)
    return None


async def _crashed(turn: Turn, words: str) -> Wait:
    """Wait before the next start, longer each time. What ends once is started again before anybody is told."""
    pace, crashes = turn.parts.policy.pace, await another(turn, words)
    told = f"{words.rstrip('.')}. {_again_and_again(pace)}" if crashes.count > 1 else ""
    return Wait(seconds=pace.pause(crashes.count), words=told, failed=True)


async def _well(turn: Turn) -> Wait:
    """Rest. That something ended again and again is told until it has run for a while, not back and forth."""
    environment, pace = turn.environment, turn.parts.policy.pace
    words, left = environment.waiting_for, environment.crashes.forgotten(pace) - turn.now
    if left <= 0 or not words.endswith(_again_and_again(pace)):
        words = ""
    if environment.attempts or environment.waiting_for != words:
        await turn.write(lambda session: releases.recovered(session, turn.lease, words=words))
    return Wait(seconds=left if words else float("inf"))


def _again_and_again(pace: Pace) -> str:
    return f"It is started again each time, after pauses that grow up to {pace.last_retry:.0f} s."
