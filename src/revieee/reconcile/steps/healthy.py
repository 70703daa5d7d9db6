"""Healthy: take a stack's tasks to where they should be, and say what is wrong where they do not get there."""

from collections.abc import Collection, Mapping

from revieee.model.environment import Release
from revieee.model.masking import SURPLUS_LINES
from revieee.model.phases import Verdict
from revieee.model.resolve import ResolvedStack
from revieee.ports import Observed, ServiceState
from revieee.reconcile.parts import Turn
from revieee.reconcile.patience import Patience
from revieee.store.releases import Ending

FIRST_LOOK = 0.05
LAST_LOOK = 1.0
LOG_LINES = 50
_LOG_BYTES = 20_000
_READ_BYTES = 256 * 1024

GOOD = frozenset({ServiceState.HEALTHY, ServiceState.COMPLETED})


async def until_healthy(
    turn: Turn, release: Release, stack: ResolvedStack, *, seconds: float, only: Collection[str] | None = None
) -> tuple[Mapping[str, Observed], Ending | None]:
    """Apply a stack again and again until all of it is healthy, something failed, or the time is over.

    Args:
        turn: under a lease.
        release: whose stack it is.
        stack: what is to run.
        seconds: how long it may take.
        only: keys to restrict it to.

    Returns:
        How the tasks are, and the ending of a release that cannot go live.
    """
    placement, pause, patience = turn.placement(release), FIRST_LOOK, Patience(turn.parts.clock, seconds)
    while True:
        seen = await turn.parts.engine.apply(placement, stack, only=only)
        if all(one.state in GOOD for one in seen.values()):
            return seen, None
        failed = [one for one in seen.values() if one.state is ServiceState.FAILED]
        if failed:
            return seen, await _ending(turn, release, stack, failed, "does not run")
        if patience.over:
            late = [one for one in seen.values() if one.state not in GOOD]
            blamed = [one for one in late if one.state is not ServiceState.WAITING] or late
            return seen, await _ending(turn, release, stack, blamed, "was not healthy in time")
        await patience.sleep(pause)
        pause = min(pause * 1.3, LAST_LOOK)


async def _ending(
    turn: Turn, release: Release, stack: ResolvedStack, blamed: Collection[Observed], what: str
) -> Ending:
    """Say which services are to blame, with the last lines of the first one's log."""
    words = []
    for one in blamed:
        service, said = stack.task(one.key).service.name, turn.words_of(one)
        words.append(f"Service {service} {what}{f': {said}' if said else ''}.")
    first = next(iter(blamed))
    return Ending(verdict=Verdict.FAILED, reason="\n".join(words), log_tail=await tail(turn, release, first.key))


async def tail(turn: Turn, release: Release, key: str) -> str:
    """Give the last lines of a task's or hook's output, masked.

    More is read than is given: a secret whose beginning is cut off may not be known for one.
    """
    data = bytearray()
    async for piece in turn.parts.engine.logs(turn.placement(release), key, tail=LOG_LINES + SURPLUS_LINES):
        data += piece
        if len(data) > 2 * _READ_BYTES:
            del data[:-_READ_BYTES]
    shown = turn.masked(bytes(data[-_READ_BYTES:]).decode(errors="replace"))
    return "\n".join(shown[-_LOG_BYTES:].split("\n")[-LOG_LINES - 1 :])  # the last one ends in nothing
