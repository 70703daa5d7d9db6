"""Beats: a count that goes up with each tick. A database whose count is behind came from a backup."""

from collections.abc import Mapping

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from revieee.model.phases import Phase, Verdict
from revieee.store.counting import next_number
from revieee.store.schema import EnvironmentRow, MetaRow, ReleaseRow

_BEAT = "beat"
_FIRST = "first_incarnation"


def count(session: Session) -> int:
    """Count one more and give the number."""
    return next_number(session, _BEAT)


def last(session: Session) -> int:
    """Give the number of the last one; 0 where there was none."""
    row = session.get(MetaRow, _BEAT)
    return int(row.value) if row else 0


def first_incarnation(session: Session) -> int:
    """Give the incarnation with which an environment begins that nobody heard of before.

    After a restore it is one that nothing on the engine can be of, also not what could not be removed then.
    """
    row = session.get(MetaRow, _FIRST)
    return int(row.value) if row else 1


def begin_anew(session: Session, there: Mapping[int, int], *, beat: int, now: float) -> None:
    """Have every environment of a restored database removed; what is wanted begins anew.

    Once: where another process did so before, what is there has begun since then.

    Args:
        session: of the store.
        there: the latest incarnation that the engine had anything of, by environment.
        beat: the number from which to count on; where that is done, nothing more is.
        now: Unix time, seconds.
    """
    known = session.get(MetaRow, _BEAT, with_for_update=True)
    if known is not None and int(known.value) >= beat:
        return
    session.merge(MetaRow(key=_BEAT, value=str(beat)))
    first = max([first_incarnation(session), *(incarnation + 1 for incarnation in there.values())])
    session.merge(MetaRow(key=_FIRST, value=str(first)))
    # No ``destroy`` hook: what it would say goodbye to is not what is there.
    session.execute(
        update(ReleaseRow)
        .where(ReleaseRow.phase != Phase.ENDED.value)
        .values(phase=Phase.ENDED.value, phase_since=now, ended_at=now, verdict=Verdict.REMOVED.value)
    )
    rows = session.scalars(
        select(EnvironmentRow)
        .where(or_(EnvironmentRow.placed.is_(True), EnvironmentRow.id.in_(there)))
        .order_by(EnvironmentRow.id)
        .with_for_update()  # no token is given out twice
    )
    for row in rows:
        row.incarnation = max(row.incarnation, there.get(row.id, 0))
        row.placed, row.removing_since, row.due_at = True, now, now
        row.lease_owner, row.lease_until, row.lease_token = None, None, row.lease_token + 1
        row.version += 1
