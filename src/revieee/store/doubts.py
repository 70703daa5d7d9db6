"""Doubts: a delivery that says that a repository is gone, or back, may be older than what is known."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from revieee.model.facts import RepositoryFacts
from revieee.store import wishes
from revieee.store.codec import REPOSITORY
from revieee.store.schema import RepositoryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Whether a repository is still there."""

    repository: RepositoryFacts
    reason: str
    """Why it may be gone, for people."""
    since: float
    """When it was last heard of (Unix time, seconds)."""


def note(session: Session, repository_id: int, reason: str, *, now: float) -> None:
    """Note that a delivery says that a repository is gone; one that nobody knows, or that was removed, stays so."""
    row = session.get(RepositoryRow, repository_id, with_for_update=True)
    if row is not None and row.removed_at is None:
        row.doubted_at, row.doubt = now, reason


def waiting(session: Session, *, until: float) -> Sequence[Doubt]:
    """Give the doubts that are that old."""
    rows = session.scalars(select(RepositoryRow).where(RepositoryRow.doubted_at <= until).order_by(RepositoryRow.id))
    return [
        Doubt(repository=REPOSITORY.validate_json(row.facts), reason=row.doubt or "", since=row.doubted_at)
        for row in rows
        if row.doubted_at is not None
    ]


def settle(session: Session, doubt: Doubt, found: RepositoryFacts | None, *, now: float) -> bool:
    """Write down what the forge said; False where a delivery came meanwhile: its answer may be too old for that one.

    Args:
        session: of the store.
        doubt: as it was before the forge was asked.
        found: the repository as it is, or None where it is gone.
        now: Unix time, seconds.
    """
    row = session.get(RepositoryRow, doubt.repository.id, with_for_update=True)
    if row is None or row.doubted_at != doubt.since:
        return False
    row.doubted_at = row.doubt = None
    if found is None:
        wishes.remove_repository(session, row.id, doubt.reason, now=now)
    else:
        wishes.record_repository(session, found, now=now, settled=True)
    return True
