"""The tick: what was missed is found."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from revieee import ports
from revieee.engines.memory import Fault, MemoryEngine
from revieee.model.facts import RepositoryFacts
from revieee.ports import Placement, Presence
from revieee.reconcile.tick import sweep, tick
from revieee.store import leases, wishes
from support.reconciling import REPOSITORY, Plane, facts

OTHER = RepositoryFacts(id=8, name="acme/tools")
NOBODYS = 4711


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


async def test_a_repository_of_which_something_stays_keeps_no_other(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget = control.source.forget

    async def stuck(repository: RepositoryFacts) -> None:
        if repository.id == REPOSITORY.id:
            raise ports.Fault("The mirror cannot be removed.")
        await forget(repository)

    monkeypatch.setattr(control.source, "forget", stuck)
    now = control.clock.now()
    control.wish(facts(1))
    control.wish(facts(1, repository=OTHER, head_repository=OTHER.id))
    for id_ in (REPOSITORY.id, OTHER.id):
        control.database.run_here(partial(wishes.remove_repository, repository_id=id_, reason="Gone.", now=now))
    await tick(control.parts)
    assert control.source.forgotten == {OTHER.id}


async def test_what_nobody_owns_and_cannot_be_removed_keeps_nobody_from_being_healed(control: Plane) -> None:
    await control.settle(facts(1))
    instance = control.parts.instance
    await MemoryEngine(control.world).prepare(
        Placement(instance=instance, environment=NOBODYS, incarnation=1, name=f"#{NOBODYS}")
    )
    control.world.write("DELETE FROM containers WHERE key LIKE 'web-%'")
    control.world.fail("remove", Fault(error="fault", words="The engine forbids it."), times=10)
    await sweep(control.parts)
    await control.settle()
    assert await control.keys() == {"db", "web"}


async def test_what_no_release_names_and_cannot_be_removed_is_not_told_with_every_tick(control: Plane) -> None:
    before = await control.settle(facts(1))
    row = dict(control.world.read("SELECT * FROM containers LIMIT 1")[0]) | {"key": "stray-1"}
    row["name"] = f"{row['name']} stray"
    columns = ", ".join(row)
    control.world.write(f"INSERT INTO containers ({columns}) VALUES ({', '.join('?' * len(row))})", *row.values())  # noqa: S608 -- the engine's own columns
    control.world.fail("remove", Fault(words="Docker has not removed all containers yet."), times=3)
    for _ in range(3):
        control.clock.time += control.parts.policy.pace.tick
        await sweep(control.parts)
        after = await control.settle()
        assert (after.version, after.attempts, after.waiting_for) == (before.version, 0, "")
    assert "stray" in await control.keys()
    await sweep(control.parts)
    await control.settle()
    assert "stray" not in await control.keys()


async def test_a_removal_that_ends_while_everything_is_listed_is_not_begun_again(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await control.settle(facts(1))
    observe = control.parts.engine.observe_all
    closed = replace(facts(1, minute=1), open=False)

    async def slow(_: object, instance: str) -> Mapping[int, Presence]:
        seen = await observe(instance)
        monkeypatch.undo()
        await control.settle(closed)
        return seen

    monkeypatch.setattr(MemoryEngine, "observe_all", slow)
    await sweep(control.parts)
    environment = await control.settle()
    assert (environment.placed, environment.incarnation) == (False, 2)


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
