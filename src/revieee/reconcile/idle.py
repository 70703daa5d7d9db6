"""Idle: what nobody pushed to, deployed or visited for long is put away until somebody does."""

import logging
from functools import partial

from revieee.reconcile.parts import Parts
from revieee.store import environments, wishes

log = logging.getLogger(__name__)

_DAY = 86_400.0


async def put_away(parts: Parts) -> None:
    """Ask for the removal of every environment that is older than the policy allows.

    A visit counts like a push as long as nginx remembers it, which is until it is started anew.

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
