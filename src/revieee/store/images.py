"""Pulled images: pinned for the environments that use them, ours to forget when nobody does."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from revieee.model.image import Image
from revieee.store.schema import MetaRow, PinRow, PulledRow

_LONGEST = 255
_PULLING = ""
"""In place of the id of an image that is being pulled."""


def pinned(session: Session, environment_id: int, reference: str, *, fresh_since: float) -> tuple[str | None, bool]:
    """Tell which image an environment uses for a reference, and whether it is time to look for a newer one."""
    row = session.scalar(
        select(PinRow)
        .where(
            PinRow.environment_id == environment_id, PinRow.reference == _key(reference), PinRow.image_id != _PULLING
        )
        .order_by(PinRow.refreshed_at.desc())
        .limit(1)
    )
    return (None, False) if row is None else (row.image_id, row.refreshed_at < fresh_since)


def pulling(session: Session, environment_id: int, reference: str, *, now: float) -> None:
    """Note that an image which is not there is about to be pulled: if we die meanwhile, it is ours all the same."""
    session.merge(PinRow(environment_id=environment_id, reference=_key(reference), image_id=_PULLING, refreshed_at=now))


def not_pulled(session: Session, environment_id: int, reference: str) -> None:
    """Note that an image could not be pulled."""
    mine = (PinRow.environment_id == environment_id) & (PinRow.reference == _key(reference))
    session.execute(delete(PinRow).where(mine, PinRow.image_id == _PULLING))


def cut_off(session: Session, environment_id: int) -> Sequence[str]:
    """Give the references of images whose pulling a crash cut off, so that no row names the image."""
    mine = select(PinRow.reference).where(PinRow.environment_id == environment_id, PinRow.image_id == _PULLING)
    others = select(PinRow.reference).where(PinRow.environment_id != environment_id)
    # A reference too long for its column is kept as a hash, which names no image.
    return [one for one in session.scalars(mine.where(PinRow.reference.not_in(others))) if " " not in one]


def pin(session: Session, environment_id: int, image: Image, *, refreshed: bool, now: float) -> None:
    """Note which image an environment uses for a reference.

    An older one stays pinned, since an older release may still run on it, until the environment goes.
    """
    key = environment_id, _key(image.reference), image.id
    row = session.get(PinRow, key)
    if row is None:
        session.add(PinRow(environment_id=key[0], reference=key[1], image_id=key[2], refreshed_at=now))
    elif refreshed:
        row.refreshed_at = now
    # Whoever's pulling was cut off, it is ours: nobody else can have pulled it.
    begun = session.scalars(select(PinRow).where(PinRow.reference == key[1], PinRow.image_id == _PULLING)).all()
    for one in begun:
        session.delete(one)
    if (image.pulled or begun) and session.get(PulledRow, image.id) is None:
        session.add(PulledRow(image_id=image.id, pulled_at=now))


def unpin(session: Session, environment_id: int) -> None:
    """Forget all pins of an environment that goes."""
    session.execute(delete(PinRow).where(PinRow.environment_id == environment_id))


def unused(session: Session) -> Sequence[str]:
    """Give the ids of images that we pulled and no environment uses any more."""
    used = select(PinRow.image_id).where(PinRow.image_id == PulledRow.image_id)
    return session.scalars(
        select(PulledRow.image_id).where(~used.exists()).order_by(PulledRow.pulled_at, PulledRow.image_id)
    ).all()


def forgotten(session: Session, image_id: str) -> None:
    """Note that the engine has forgotten an image; only then, so that a crash in between forgets nothing.

    One that is pinned was pulled again meanwhile, and stays ours.
    """
    pinned_again = select(PinRow.image_id).where(PinRow.image_id == image_id)
    session.execute(delete(PulledRow).where(PulledRow.image_id == image_id, ~pinned_again.exists()))


def bases_stale(session: Session, scope: str, *, fresh_since: float, now: float) -> bool:
    """Tell whether it is time to look for newer base images of a repository's builds.

    What is there when a repository is first built counts as fresh, so that a first release waits for no registry.

    Args:
        session: of the store.
        scope: repository and trust.
        fresh_since: Unix time, seconds; looked for before that is stale.
        now: Unix time, seconds.
    """
    row = session.get(MetaRow, _bases(scope))
    if row is None:
        bases_refreshed(session, scope, now=now)
        return False
    return float(row.value) < fresh_since


def bases_refreshed(session: Session, scope: str, *, now: float) -> None:
    """Note that newer base images were looked for."""
    session.merge(MetaRow(key=_bases(scope), value=str(now)))


def _bases(scope: str) -> str:
    return f"bases {scope}"


def _key(reference: str) -> str:
    """Fit a reference into its column, two different ones never alike."""
    if len(reference) <= _LONGEST:
        return reference
    return f"sha256 {hashlib.sha256(reference.encode('utf-8', 'surrogatepass')).hexdigest()}"
