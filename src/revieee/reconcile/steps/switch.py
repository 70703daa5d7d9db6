"""Switch: the routes move to the new release, acknowledged, then it is the live one."""

from revieee.model.environment import Release
from revieee.reconcile.parts import Step, Turn
from revieee.reconcile.steps.routing import set_routes
from revieee.store import releases


async def switch(turn: Turn, release: Release) -> Step:
    """Push the routes, then write down: new live, old draining. A crash between resumes at the push."""
    await set_routes(turn, release)
    await turn.write(lambda session: releases.go_live(session, turn.lease, release.id, now=turn.now))
    return None
