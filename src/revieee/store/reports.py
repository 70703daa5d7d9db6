"""Reports: what the forge has been told, and what it has still to be told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import CursorResult, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from revieee.ports import PortError, Posted
from revieee.store.codec import POSTED
from revieee.store.schema import EnvironmentRow, ReportRow


class NotOurs(PortError):
    """Another process tells it now: nothing more is to be told or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An environment that changed since it was last reported."""

    environment: int
    version: int
    digest: str
    posted: Posted
    attempts: int


def claim(session: Session, owner: str, *, now: float, until: float, limit: int = 50) -> Sequence[Pending]:
    """Give environments whose report is behind and due, and keep other processes off them until ``until``."""
    found = session.execute(_PENDING.limit(limit), {"now": now}).all()
    claimed = [id_ for id_, fresh in found if _claimed(session, id_, owner, fresh=fresh, now=now, until=until)]
    if not claimed:
        return []
    # Read only now: another process may have told one since it was found, and what it posted is to be known.
    rows = session.execute(
        select(EnvironmentRow.version, ReportRow)
        .join(ReportRow, ReportRow.environment_id == EnvironmentRow.id)
        .where(EnvironmentRow.id.in_(claimed))
    )
    pending = {row.environment_id: _of(version, row) for version, row in rows}
    return [pending[id_] for id_ in claimed]


def _claimed(session: Session, environment: int, owner: str, *, fresh: bool, now: float, until: float) -> bool:
    """Put a report off for all others; False where another process did so first."""
    if fresh:
        row = ReportRow(environment_id=environment, version=0, digest="", posted="{}", due_at=until, attempts=0)
        row.problem, row.owner = "", owner
        session.add(row)  # never looked for: a row that another process made since would be found, and taken from it
        session.flush()  # where there is one by now this fails, and the transaction is run again
        return True
    done = session.execute(
        update(ReportRow)
        .where(ReportRow.environment_id == environment, ReportRow.due_at <= now)
        .values(due_at=until, owner=owner)
    )
    return isinstance(done, CursorResult) and done.rowcount == 1


# Made once: to write it down takes longer than to run it.
_PENDING = (
    select(EnvironmentRow.id, ReportRow.environment_id.is_(None))
    .outerjoin(ReportRow, ReportRow.environment_id == EnvironmentRow.id)
    .where(or_(ReportRow.environment_id.is_(None), ReportRow.version < EnvironmentRow.version))
    .where(or_(ReportRow.environment_id.is_(None), ReportRow.due_at <= bindparam("now")))
    .order_by(func.coalesce(ReportRow.due_at, 0.0), EnvironmentRow.id)  # new ones first, also on PostgreSQL
)


def _of(version: int, row: ReportRow) -> Pending:
    return Pending(
        environment=row.environment_id,
        version=version,
        digest=row.digest,
        posted=POSTED.validate_json(row.posted),
        attempts=row.attempts,
    )


def begin(session: Session, environment_id: int, owner: str, *, posted: Posted) -> None:
    """Note, before the forge is told, that what was last told holds no longer: a crash may come between.

    Raises:
        NotOurs: another process tells it by now.
    """
    row = _mine(session, environment_id, owner)
    row.digest, row.posted = "", POSTED.dump_json(posted).decode()


def free_claims(session: Session, is_dead: Callable[[str], bool], *, now: float) -> None:
    """Make due at once what processes that ended had claimed; what was put off for a reason stays put off."""
    claimed = select(ReportRow).where(ReportRow.due_at > now, ReportRow.owner != "").with_for_update()
    for row in session.scalars(claimed):
        if is_dead(row.owner):
            row.due_at, row.owner = now, ""


def told(session: Session, environment_id: int, owner: str, *, version: int, digest: str, posted: Posted) -> None:
    """Note that the forge has been told of an environment's version.

    Raises:
        NotOurs: another process tells it by now.
    """
    row = _mine(session, environment_id, owner)
    row.version, row.digest, row.posted = version, digest, POSTED.dump_json(posted).decode()
    row.attempts, row.problem, row.due_at, row.owner = 0, "", 0.0, ""


def put_off(
    session: Session, environment_id: int, owner: str, problem: str, *, until: float, posted: Posted | None = None
) -> None:
    """Note that a report did not get through, when to try again, and what of it got through all the same.

    Raises:
        NotOurs: another process tells it by now.
    """
    row = _mine(session, environment_id, owner)
    if posted is not None:
        row.posted = POSTED.dump_json(posted).decode()
    row.attempts += 1
    row.problem, row.due_at, row.owner = problem, until, ""


def problems(session: Session) -> Sequence[tuple[int, str]]:
    """Give (environment id, words) of reports that do not get through at the moment."""
    return [
        (row.environment_id, row.problem) for row in session.scalars(select(ReportRow).where(ReportRow.problem != ""))
    ]


def _mine(session: Session, environment_id: int, owner: str) -> ReportRow:
    row = session.get(ReportRow, environment_id, with_for_update=True)
    if row is None or row.owner != owner:
        raise NotOurs(f"another process reports environment {environment_id}")
    return row
