"""Keep: nothing is to change; see that what should run runs, and that nothing else does."""

from revieee.model.phases import Verdict
from revieee.ports import Refused, ServiceState
from revieee.reconcile.parts import Step, Turn, Wait
from revieee.reconcile.steps.routing import set_routes
from revieee.reconcile.steps.stack import named
from revieee.store import releases, wishes

_GOOD = frozenset({ServiceState.HEALTHY, ServiceState.COMPLETED})
_IS = {ServiceState.FAILED: "does not run", ServiceState.UNHEALTHY: "is not healthy"}


async def keep(turn: Turn) -> Step:
    """Heal the live release: what is missing is made again, what nobody names is removed."""
    environment, parts = turn.environment, turn.parts
    live = environment.live
    if live is None or live.stack is None:
        return Wait(seconds=float("inf"))
    placement = turn.placement(live)
    extras = parts.extras.pop(environment.id, frozenset()) - named(environment)
    if extras:
        await parts.engine.remove(placement, extras)
    await parts.engine.prepare(placement)
    try:
        seen = await parts.engine.apply(placement, live.stack)
    except Refused:
        if environment.newest is not None and environment.newest.verdict is Verdict.FAILED:
            raise  # a release that would mend it failed already
        # Something that the live release needs is gone for good, its image mostly: a new release builds it.
        await turn.write(lambda session: wishes.ask_again(session, turn.lease))
        return None
    bad = [one for one in seen.values() if one.state not in _GOOD]
    if not bad:
        await set_routes(turn, live)
        if environment.attempts or environment.waiting_for:
            await turn.write(lambda session: releases.recovered(session, turn.lease))
        return Wait(seconds=float("inf"), words="")
    failed = [one for one in bad if one.state is ServiceState.FAILED]
    words = "; ".join(
        f"service {live.stack.task(one.key).service.name} {_IS[one.state]}: {turn.words_of(one) or one.state}"
        for one in bad
        if one.state in _IS
    )
    if failed:
        # Stopped by us, the next apply starts it again as it was; a crash loop backs off.
        await parts.engine.stop(placement, live.stack, [one.key for one in failed])
        wait = parts.policy.pace.backoff(environment.attempts - 1) if environment.attempts else 0.2
        return Wait(seconds=wait, words=words, failed=True)
    starting = any(one.state in {ServiceState.STARTING, ServiceState.WAITING} for one in bad)
    if starting or not environment.attempts:  # what is not healthy may be about to be: told at the second look
        return Wait(seconds=1.0, failed=not starting)
    return Wait(seconds=parts.policy.pace.tick, words=words, failed=True)
