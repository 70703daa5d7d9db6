"""Setback: the clock on the wall may be set back, and what waits for a moment does not wait the longer for it."""

import logging

from revieee.reconcile.parts import Parts
from revieee.store import setback

log = logging.getLogger(__name__)


async def notice(parts: Parts) -> None:
    """Move the moments that were written down before the clock was set back, in the rows and in this process.

    How long something takes that is under way is measured otherwise (:mod:`revieee.reconcile.patience`).

    Raises:
        RetryLater: the store does not answer.
    """
    now, room, visits = parts.clock.now(), parts.room, parts.visits
    room.cleaned_at, room.walked_at = min(room.cleaned_at, now), min(room.walked_at, now)
    visits.noted_at = min(visits.noted_at, now)
    back = await parts.database.run(lambda session: setback.note(session, parts.clock.now))
    if back:
        log.warning("the clock was set back by %.0f s: what waits is moved by as much", back)
        parts.bell.hint()
