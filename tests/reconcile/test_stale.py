"""Who has lost the lease writes nothing any more, whatever table it is in."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from revieee.model.image import Image
from revieee.reconcile.output import Output
from revieee.reconcile.parts import Turn
from revieee.store import images, leases
from revieee.store.leases import StaleLease
from revieee.store.schema import LogRow, PinRow, PulledRow
from support.reconciling import Plane, facts

NOW = 0.0

WRITES: dict[str, Callable[[Session], object]] = {
    "pulling": lambda session: images.pulling(session, 1, "redis:7", now=NOW),
    "not pulled": lambda session: images.not_pulled(session, 1, "busybox"),
    "pin": lambda session: images.pin(session, 1, Image(id="sha256:b", reference="redis:7"), refreshed=False, now=NOW),
    "cut off": lambda session: images.cut_off(session, 1),
    "unpin": lambda session: images.unpin(session, 1),
    "claim": lambda session: images.claim(session, 1, now=NOW),
    "forgotten": lambda session: images.forgotten(session, 1, "sha256:a"),
}


def rows(session: Session) -> tuple[set[tuple[str, str]], set[str]]:
    pins = {(one.reference, one.image_id) for one in session.scalars(select(PinRow))}
    return pins, set(session.scalars(select(PulledRow.image_id)))


async def stale(control: Plane) -> Turn:
    """A turn whose environment went to somebody else, who had its images since."""
    await control.settle(facts(1))

    def work(session: Session) -> None:
        leases.free_of(session, control.parts.owner)
        images.pulling(session, 1, "busybox", now=NOW)
        session.add(PulledRow(image_id="sha256:a", pulled_at=NOW))

    control.database.run_here(work)
    return Turn(parts=control.parts, lease=leases.Lease(1, 1), environment=control.environment(1))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_of_images_nothing_is_written(control: Plane, write: Callable[[Session], object]) -> None:
    turn = await stale(control)
    before = control.database.run_here(rows)
    with pytest.raises(StaleLease):
        await turn.write(write)
    assert control.database.run_here(rows) == before


async def test_of_output_nothing_is_written(control: Plane) -> None:
    turn = await stale(control)
    release = turn.environment.releases[-1]
    with pytest.raises(StaleLease):
        async with Output(turn, release, "build web") as output:
            await output.write(b"late")
    assert b"late" not in control.database.run_here(lambda session: session.scalars(select(LogRow.data)).all())
