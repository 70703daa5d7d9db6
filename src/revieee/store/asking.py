"""Asking: whom the forge is to be asked about, and the environments that comments speak of."""

from collections.abc import Sequence

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from revieee.model.environment import Environment
from revieee.store.reading import environment_of, environments_of
from revieee.store.schema import EnvironmentRow


def claim(session: Session, *, now: float, until: float, limit: int = 50) -> Sequence[Environment]:
    """Give environments whose author is to be asked about, and keep other processes off them until ``until``."""
    due = select(EnvironmentRow.id).where(EnvironmentRow.ask_at <= now).order_by(EnvironmentRow.ask_at).limit(limit)
    ids = [id_ for id_ in session.scalars(due).all() if _put_off(session, id_, now=now, until=until)]
    # Read only now: the question of a push that came in between is put off with the older one, so it is the one to ask.
    rows = {row.id: row for row in session.scalars(select(EnvironmentRow).where(EnvironmentRow.id.in_(ids)))}
    return environments_of(session, [rows[id_] for id_ in ids])


def put_off(session: Session, environment_id: int, *, until: float) -> None:
    """Ask later; nothing where the question is settled meanwhile."""
    session.execute(
        update(EnvironmentRow)
        .where(EnvironmentRow.id == environment_id, EnvironmentRow.ask_at.is_not(None))
        .values(ask_at=until)
    )


def find(session: Session, repository_id: int, number: int) -> Environment | None:
    """Give the environment of a repository's pull request."""
    row = session.scalar(
        select(EnvironmentRow).where(EnvironmentRow.repository_id == repository_id, EnvironmentRow.number == number)
    )
    return None if row is None else environment_of(session, row)


def _put_off(session: Session, environment_id: int, *, now: float, until: float) -> bool:
    done = session.execute(
        update(EnvironmentRow)
        .where(EnvironmentRow.id == environment_id, EnvironmentRow.ask_at <= now)
        .values(ask_at=until)
        .execution_options(synchronize_session=False)
    )
    return isinstance(done, CursorResult) and done.rowcount == 1
