"""Retrying: an act that failed is tried again when its time has come, though the live release wakes its turn sooner.

What is live and lost makes its environment due with every tick; a forge that said "in an hour" is not asked then.
"""

import asyncio

from revieee.model.lifecycle import Act
from revieee.reconcile.parts import Turn, Wait
from revieee.reconcile.remembered import Retry

_PATIENT = frozenset({Act.BEGIN, Act.FETCH, Act.BUILD})
"""What the live release does not wait for: from a replacement on, some of it may be stopped for the newer one."""


def note_failure(turn: Turn, act: Act, wait: Wait) -> None:
    """Remember when an act is tried again; a wish that comes meanwhile makes that void."""
    turn.remembered.retry = Retry(
        act=act,
        revision=turn.environment.revision,
        loop=asyncio.get_running_loop().time() + wait.seconds,
        unix=turn.now + wait.seconds,
    )


def too_early(turn: Turn, act: Act) -> Wait | None:
    """Give what is left of the wait of an act that failed, where the turn was woken for the live release; or None."""
    retry, environment = turn.remembered.retry, turn.environment
    if retry is None or environment.live is None or act not in _PATIENT:
        return None
    left = retry.left(act, environment.revision, loop=asyncio.get_running_loop().time(), unix=turn.now)
    return Wait(seconds=left) if left else None
