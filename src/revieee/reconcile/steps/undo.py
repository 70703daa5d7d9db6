"""Undo: what a release that does not go live had started goes, what it had stopped runs again."""

import logging

from revieee.model.environment import Release
from revieee.model.phases import Outcome, Verdict
from revieee.model.resolve import ResolvedStack
from revieee.model.route import RouteState
from revieee.ports import PortError, Presence, Refused
from revieee.reconcile.parts import Done, Step, Turn
from revieee.reconcile.steps.healthy import until_healthy
from revieee.reconcile.steps.replace import clashing
from revieee.reconcile.steps.routing import set_routes, show
from revieee.reconcile.steps.stack import named, used_images
from revieee.store import releases
from revieee.store.leases import StaleLease

log = logging.getLogger(__name__)

GRACE = 1.0
"""Seconds between stop signal and kill for what never was live."""


async def undo(turn: Turn, release: Release) -> Step:
    """Remove what only this release names, put the live one back, and let its routes lead to it."""
    environment, engine = turn.environment, turn.parts.engine
    await _note_create_hook(turn, release)
    keys = (release.keys | release.hook_names) - named(environment, without=release)
    live = environment.live
    if live is not None and live.stack is not None:
        stuck = await _clear(turn, release, live.stack, keys)
        await _put_back(turn, live, release)
        await set_routes(turn, live)
        if stuck is not None:
            raise stuck
    else:
        await _remove(turn, release, keys)
        if release.verdict is Verdict.FAILED:
            await show(turn, RouteState.FAILED)
    await engine.remove_images(turn.placement(release), used_images(environment, without=release))
    return Done(outcome=Outcome.DONE)


async def _clear(turn: Turn, release: Release, live: ResolvedStack, keys: frozenset[str]) -> PortError | None:
    """Remove what only this release names; gives why some of it stays, which keeps the live one from nothing.

    Raises:
        PortError: what may write the volumes of the live one runs on, so that cannot be put back.
    """
    writers = clashing(release.stack, live) if release.stack else frozenset()
    first = keys & (writers | release.hook_names)
    stuck = await _removed(turn, release, first)
    if release.stack is not None:
        # A draining release may name them, too; they must not write what the live one writes.
        await turn.parts.engine.stop(turn.placement(release), release.stack, writers if stuck else writers - keys)
    if stuck is not None and first & (await _presence(turn)).running:
        raise stuck
    return await _removed(turn, release, keys - first) or stuck


async def _removed(turn: Turn, release: Release, keys: frozenset[str]) -> PortError | None:
    """Remove some; gives why they stay."""
    try:
        await _remove(turn, release, keys)
    except StaleLease:
        raise
    except PortError as error:
        return error
    return None


async def _presence(turn: Turn) -> Presence:
    return (await turn.parts.engine.observe_all(turn.parts.instance)).get(turn.environment.id, Presence())


async def _remove(turn: Turn, release: Release, keys: frozenset[str]) -> None:
    if keys:
        await turn.parts.engine.remove(turn.placement(release), keys, grace=GRACE)


async def _put_back(turn: Turn, live: Release, release: Release) -> None:
    """Start again what was stopped for this release. What else is wrong with the live one is not ours to wait for."""
    if live.stack is None or release.stack is None:
        return
    stopped = clashing(live.stack, release.stack)
    if stopped:
        try:
            await until_healthy(turn, live, live.stack, seconds=live.stack.start_timeout, only=stopped)
        except Refused as error:
            log.warning("%s: what was stopped does not start again: %s", turn.environment.name, error)


async def _note_create_hook(turn: Turn, release: Release) -> None:
    """A ``create`` hook that ended well counts, though a crash or a newer wish kept us from writing it down."""
    name = next((one for one in release.hook_names if one.startswith("hook-create-")), None)
    if name is None or turn.environment.created_hook:
        return
    if name in (await _presence(turn)).completed:
        await turn.write(lambda session: releases.hook_created(session, turn.lease))
