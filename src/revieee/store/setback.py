"""A clock that was set back: the moments that rows wait for are moved by as much."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from revieee.store.schema import DeliveryRow, EnvironmentRow, MetaRow, ReleaseRow, ReportRow, RepositoryRow, SubnetRow

_CLOCK = "clock"
_SLACK = 2.0
"""Seconds by which the clocks of two hosts on one database may differ, and neither was set back."""

_MOMENTS: tuple[tuple[InstrumentedAttribute[float] | InstrumentedAttribute[float | None], ColumnElement[bool]], ...] = (
    (EnvironmentRow.due_at, true()),
    (EnvironmentRow.ask_at, true()),
    (EnvironmentRow.crashed_at, true()),
    (EnvironmentRow.queued_at, true()),
    (ReleaseRow.phase_since, true()),
    (SubnetRow.freed_at, true()),
    (RepositoryRow.doubted_at, true()),
    (DeliveryRow.received_at, DeliveryRow.handled_at.is_(None)),
    (ReportRow.due_at, ReportRow.owner == ""),
)
"""What is waited for, or until when counts from it. Not leases, nor claims of reports: whoever has one keeps it up, and
those of the dead are given back."""


def note(session: Session, clock: Callable[[], float]) -> float:
    """Write down what time it is, and move what is waited for where that is earlier than it was.

    Of several processes one moves it. The clock is read while no other may write: a process that was stopped in between
    would take its own old reading for a clock that was set back.

    Args:
        session: of the store.
        clock: gives Unix time, seconds.

    Returns:
        By how many seconds the clock was set back since somebody last looked, at least; 0 where it was not.
    """
    row = session.get(MetaRow, _CLOCK, with_for_update=True)
    now = clock()
    if row is None:
        session.add(MetaRow(key=_CLOCK, value=str(now)))
        return 0.0
    back = float(row.value) - now
    if 0 < back < _SLACK:
        return 0.0
    row.value = str(now)
    if back <= 0:
        return 0.0
    for moment, only in _MOMENTS:
        session.execute(update(moment.class_).where(moment > now, only).values({moment: moment - back}))
    return back
