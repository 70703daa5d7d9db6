"""The inbox: deliveries, stored before they are answered and handled after."""

import zlib
from collections.abc import Sequence
from itertools import accumulate

from sqlalchemy import CursorResult, delete, func, insert, select, update
from sqlalchemy.orm import Session

from revieee.model.delivery import Delivery
from revieee.store.schema import DeliveryRow

COMMENTS = "issue_comment"
"""The event of comments. They are handled apart: a command's answer may wait for the forge."""
_OUTCOME_LENGTH = 1000
_BATCH_BYTES = 32 * 2**20
"""Bytes of bodies that one call reads into memory, unless one body alone is larger."""


def add(session: Session, delivery: Delivery) -> bool:
    """Store a delivery; False if one of the same id is there already (GitHub delivers at least once)."""
    return add_all(session, [delivery])[0]


def add_all(session: Session, deliveries: Sequence[Delivery]) -> Sequence[bool]:
    """Store several deliveries with one statement; tells of each whether it is new."""
    ids = [one.id for one in deliveries]
    known = set(session.scalars(select(DeliveryRow.id).where(DeliveryRow.id.in_(ids))))
    new: dict[str, dict[str, object]] = {}
    answers = []
    for one in deliveries:
        is_new = one.id not in known and one.id not in new
        answers.append(is_new)
        if is_new:
            new[one.id] = {
                "id": one.id,
                "event": one.event,
                "received_at": one.received_at,
                "size": len(one.body),
                "body": zlib.compress(one.body, 1),
                "outcome": "",
            }
    if new:
        session.execute(insert(DeliveryRow), list(new.values()))
    return answers


def unhandled(session: Session, limit: int = 100, *, comments: bool = False) -> Sequence[Delivery]:
    """Give the oldest deliveries that nobody has handled yet, as many as fit into memory well.

    Args:
        session: of the store.
        limit: the most deliveries.
        comments: those of comments, and no others; else all others.
    """
    found = session.execute(
        select(DeliveryRow.id, DeliveryRow.size)
        .where(DeliveryRow.handled_at.is_(None), (DeliveryRow.event == COMMENTS) == comments)
        .order_by(DeliveryRow.received_at, DeliveryRow.id)
        .limit(limit)
    ).all()
    sizes = accumulate(size for _, size in found)
    ids = [
        id_
        for place, ((id_, _), size) in enumerate(zip(found, sizes, strict=True))
        if not place or size <= _BATCH_BYTES
    ]
    rows = session.scalars(
        select(DeliveryRow).where(DeliveryRow.id.in_(ids)).order_by(DeliveryRow.received_at, DeliveryRow.id)
    )
    return [
        Delivery(id=row.id, event=row.event, body=zlib.decompress(row.body), received_at=row.received_at)
        for row in rows
    ]


def take(session: Session, delivery_id: str, *, now: float) -> bool:
    """Take a delivery to handle it in this transaction; False where another process has handled it.

    One that handles it at this moment is waited for: what a delivery says takes effect once.
    """
    done = session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery_id, DeliveryRow.handled_at.is_(None))
        .values(handled_at=now)
    )
    return isinstance(done, CursorResult) and done.rowcount == 1


def handled(session: Session, delivery_id: str, outcome: str, *, now: float) -> None:
    """Note that a delivery is done with, and what came of it."""
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery_id)
        .values(handled_at=now, outcome=outcome[:_OUTCOME_LENGTH])
    )


def forget(session: Session, *, before: float) -> None:
    """Drop handled deliveries received before that time."""
    session.execute(delete(DeliveryRow).where(DeliveryRow.handled_at.is_not(None), DeliveryRow.received_at < before))


def waiting(session: Session) -> int:
    """Count the deliveries that nobody has handled yet."""
    unread = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.handled_at.is_(None))
    return session.scalar(unread) or 0
