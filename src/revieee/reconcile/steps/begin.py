"""Begin: write down a new release of what is wanted now."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from revieee.model.addresses import free_slot
from revieee.model.places import Queued
from revieee.model.route import Route, RouteState
from revieee.reconcile.parts import Step, Turn, Wait, domain_of
from revieee.store import environments, places, releases, routes


async def begin(turn: Turn) -> Step:
    """Admit the environment within the limits, give it a subnet, and begin a release."""
    queued = await turn.write(lambda session: _write(session, turn))
    if queued is not None:
        return Wait(seconds=turn.parts.policy.pace.tick, words=str(queued))
    if not turn.environment.placed:
        await _announce(turn)
    return None


async def move(turn: Turn) -> None:
    """Give the environment another subnet, because something else on the host has the one it was given."""

    def work(session: Session) -> None:
        old = releases.move_subnet(session, turn.lease, _slot(session, turn))
        if old is not None:
            environments.rest_slot(session, old, now=turn.now)

    await turn.write(work)


def _write(session: Session, turn: Turn) -> Queued | None:
    """Begin a release, or say why there is no place; in one transaction, so that a limit holds."""
    environment, slot = turn.environment, None
    if not environment.placed:
        queued = places.ask(session, turn.lease, turn.parts.policy.admission, now=turn.now)
        if queued is not None:
            return queued
    if turn.parts.engine.capabilities.subnets and environment.slot is None:
        slot = _slot(session, turn)
    releases.begin(session, turn.lease, slot=slot, now=turn.now)
    return None


def _slot(session: Session, turn: Turn) -> int:
    policy = turn.parts.policy
    taken, last = environments.taken_slots(session, rested_since=turn.now - policy.pace.subnet_rest)
    slot = free_slot(policy.network_pool, policy.subnet_prefix, taken, after=last)
    environments.note_slot(session, slot)
    return slot


async def _announce(turn: Turn) -> None:
    """Let the main host say that the environment is on its way, before anything answers there."""
    environment, parts = turn.environment, turn.parts
    host = f"{environment.label}.{domain_of(parts.policy.base_url)}"
    now = turn.now

    def work(session: Session) -> Sequence[Route]:
        if not routes.claim(session, environment.id, {host: ""}, now=now):
            return ()
        return routes.set_routes(session, environment.id, {host: ("", RouteState.BUILDING, None)}, now=now)

    await parts.router.push(await turn.write(work))
