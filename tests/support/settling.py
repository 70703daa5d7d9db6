"""Waiting, in time that jumps, until nothing more happens."""

import asyncio

from sqlalchemy import func, or_, select

from revieee.store.schema import EnvironmentRow, ReportRow
from support.mortal import Fate
from support.outside import Outside, Process, commit, files, pull_request

PATIENCE = 900.0
QUIET = 18.0
"""Seconds without anything to do after which it is calm: longer than a lease of a dead one and a tick."""
_LOOK = 3.0


async def calm(around: Outside) -> bool:
    """Return when nothing was due for a while; False when that never comes."""
    until = around.loop.time() + PATIENCE
    quiet = 0.0
    while quiet < QUIET and around.loop.time() < until:
        await asyncio.sleep(_LOOK)
        quiet = 0.0 if _busy(around) else quiet + _LOOK
    return quiet >= QUIET


async def first_live(around: Outside, fate: Fate | None = None) -> Process:
    """Open pull request 1 and wait until it is live; gives the process that made it so."""
    around.source.commits[commit(1)] = files(1)
    around.hear(pull_request())
    process = Process(around, fate)
    process.start()
    assert await calm(around)
    return process


_DUE = (
    select(func.count())
    .select_from(EnvironmentRow)
    .where(or_(EnvironmentRow.due_at.is_not(None), EnvironmentRow.lease_until.is_not(None)))
)
_UNTOLD = (
    select(func.count())
    .select_from(EnvironmentRow)
    .outerjoin(ReportRow, ReportRow.environment_id == EnvironmentRow.id)
    .where(or_(ReportRow.environment_id.is_(None), ReportRow.version < EnvironmentRow.version))
)


def _busy(around: Outside) -> bool:
    return bool(around.database.run_here(lambda session: session.scalar(_DUE) or session.scalar(_UNTOLD)))
