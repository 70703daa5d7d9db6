"""Prepare: run the hooks ``create`` (once per incarnation) and ``deploy``, beside the live release."""

from revieee.model.environment import Release
from revieee.model.phases import Outcome, Verdict
from revieee.model.resolve import ResolvedHook, ResolvedStack
from revieee.ports import ServiceState
from revieee.reconcile.output import Output
from revieee.reconcile.parts import Done, Step, Turn
from revieee.reconcile.patience import Patience
from revieee.reconcile.steps.healthy import FIRST_LOOK, LAST_LOOK, tail, until_healthy
from revieee.reconcile.steps.stack import settled
from revieee.store import releases
from revieee.store.releases import Ending


async def prepare(turn: Turn, release: Release) -> Step:
    """Start what the hooks' services depend on, then run the hooks in their order."""
    stack = settled(release)
    for kind in ("create", "deploy"):
        hook = next((one for one in stack.hooks if one.name.startswith(f"hook-{kind}-")), None)
        if hook is None or (kind == "create" and turn.environment.created_hook):
            continue
        ending = await run_hook(turn, release, stack, hook)
        if ending is not None:
            return Done(outcome=Outcome.FAILED, ending=ending)
        if kind == "create":
            await turn.write(lambda session: releases.hook_created(session, turn.lease))
    return Done(outcome=Outcome.DONE)


async def run_hook(turn: Turn, release: Release, stack: ResolvedStack, hook: ResolvedHook) -> Ending | None:
    """Run one hook to its end; gives the ending of a release whose hook failed.

    Its time counts from its start, whoever looked then: a new control plane gives it no more.
    """
    needed = {dependency.service for dependency in hook.task.requires}
    if needed:
        _, ending = await until_healthy(turn, release, stack, seconds=stack.start_timeout, only=needed)
        if ending is not None:
            return ending
    placement, pause = turn.placement(release), FIRST_LOOK
    kind = hook.name.split("-")[1]
    seen = await turn.parts.engine.run(placement, stack, hook)
    patience = Patience(turn.parts.clock, hook.hook.timeout - seen.age)
    while True:
        if seen.state is ServiceState.COMPLETED:
            await _keep_log(turn, release, hook, kind)
            return None
        words = ""
        if seen.state is ServiceState.FAILED:
            words = turn.words_of(seen) or f"it ended with exit code {seen.exit_code}"
        elif patience.over:
            words = f"it took longer than {hook.hook.timeout:.0f} s"
        if words:
            log = await _keep_log(turn, release, hook, kind)
            reason = f"The {kind} hook failed on service {hook.hook.service}: {words}."
            return Ending(verdict=Verdict.FAILED, reason=reason, log_tail=log)
        await patience.sleep(pause)
        pause = min(pause * 1.3, LAST_LOOK)
        seen = await turn.parts.engine.run(placement, stack, hook)


async def _keep_log(turn: Turn, release: Release, hook: ResolvedHook, kind: str) -> str:
    text = await tail(turn, release, hook.name)
    async with Output(turn, release, f"hook {kind}") as output:
        await output.write(text.encode())
    return text
