"""Routing: an environment's hosts as rows first, then pushed to the router and acknowledged."""

from collections.abc import Mapping

from revieee.model.environment import Release
from revieee.model.route import Endpoint, RouteState
from revieee.reconcile.parts import Turn, domain_of, hostnames
from revieee.store import routes


async def set_routes(turn: Turn, release: Release, states: Mapping[str, RouteState] | None = None) -> None:
    """Lead the release's hosts to its endpoints.

    Args:
        turn: under a lease.
        release: whose manifest names the hosts; its endpoints are known.
        states: by service, where it is not ``up``.
    """
    endpoints, states = dict(release.endpoints), states or {}
    wanted = {}
    for hostname, service in hostnames(turn.parts.policy.base_url, release).items():
        endpoint = endpoints.get(service)
        state = states.get(service, RouteState.UP if endpoint else RouteState.BUILDING)
        wanted[hostname] = (service, state, endpoint)
    await _push(turn, wanted)


async def show(turn: Turn, state: RouteState) -> None:
    """Let the environment's main host answer with a page, as nothing runs there."""
    hosts = dict(turn.hosts) or {f"{turn.environment.label}.{domain_of(turn.parts.policy.base_url)}": ""}
    await _push(turn, {hostname: (service, state, None) for hostname, service in hosts.items()})


async def forget(turn: Turn) -> None:
    """Make the router forget all hosts of the environment."""
    await _push(turn, {})


async def _push(turn: Turn, wanted: Mapping[str, tuple[str, RouteState, Endpoint | None]]) -> None:
    environment, now = turn.environment.id, turn.now
    changed = await turn.write(lambda session: routes.set_routes(session, environment, wanted, now=now))
    await turn.parts.router.push(changed)
