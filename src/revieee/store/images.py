"""Pulled images: pinned for the environments that use them, ours to forget when nobody does."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from revieee.model.image import Image
from revieee.store.schema import MetaRow, PinRow, PulledRow

_LONGEST = 255
_PULLING = ""
"""In place of the id of an image that is being pulled."""
_GOING = " going"
"""In place of the name, or of the id, of an image that an environment removes on its own way out; no name has a space.

Who removes an image claims it first, and who pins one looks for a claim: either may come first, never both at once.
"""


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
    """Claim the images whose pulling a crash cut off, so that no row names the image; gives their references."""
    mine = select(PinRow).where(PinRow.environment_id == environment_id, PinRow.image_id.in_((_PULLING, _GOING)))
    begun = session.scalars(mine.with_for_update()).all()
    others = set(session.scalars(select(PinRow.reference).where(PinRow.environment_id != environment_id)))
    # A reference too long for its column is kept as a hash, which names no image.
    ours = [
        one for one in begun if one.image_id == _GOING or (one.reference not in others and " " not in one.reference)
    ]
    for one in ours:
        one.image_id = _GOING
    return [one.reference for one in ours]


def pin(session: Session, environment_id: int, image: Image, *, refreshed: bool, now: float) -> bool:
    """Note which image an environment uses for a reference.

    An older one stays pinned, since an older release may still run on it, until the environment goes.

    Returns:
        Whether it was noted: not while another environment removes the image. One that it removed just before is
        noted all the same, so the engine is to be asked again after this.
    """
    key = environment_id, _key(image.reference), image.id
    pulled = session.get(PulledRow, image.id, with_for_update=True)  # locked before anything is read, as in `claim`
    named = select(PinRow).where(PinRow.reference == key[1], PinRow.image_id.in_((_PULLING, _GOING)))
    begun = session.scalars(named.with_for_update()).all()
    claims = select(PinRow.image_id).where(PinRow.reference == _GOING, PinRow.image_id == image.id)
    if any(one.image_id == _GOING for one in begun) or session.scalar(claims) is not None:
        return False
    row = session.get(PinRow, key)
    if row is None:
        session.add(PinRow(environment_id=key[0], reference=key[1], image_id=key[2], refreshed_at=now))
    elif refreshed:
        row.refreshed_at = now
    # Whoever's pulling was cut off, it is ours: nobody else can have pulled it.
    for one in begun:
        session.delete(one)
    if (image.pulled or begun) and pulled is None:
        session.add(PulledRow(image_id=image.id, pulled_at=now))
    return True


def unpin(session: Session, environment_id: int) -> None:
    """Forget all pins of an environment that goes, but for what it claimed."""
    session.execute(delete(PinRow).where(PinRow.environment_id == environment_id, PinRow.reference != _GOING))


def let_go(session: Session, environment_id: int, *, now: float) -> None:
    """Forget all pins and claims of an environment that goes; what was pulled is for the next one to remove.

    What was claimed comes last there, or one that cannot be removed would keep all others.
    """
    mine = PinRow.environment_id == environment_id
    claimed = session.scalars(select(PinRow.image_id).where(mine, PinRow.reference == _GOING)).all()
    session.execute(update(PulledRow).where(PulledRow.image_id.in_(claimed)).values(pulled_at=now))
    session.execute(delete(PinRow).where(mine))


def unused(session: Session) -> Sequence[str]:
    """Give the ids of images that we pulled and no environment uses any more."""
    used = select(PinRow.image_id).where(PinRow.image_id == PulledRow.image_id)
    return session.scalars(
        select(PulledRow.image_id).where(~used.exists()).order_by(PulledRow.pulled_at, PulledRow.image_id)
    ).all()


def claim(session: Session, environment_id: int, *, now: float) -> str | None:
    """Take one image that we pulled and no environment uses any more, to be removed by one that goes; gives its id.

    Until that is done nobody else pins or removes it. One that was claimed before a crash is given again.
    """
    session.execute(select(PulledRow.image_id).with_for_update()).all()  # locked before anything is read, as in `pin`
    mine = select(PinRow.image_id).where(PinRow.environment_id == environment_id, PinRow.reference == _GOING)
    claimed = session.scalar(mine.limit(1))
    if claimed is None and (claimed := next(iter(unused(session)), None)) is not None:
        session.add(PinRow(environment_id=environment_id, reference=_GOING, image_id=claimed, refreshed_at=now))
    return claimed


def forgotten(session: Session, environment_id: int, image_id: str) -> None:
    """Note that the engine has forgotten a claimed image; only then, so that a crash in between forgets nothing."""
    claims = (PinRow.environment_id == environment_id) & (PinRow.reference == _GOING)
    session.execute(delete(PulledRow).where(PulledRow.image_id == image_id))
    session.execute(delete(PinRow).where(claims, PinRow.image_id == image_id))


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
