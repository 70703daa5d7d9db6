"""Crashes of what is live: counted in its row, and each followed by a longer pause, whoever looks after it."""

import logging

from revieee.model.crashes import Crashes
from revieee.reconcile.parts import Turn
from revieee.store import releases

log = logging.getLogger(__name__)


async def pause_left(turn: Turn, crashes: Crashes) -> float:
    """Give for how many seconds what ended is left as it is.

    Not for any where the engine was restarted since: it ended what was well, too, and that is not to wait.
    """
    left = crashes.pause_left(turn.parts.policy.pace, now=turn.now)
    if left <= 0:
        return 0.0
    started = await turn.parts.engine.started()
    return 0.0 if started is not None and started > crashes.last else left


async def another(turn: Turn, words: str) -> Crashes:
    """Count one more of the live release, of which ``words`` tell; gives all that count."""
    pace, now, live = turn.parts.policy.pace, turn.now, turn.environment.live
    if live is None:
        return turn.environment.crashes
    crashes = await turn.write(lambda session: releases.crashed(session, turn.lease, live.id, pace, now=now))
    log.warning("%s: crash %d: %s", turn.environment.name, crashes.count, turn.masked(words))
    return crashes
