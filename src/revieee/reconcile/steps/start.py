"""Start: what is new starts beside what is there, until all of it is healthy."""

from dataclasses import replace

from sqlalchemy.orm import Session

from revieee.model.environment import Release
from revieee.model.phases import Outcome
from revieee.ports import ServiceState
from revieee.reconcile.parts import Done, Step, Turn
from revieee.reconcile.steps.healthy import until_healthy
from revieee.reconcile.steps.stack import settled
from revieee.store import releases


async def start(turn: Turn, release: Release) -> Step:
    """Apply the release's stack until every service is healthy, or its start timeout is over."""
    stack = settled(release)
    if release.hook_names:
        # Only now, when their outcome is written down, may the containers that tell it go.
        await turn.parts.engine.remove(turn.placement(release), release.hook_names, grace=0)
    # From now on: while nobody looked, nothing may have been started.
    seen, ending = await until_healthy(turn, release, stack, seconds=stack.start_timeout)
    if ending is not None:
        return Done(outcome=Outcome.FAILED, ending=ending)
    endpoints = tuple(
        (task.service.name, endpoint)
        for task in stack.tasks
        if task.port is not None and (endpoint := seen[task.key].endpoint) is not None
    )
    completed = tuple(key for key, one in seen.items() if one.state is ServiceState.COMPLETED)

    def work(session: Session) -> None:
        releases.keep_endpoints(session, turn.lease, release.id, endpoints)
        if completed:
            releases.keep_stack(session, turn.lease, release.id, replace(stack, completed=completed))

    await turn.write(work)
    return Done(outcome=Outcome.DONE)
