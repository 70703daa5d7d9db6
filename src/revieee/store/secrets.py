"""Secrets of repositories, sealed: only :mod:`revieee.store.vault` can read them."""

import secrets as random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from revieee.model.names import repository_name
from revieee.model.secrets import MOST_IN_ALL
from revieee.ports import Refused
from revieee.store.schema import EnvironmentRow, RepositoryRow, SecretRow

_TOKEN_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One secret as it is stored."""

    repository: int
    name: str
    data: bytes
    token: str
    """Another one each time it is set."""
    changed_at: float
    """Unix seconds."""
    retired: bool
    """Whether it was replaced or taken away; kept for a while so that what still runs with it can be masked."""


def repository(session: Session, name: str) -> int:
    """Find a repository by its name.

    Raises:
        BadName: that is no name of a repository.
        Refused: there is none.
    """
    wanted = repository_name(name).lower()
    found = session.scalar(
        select(RepositoryRow.id).where(func.lower(RepositoryRow.name) == wanted, RepositoryRow.removed_at.is_(None))
    )
    if found is None:
        raise Refused(
            f"Revieee does not know {name} yet: it does once GitHub told it of one pull request there. "
            "Open one, or check the webhook and REVIEEE_REPOSITORIES."
        )
    return found


def sealed(session: Session, repository_id: int) -> Sequence[Sealed]:
    """Give the secrets of a repository by name, those that were replaced included."""
    rows = session.scalars(
        select(SecretRow).where(SecretRow.repository_id == repository_id).order_by(SecretRow.name, SecretRow.id)
    )
    return [_value(row) for row in rows]


def put(session: Session, repository_id: int, name: str, data: bytes, *, now: float) -> None:
    """Set a secret.

    Raises:
        Refused: the repository has too many.
    """
    # Of two who set one at once, on two hosts even, the second sees what the first one set.
    session.get(RepositoryRow, repository_id, with_for_update=True)
    take_away(session, repository_id, name, now=now)
    if sum(not one.retired for one in sealed(session, repository_id)) >= MOST_IN_ALL:
        raise Refused(f"The repository has {MOST_IN_ALL} secrets, the most there may be. Take one away first.")
    token = random.token_hex(_TOKEN_BYTES)
    session.add(SecretRow(repository_id=repository_id, name=name, data=data, token=token, changed_at=now))


def take_away(session: Session, repository_id: int, name: str, *, now: float) -> bool:
    """Retire a secret; gives whether there was one."""
    of_it = (SecretRow.repository_id == repository_id, SecretRow.name == name, SecretRow.retired_at.is_(None))
    rows = session.scalars(select(SecretRow).where(*of_it)).all()
    for row in rows:
        row.retired_at = now
    session.flush()
    return bool(rows)


def seal_again(session: Session, again: Callable[[bytes], bytes]) -> int:
    """Change how every secret is sealed; gives how many there are."""
    rows = session.scalars(select(SecretRow).order_by(SecretRow.id).with_for_update()).all()
    for row in rows:
        row.data = again(row.data)
    return len(rows)


def any_(session: Session) -> bool:
    """Tell whether there is one."""
    return session.scalar(select(SecretRow.id).limit(1)) is not None


def forget(session: Session, *, before: float) -> None:
    """Drop those that were retired before that time, and those of repositories removed before then and all gone."""
    placed = select(EnvironmentRow.repository_id).where(EnvironmentRow.placed.is_(True))
    gone = select(RepositoryRow.id).where(RepositoryRow.removed_at < before, RepositoryRow.id.not_in(placed))
    session.execute(delete(SecretRow).where(or_(SecretRow.retired_at < before, SecretRow.repository_id.in_(gone))))


def _value(row: SecretRow) -> Sealed:
    return Sealed(
        repository=row.repository_id,
        name=row.name,
        data=row.data,
        token=row.token,
        changed_at=row.changed_at,
        retired=row.retired_at is not None,
    )
