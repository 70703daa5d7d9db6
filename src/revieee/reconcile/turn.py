"""One turn: take an environment through its next acts until nothing more is to do now."""

import asyncio
import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from functools import partial

from sqlalchemy.orm import Session

from revieee.model.addresses import PoolExhausted
from revieee.model.environment import Environment, Release
from revieee.model.lifecycle import Act, next_act, obsolete
from revieee.model.phases import Outcome, Verdict
from revieee.ports import Fault, ImageGone, PortError, Refused, RetryLater, RetryWithinTime, Superseded
from revieee.reconcile.holding import Hold, held, unless_late
from revieee.reconcile.parts import Done, Parts, Step, Turn, Wait
from revieee.reconcile.retrying import note_failure, too_early
from revieee.reconcile.room import waited, waits
from revieee.reconcile.steps import begin, build, drain, fetch, keep, prepare, remove, replace, start, switch, undo
from revieee.reconcile.tending import tended
from revieee.store import leases, releases, secrets, wishes
from revieee.store.leases import Lease, StaleLease
from revieee.store.releases import Ending
from revieee.store.secrets import Sealed

log = logging.getLogger(__name__)

STEPS: Mapping[Act, Callable[[Turn, Release], Awaitable[Step]]] = {
    Act.FETCH: fetch.fetch,
    Act.BUILD: build.build,
    Act.REPLACE: replace.replace,
    Act.PREPARE: prepare.prepare,
    Act.START: start.start,
    Act.SWITCH: switch.switch,
    Act.UNDO: undo.undo,
}
"""The step of every phase that a release goes through on its way."""

ACTS: Mapping[Act, Callable[[Turn], Awaitable[Step]]] = {
    Act.BEGIN: begin.begin,
    Act.REMOVE: remove.remove,
    Act.DRAIN: drain.drain,
    Act.KEEP: keep.keep,
}
"""Acts on the environment as a whole."""


_FAILING = frozenset(STEPS) - {Act.SWITCH, Act.UNDO}
"""Steps of which a refusal is the end of their release."""
_BEFORE_DRAIN = frozenset({Act.BEGIN, Act.FETCH, Act.BUILD})
"""Acts that may wait for long while an older release drains, as they come before the drain."""
_TRIES = 5
"""So often, at least, what may pass is tried again: while this process was away nobody tried."""

_Doing = Callable[[Turn, Act], Awaitable[Step]]


@dataclass(slots=True)
class _State:
    """What a turn has come to, for whoever gives the lease back."""

    due_at: float | None
    revision: int | None = None


async def take_turn(all_parts: Parts, lease: Lease, until: float, acts: Collection[Act] = tuple(Act)) -> None:
    """Work on one leased environment until it rests, waits or is someone else's; then give the lease back.

    Args:
        all_parts: ports, store and policy.
        lease: on the environment.
        until: the moment, on the event loop's clock, until which the lease is surely ours.
        acts: what the turn's place is for; at another act it ends, and the environment stays due.
    """
    hold = Hold(lease, until)
    parts = held(all_parts, hold)
    state = _State(due_at=parts.clock.now())
    heart = asyncio.create_task(_heartbeat(parts, hold), name=f"heartbeat {lease.environment}")
    try:
        await _acts(parts, hold, state, acts)
    except StaleLease:
        log.info("environment %d: someone else works on it now", lease.environment)
        return
    except RetryLater as error:
        log.warning("environment %d: %s", lease.environment, error)
        state.due_at = parts.clock.now() + parts.policy.pace.first_retry
    except Exception:
        state.due_at = parts.clock.now() + parts.policy.pace.tick  # it would fail again at once
        raise
    finally:
        heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heart
        with contextlib.suppress(RetryLater):
            await parts.database.run(
                lambda session: leases.release(
                    session, lease, seen_revision=state.revision, due_at=state.due_at, now=parts.clock.now()
                )
            )
        parts.bell.hint()


async def _acts(parts: Parts, hold: Hold, state: _State, acts: Collection[Act]) -> None:
    """Do one act after the other until none is left to do now, or one that has its place elsewhere."""
    lease = hold.lease
    while True:
        environment, sealed = await parts.database.read(lambda session: _load(session, lease.environment))
        state.revision = environment.revision
        act = next_act(environment)
        if act is Act.REST:
            state.due_at = None
            return
        turn, problem = _with_secrets(Turn(parts=parts, lease=lease, environment=environment), act, sealed)
        if problem is not None and act in _BEFORE_DRAIN:
            with unless_late(lambda: hold.until):
                await drain.end_late(turn)  # takes no secrets
        if act not in acts:
            if problem is None:
                await _watched(turn, act, hold, _leave)
            state.due_at = await parts.database.read(lambda session: releases.due_at(session, lease.environment))
            return
        wait = await _record(turn, act, problem or await _watched(turn, act, hold, _do))
        if wait is not None:
            drained = drain.limit_left(turn) + drain.LOOK if act in _BEFORE_DRAIN else float("inf")
            seconds = min(wait.seconds, drained)
            state.due_at = parts.clock.now() + seconds if seconds != float("inf") else None
            return


def _load(session: Session, environment_id: int) -> tuple[Environment, Sequence[Sealed]]:
    environment = releases.load(session, environment_id)
    return environment, secrets.sealed(session, environment.facts.repository.id)


def _with_secrets(turn: Turn, act: Act, sealed: Sequence[Sealed]) -> tuple[Turn, Step]:
    """Open the repository's secrets. Without its key nothing is made of them; a removal does not wait for one."""
    try:
        return replace_fields(turn, secrets=turn.parts.vault.secrets(sealed)), None
    except Fault as error:
        log.error("%s: %s", turn.environment.name, error)  # noqa: TRY400 -- the operator's to mend, and told in full
        return turn, None if act is Act.REMOVE else _again(turn, str(error))


async def _watched(turn: Turn, act: Act, hold: Hold, do: _Doing) -> Step:
    """Do an act, and end it at once when a newer wish makes it obsolete, or this process was stopped past its lease."""
    work = asyncio.create_task(_guarded(turn, act, hold, do), name=f"{act} {turn.environment.id}")
    watch = asyncio.create_task(_obsolete(turn, act), name=f"watch {turn.environment.id}")
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        watch.result()  # a lost lease ends the turn
        log.info("%s: %s is obsolete", turn.environment.name, act)
        return None
    finally:
        for task in (work, watch):
            task.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def _guarded(turn: Turn, act: Act, hold: Hold, do: _Doing) -> Step:
    """Do an act, and turn its errors into what comes next."""
    try:
        with unless_late(lambda: hold.until):
            async with tended(turn, act, hold, put_off=do is _leave):
                return await do(turn, act)
    except StaleLease:
        raise
    except (PortError, PoolExhausted) as error:
        return _after(turn, act, error)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            log.warning("%s: %s: %s", turn.environment.name, act, error)
            return _again(turn, "The disk of Revieee's own data is full. It is tried again when there is room.")
        log.exception("%s: %s failed in a way nobody thought of", turn.environment.name, act)
        return _again(turn, "Something failed inside Revieee; whoever runs it finds it in its log. It is tried again.")


async def _leave(turn: Turn, act: Act) -> Step:
    """Leave an act to a place that is for it: what is live was looked after before, and no drain outlasts its limit."""
    if act in _BEFORE_DRAIN:
        await drain.end_late(turn)
    return None


async def _do(turn: Turn, act: Act) -> Step:
    if act is Act.SUPERSEDE:
        return _superseded(outdone=True)
    if act in _BEFORE_DRAIN and await drain.end_late(turn):
        return None
    if pause := waits(turn, act) or too_early(turn, act):
        return pause
    if act in {Act.FETCH, Act.BUILD}:
        await _go_on(turn)
    if act in ACTS:
        return await ACTS[act](turn)
    release = turn.environment.next
    assert release is not None  # noqa: S101 -- next_act gives these acts only where there is one
    try:
        return await STEPS[act](turn, release)
    except ImageGone as error:
        log.warning("%s: %s: %s", turn.environment.name, act, error)
        await turn.write(lambda session: wishes.ask_again(session, turn.lease))
        return None


async def _go_on(turn: Turn) -> None:
    """Take back the words of a wait that is over; those of a failure stay until it is made good."""
    environment = turn.environment
    if environment.waiting_for and (not environment.attempts or waited(environment.waiting_for)):
        await turn.write(lambda session: releases.wait(session, turn.lease, ""))


def _after(turn: Turn, act: Act, error: PortError | PoolExhausted) -> Step:
    """Choose what comes after an error: its class says so."""
    if isinstance(error, Superseded):
        # A newer wish ends this release as soon as it is heard of. Until then the forge may only be behind.
        return _again(turn, f"{error} A newer one is expected.")
    if (isinstance(error, Refused) and act in _FAILING) or (isinstance(error, RetryWithinTime) and _is_over(turn, act)):
        log_tail = error.log if isinstance(error, Refused) else ""
        ending = Ending(verdict=Verdict.FAILED, reason=str(error), log_tail=log_tail)
        return Done(outcome=Outcome.FAILED, ending=ending)
    words, passes = turn.masked(str(error)), isinstance(error, RetryLater)
    if not passes or words != turn.environment.waiting_for:  # said once, however often it is tried again
        log.log(logging.WARNING if passes else logging.ERROR, "%s: %s: %s", turn.environment.name, act, words)
    return _again(turn, str(error), delay=error.delay or None if isinstance(error, RetryLater) else None)


def _is_over(turn: Turn, act: Act) -> bool:
    """Whether what a release's step could not do was tried for as long as a start may take, and more than a few times.

    Pulling an image is not bounded so: registries have outages. An undo or a removal never gives up.
    """
    release = turn.environment.next
    if act not in {Act.REPLACE, Act.PREPARE, Act.START} or release is None or release.stack is None:
        return False
    tried_for = turn.now - release.phase_since
    return tried_for >= release.stack.start_timeout and turn.environment.attempts >= _TRIES


def _again(turn: Turn, words: str, *, delay: float | None = None) -> Wait:
    backoff = turn.parts.policy.pace.backoff(turn.environment.attempts)
    return Wait(seconds=backoff if delay is None else delay, words=words, failed=True)


def _superseded(*, outdone: bool = False) -> Done:
    return Done(outcome=Outcome.SUPERSEDED, ending=Ending(verdict=Verdict.SUPERSEDED, outdone=outdone))


async def _record(turn: Turn, act: Act, step: Step) -> Wait | None:
    """Write down what an act came to; gives the wait that ends the turn, if it is one."""
    if isinstance(step, Wait):
        if step.words or step.failed:
            words, failed = turn.masked(step.words), step.failed
            await turn.write(lambda session: releases.wait(session, turn.lease, words, failed=failed))
        if step.failed:
            note_failure(turn, act, step)
        return step
    if isinstance(step, Done):
        release = turn.environment.next
        assert release is not None  # noqa: S101 -- only a release's steps give outcomes
        outcome, ending, now = step.outcome, _masked(turn, step.ending), turn.now
        phase = await turn.write(
            lambda session: releases.move(session, turn.lease, release.id, outcome, now=now, ending=ending)
        )
        log.info("%s: %s of %.12s: %s → %s", turn.environment.name, act, release.commit, outcome, phase)
    return None


def _masked(turn: Turn, ending: Ending | None) -> Ending | None:
    if ending is None or not turn.secrets.known:
        return ending
    return replace_fields(ending, reason=turn.masked(ending.reason), log_tail=turn.masked(ending.log_tail))


async def _heartbeat(parts: Parts, hold: Hold) -> None:
    """Keep the lease while a step is slow."""
    pace, loop, lease = parts.policy.pace, asyncio.get_running_loop(), hold.lease
    while True:
        await asyncio.sleep(pace.lease / 3)
        surely, until = loop.time() + pace.lease, parts.clock.now() + pace.lease
        try:
            mine = await parts.database.run(partial(leases.renew, lease=lease, until=until))
        except RetryLater as error:
            log.warning("environment %d: the lease could not be renewed: %s", lease.environment, error)
            continue
        hold.until = surely if mine else 0.0
        if not mine:
            return


async def _obsolete(turn: Turn, act: Act) -> None:
    """Return when a newer wish makes the act obsolete, or the lease is lost.

    A fetch is, too, when a drain has lasted as long as it may: that is ended, and the fetch is begun again.
    """
    parts, seen, loop = turn.parts, turn.environment.revision, asyncio.get_running_loop()
    drained = loop.time() + drain.limit_left(turn)
    listener = parts.bell.listen(turn.environment.id)
    while True:
        await listener.wait(parts.policy.pace.poll)
        if act is Act.FETCH and loop.time() > drained:
            return
        environment = await _if_changed(parts, turn.lease, seen)
        if environment is None:
            continue
        seen = environment.revision
        if obsolete(act, environment):
            return


async def _if_changed(parts: Parts, lease: Lease, seen: int) -> Environment | None:
    try:
        return await parts.database.read(lambda session: releases.if_changed(session, lease, seen))
    except RetryLater:
        return None  # the database will be back; the step goes on
