"""Replace: services that write a volume of their own cannot run twice; the old one is held and stopped first."""

from revieee.model.environment import Environment, Release
from revieee.model.phases import Outcome
from revieee.model.resolve import ResolvedStack, Task
from revieee.model.route import Endpoint, RouteState
from revieee.reconcile.parts import Done, Step, Turn
from revieee.reconcile.patience import Patience
from revieee.reconcile.steps.routing import set_routes

HELD_REQUESTS = 5.0
"""Seconds that requests under way get to finish before a held service is stopped."""


async def replace(turn: Turn, release: Release) -> Step:
    """Hold the routes of what is replaced in place and stop it, keeping the live one's for the way back."""
    live = turn.environment.live
    for other, old in in_place(turn.environment, release):
        if live is not None and other.id == live.id:
            await _hold(turn, live, old)
        if other.stack is not None:
            await turn.parts.engine.stop(turn.placement(other), other.stack, old)
    return Done(outcome=Outcome.DONE)


async def _hold(turn: Turn, live: Release, old: frozenset[str]) -> None:
    """Let new requests to what is stopped, and to what needs it, wait; those under way get a little time."""
    tasks = live.stack.tasks if live.stack else ()
    held = frozenset(task.service.name for task in tasks if task.key in old or needs(task) & old)
    await set_routes(turn, live, dict.fromkeys(held, RouteState.HOLD))
    await _finish_requests(turn, {endpoint for service, endpoint in live.endpoints if service in held})


def in_place(environment: Environment, release: Release) -> tuple[tuple[Release, frozenset[str]], ...]:
    """Give the tasks, by release, that must end before the new release's may begin: also what only drains writes."""
    found = tuple(
        (other, clashing(other.stack, release.stack))
        for other in environment.releases
        if other.id != release.id and other.ended_at is None and other.stack and release.stack
    )
    return tuple((other, keys) for other, keys in found if keys)


def clashing(old: ResolvedStack, new: ResolvedStack) -> frozenset[str]:
    """Give the keys of the old stack's tasks that write a volume which a task of only the new one writes."""
    shared = _written(new, without=old.keys)
    return frozenset(task.key for task in old.tasks if task.key not in new.keys and _volumes(task) & shared)


def _written(stack: ResolvedStack, *, without: frozenset[str]) -> frozenset[str]:
    return frozenset(volume for task in stack.tasks if task.key not in without for volume in _volumes(task))


def _volumes(task: Task) -> frozenset[str]:
    return frozenset(mount.volume for mount in task.service.volumes if not mount.read_only)


def needs(task: Task) -> frozenset[str]:
    """Give the keys of what a task depends on, directly or not."""
    return frozenset(key for _, key in task.peers)


async def _finish_requests(turn: Turn, endpoints: set[Endpoint]) -> None:
    """Wait a little for requests under way; new ones are held already."""
    patience = Patience(turn.parts.clock, HELD_REQUESTS)
    while not patience.over:
        open_requests = await turn.parts.router.open_requests()
        if not any(open_requests.get(endpoint) for endpoint in endpoints):
            return
        await patience.sleep(0.1)
