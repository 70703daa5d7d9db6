"""Drain: an old release finishes its open requests, then what only it named is removed."""

import logging

from revieee.model.environment import Release
from revieee.model.phases import Outcome
from revieee.ports import PortError
from revieee.reconcile.parts import Step, Turn, Wait
from revieee.reconcile.steps.stack import named, used_images
from revieee.store import releases
from revieee.store.leases import StaleLease

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks at open requests."""


async def drain(turn: Turn) -> Step:
    """Remove old releases whose requests are finished or whose drain limit is over."""
    environment, parts = turn.environment, turn.parts
    live = {endpoint for _, endpoint in environment.live.endpoints} if environment.live else set()
    open_requests = await parts.router.open_requests()
    for release in environment.draining:
        endpoints = {endpoint for _, endpoint in release.endpoints} - live
        if _left(turn, release) <= 0 or not any(open_requests.get(endpoint) for endpoint in endpoints):
            await _end(turn, release)
            return None
    return Wait(seconds=LOOK)


async def end_late(turn: Turn) -> bool:
    """End what drains for longer than it may, also while a newer release is on its way: it holds memory and room.

    What cannot be removed now is in nobody's way: the next turn tries again, with the next tick at the latest.

    Returns:
        Whether any was ended; the caller's own snapshot still shows it.
    """
    ended = False
    for release in turn.environment.draining:
        if _left(turn, release) > 0:
            continue
        try:
            await _end(turn, release)
            ended = True
        except StaleLease:
            raise
        except PortError as error:
            log.warning("%s: what drains has lasted too long, and stays: %s", turn.environment.name, error)
    return ended


def limit_left(turn: Turn) -> float:
    """Give the seconds until the next drain has lasted as long as it may; without end where none is to come."""
    left = (_left(turn, release) for release in turn.environment.draining)
    return min((one for one in left if one > 0), default=float("inf"))


def _left(turn: Turn, release: Release) -> float:
    return turn.parts.policy.pace.drain_limit - (turn.now - release.phase_since)


async def _end(turn: Turn, release: Release) -> None:
    environment, engine = turn.environment, turn.parts.engine
    keys = release.keys - named(environment, without=release)
    if keys:
        await engine.remove(turn.placement(release), keys)
    await engine.remove_images(turn.placement(release), used_images(environment, without=release))
    await turn.write(lambda session: releases.move(session, turn.lease, release.id, Outcome.DONE, now=turn.now))
