"""Drain: an old release finishes its open requests, then what only it named is removed."""

from revieee.model.environment import Release
from revieee.model.phases import Outcome
from revieee.reconcile.parts import Step, Turn, Wait
from revieee.reconcile.steps.stack import named, used_images
from revieee.store import releases

LOOK = 0.5
"""Seconds between two looks at open requests."""


async def drain(turn: Turn) -> Step:
    """Remove old releases whose requests are finished or whose drain limit is over."""
    environment, parts = turn.environment, turn.parts
    live = {endpoint for _, endpoint in environment.live.endpoints} if environment.live else set()
    open_requests = await parts.router.open_requests()
    for release in environment.draining:
        endpoints = {endpoint for _, endpoint in release.endpoints} - live
        late = turn.now - release.phase_since >= parts.policy.pace.drain_limit
        if late or not any(open_requests.get(endpoint) for endpoint in endpoints):
            await _end(turn, release)
            return None
    return Wait(seconds=LOOK)


async def end_late(turn: Turn) -> bool:
    """End what drains for longer than it may, also while a newer release is on its way: it holds memory and addresses.

    Returns:
        Whether there was any; the caller's own snapshot still shows it.
    """
    limit = turn.parts.policy.pace.drain_limit
    late = [release for release in turn.environment.draining if turn.now - release.phase_since >= limit]
    for release in late:
        await _end(turn, release)
    return bool(late)


async def _end(turn: Turn, release: Release) -> None:
    environment, engine = turn.environment, turn.parts.engine
    keys = release.keys - named(environment, without=release)
    if keys:
        await engine.remove(turn.placement(release), keys)
    await engine.remove_images(turn.placement(release), used_images(environment, without=release))
    await turn.write(lambda session: releases.move(session, turn.lease, release.id, Outcome.DONE, now=turn.now))
