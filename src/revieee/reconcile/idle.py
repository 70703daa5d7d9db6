"""Idle: what nobody pushed to, deployed or visited for long is put away until somebody does."""

import logging
from functools import partial

from revieee.reconcile.parts import Parts
from revieee.store import environments, wishes

log = logging.getLogger(__name__)

NOTE_VISITS = 3_600.0
"""Seconds between two times that visits are written down: the most that is forgotten of them."""
_DAY = 86_400.0


async def note_visits(parts: Parts) -> None:
    """Write down now and then what the router knows of visits: when it is started anew, it knows of none.

    Raises:
        RetryLater: store or router do not answer.
    """
    now = parts.clock.now()
    if now < parts.visits.noted_at + NOTE_VISITS:
        return
    seen = await parts.router.last_seen()
    await parts.database.run(lambda session: environments.note_visits(session, seen))
    parts.visits.noted_at = now


async def put_away(parts: Parts) -> None:
    """Ask for the removal of every environment that is older than the policy allows; a visit counts like a push.

    Raises:
        RetryLater: store or router do not answer.
    """
    now, age = parts.clock.now(), parts.policy.pace.environment_age
    since = now - age
    if not age or not (candidates := await parts.database.read(partial(environments.idle, since=since))):
        return
    seen = await parts.router.last_seen()
    reason = (
        f"Nobody pushed to it or visited it for {age / _DAY:g} days. A new push, or `revieee deploy`, brings it back."
    )
    for id_, hosts in candidates.items():
        if any(seen.get(host, 0.0) >= since for host in hosts):
            continue
        work = partial(wishes.put_away, environment_id=id_, reason=reason, idle_since=since, now=now)
        if await parts.database.run(work):
            log.info("environment %d is put away: idle for %g days", id_, age / _DAY)
            parts.bell.hint(id_)
