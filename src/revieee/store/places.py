"""Places among the environments: who waits for one, and who is next.

Rows alone decide, in one transaction, so that all processes agree. Who asks in vain is in the line from then on; who
never got so far, as its secrets cannot be read, say, is not, and holds up nobody.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from revieee.model.phases import Verdict
from revieee.model.places import Queued, place_of
from revieee.model.policy import AdmissionPolicy
from revieee.store.leases import Lease, guard
from revieee.store.schema import EnvironmentRow, MetaRow, ReleaseRow

_ALONE = "places"


def ask(session: Session, lease: Lease, admission: AdmissionPolicy, *, now: float) -> Queued | None:
    """Ask for a place: None where there is one now; else the environment waits for its turn.

    The place is taken by beginning a release in the same transaction; whoever asks next waits for its end.

    Raises:
        StaleLease: the lease is someone else's by now.
    """
    if session.get(MetaRow, _ALONE, with_for_update=True) is None:
        session.add(MetaRow(key=_ALONE, value=""))
        session.flush()  # another process that made the same row fails here, and its transaction is run again
    row = guard(session, lease)
    row.queued_at = now if row.queued_at is None else row.queued_at
    row.attempts = 0
    session.flush()
    return place_of(row.id, _waiting(session, row.id), placed(session), admission)


def wake(session: Session, *, now: float) -> None:
    """Have all that wait ask again; one that asks just now sees by the revision that its answer may be old."""
    waits = (EnvironmentRow.queued_at.is_not(None), EnvironmentRow.attempts == 0)
    again = {"due_at": now, "revision": EnvironmentRow.revision + 1}
    session.execute(update(EnvironmentRow).where(*waits).values(again))


def placed(session: Session) -> Mapping[int, int]:
    """Tell how many environments each repository has."""
    found = select(EnvironmentRow.repository_id, func.count()).where(EnvironmentRow.placed.is_(True))
    rows = session.execute(found.group_by(EnvironmentRow.repository_id)).all()
    return {repository: count for repository, count in rows}  # noqa: C416 -- rows are no pairs to mypy


def _waiting(session: Session, mine: int) -> Sequence[tuple[int, int]]:
    """Give (environment, repository) of all that would begin if they could, the longest waiting first.

    What fails, or is not to begin any more, keeps nobody waiting; what fails has its turn again when it does not.
    """
    newer = aliased(ReleaseRow)
    excluded = exists().where(
        ReleaseRow.environment_id == EnvironmentRow.id,
        ~exists().where(newer.environment_id == ReleaseRow.environment_id, newer.id > ReleaseRow.id),
        ReleaseRow.verdict == Verdict.EXCLUDED.value,
        ReleaseRow.inputs == EnvironmentRow.inputs,
    )
    idle = and_(EnvironmentRow.placed.is_(False), EnvironmentRow.attempts == 0)
    able = and_(EnvironmentRow.wanted.is_(True), idle, ~excluded)
    found = session.execute(
        select(EnvironmentRow.id, EnvironmentRow.repository_id)
        .where(EnvironmentRow.queued_at.is_not(None), or_(EnvironmentRow.id == mine, able))
        .order_by(EnvironmentRow.queued_at, EnvironmentRow.id)
    )
    return [(id_, repository) for id_, repository in found]
