"""The tick: what was missed is found."""

import asyncio
from pathlib import Path

from revieee.reconcile.tick import tick
from revieee.store import leases, wishes
from support.reconciling import REPOSITORY, Plane, facts


async def test_a_removed_repository_is_forgotten_when_nothing_of_it_is_left(control: Plane) -> None:
    await control.settle(facts(1))
    await tick(control.parts)
    assert control.source.forgotten == set()

    now = control.clock.now()
    control.database.run_here(lambda session: wishes.remove_repository(session, REPOSITORY.id, "Gone.", now=now))
    await tick(control.parts)
    assert control.source.forgotten == set()

    await control.settle()
    await tick(control.parts)
    assert control.source.forgotten == {REPOSITORY.id}


async def test_what_builds_that_a_crash_cut_off_left_is_cleared(control: Plane, tmp_path: Path) -> None:
    left = tmp_path / "checkouts"
    for name in ("7", "7.build-a1", "7.index-b2"):
        (left / name).mkdir(parents=True)
    await tick(control.parts)
    assert list(left.iterdir()) == []


async def test_what_builds_under_way_have_stays(control: Plane, tmp_path: Path) -> None:
    control.builder.gate = asyncio.Event()
    control.wish(facts(1))
    settling = asyncio.create_task(control.reconciler.settle())
    await control.building()
    (newest,) = control.environment().releases
    checkouts = tmp_path / "checkouts"
    (ours,) = (one.name for one in checkouts.iterdir())
    (checkouts / f"{ours}.build-a1").mkdir()
    await tick(control.parts)
    assert {one.name for one in checkouts.iterdir()} == {ours, f"{ours}.build-a1"}
    assert ours.startswith(f"{newest.id}.")
    control.builder.gate.set()
    await settling


async def test_nothing_is_remembered_of_what_another_process_removed(control: Plane) -> None:
    await control.settle(facts(1))
    control.parts.remembered[1].extras = frozenset({"web-1"})
    await tick(control.parts)
    assert 1 in control.parts.remembered
    await control.settle(facts(1, minute=1, open=False))
    other = "another process"
    control.database.run_here(lambda session: leases.free_of(session, control.parts.owner))
    control.database.run_here(lambda session: leases.claim_tick(session, other, now=0, until=float("inf")))
    await tick(control.parts)
    assert control.parts.remembered == {}
