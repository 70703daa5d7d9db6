"""Drain: an old release finishes its open requests, then what only it named is removed."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from revieee.model.environment import Environment, Release
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

    def over(release: Release) -> bool:
        endpoints = {endpoint for _, endpoint in release.endpoints} - live
        return _left(turn, release) <= 0 or not any(open_requests.get(endpoint) for endpoint in endpoints)

    ending = [release for release in environment.draining if over(release)]
    _, problem = await _end_all(turn, ending)
    if problem is not None:
        raise problem
    return None if ending else Wait(seconds=LOOK)


async def end_late(turn: Turn) -> bool:
    """End what drains for longer than it may, also while a newer release is on its way: it holds memory and room.

    What cannot be removed now is in nobody's way: the next turn tries again, with the next tick at the latest.

    Returns:
        Whether any was ended; the caller's own snapshot still shows it.
    """
    late = [release for release in turn.environment.draining if _left(turn, release) <= 0]
    ended, problem = await _end_all(turn, late)
    if problem is not None:
        log.warning("%s: what drains has lasted too long, and stays: %s", turn.environment.name, problem)
    return ended > 0


async def cut_late(turn: Turn, cut: frozenset[int]) -> frozenset[int]:
    """Remove the containers of what drains for too long, beside an act on what is newer that may take long.

    What is left of it goes when it is ended: the newer release may be about to use an image of it.

    Args:
        turn: under a lease.
        cut: ids of releases of which that is done.

    Returns:
        Those ids by now.
    """
    environment = turn.environment
    for release in environment.draining:
        if release.id in cut or _left(turn, release) > 0:
            continue
        others = tuple(one for one in environment.releases if one.id not in cut)
        keys = release.keys - named(replace(environment, releases=others), without=release)
        try:
            await turn.parts.engine.remove(turn.placement(release), keys)
            cut |= {release.id}
        except StaleLease:
            raise
        except PortError as error:
            log.warning("%s: what drains has lasted too long, and stays: %s", environment.name, error)
    return cut


def limit_left(turn: Turn) -> float:
    """Give the seconds until the next drain has lasted as long as it may; without end where none is to come."""
    left = (_left(turn, release) for release in turn.environment.draining)
    return min((one for one in left if one > 0), default=float("inf"))


def _left(turn: Turn, release: Release) -> float:
    return turn.parts.policy.pace.drain_limit - (turn.now - release.phase_since)


async def _end_all(turn: Turn, ending: Sequence[Release]) -> tuple[int, PortError | None]:
    """End some; gives how many could be ended, and why another one could not."""
    environment, problem = turn.environment, None
    for release in ending:
        try:
            await _end(turn, environment, release)
        except StaleLease:
            raise
        except PortError as error:
            problem = error
            continue
        # What only those that ended named is not named any more.
        left = tuple(one for one in environment.releases if one.id != release.id)
        environment = replace(environment, releases=left)
    return len(turn.environment.releases) - len(environment.releases), problem


async def _end(turn: Turn, environment: Environment, release: Release) -> None:
    engine = turn.parts.engine
    keys = release.keys - named(environment, without=release)
    if keys:
        await engine.remove(turn.placement(release), keys)
    await engine.remove_images(turn.placement(release), used_images(environment, without=release))
    await turn.write(lambda session: releases.move(session, turn.lease, release.id, Outcome.DONE, now=turn.now))
