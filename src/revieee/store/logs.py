"""Logs: output in chunks, never a row per line."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from revieee.store.schema import LogRow


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of output of one stage of a release (``build web``, ``hook create``)."""

    id: int
    stage: str
    data: bytes


def append(session: Session, release_id: int, stage: str, data: bytes, *, now: float) -> None:
    """Add a chunk."""
    session.add(LogRow(release_id=release_id, stage=stage, at=now, data=data))


def read(session: Session, release_id: int, *, after: int = 0, limit: int = 500) -> Sequence[Chunk]:
    """Give chunks of a release in the order they came, from the one after ``after``."""
    rows = session.scalars(
        select(LogRow).where(LogRow.release_id == release_id, LogRow.id > after).order_by(LogRow.id).limit(limit)
    )
    return [Chunk(row.id, row.stage, row.data) for row in rows]


def size(session: Session, release_id: int) -> int:
    """Tell how many bytes a release's log has."""
    return int(session.scalar(select(func.sum(func.length(LogRow.data))).where(LogRow.release_id == release_id)) or 0)


def forget(session: Session, *, before: float) -> None:
    """Drop chunks written before that time."""
    session.execute(delete(LogRow).where(LogRow.at < before))
