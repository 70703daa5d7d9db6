"""The sweep: what carries our instance's labels and has no row goes, with a receipt; nobody else's is ever touched."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.engines.memory import MemoryEngine
from revieee.ports import Placement
from revieee.reconcile.tick import sweep
from revieee.testing.engines import Role
from support.docker import BaseImages
from support.docker_lab import DockerLab
from support.invariants import when_calm
from support.outside import Outside, pull_request
from support.reconciling import Plane, facts, plane
from support.settling import calm, first_live
from support.stage import on_stage

NOBODYS = 4711


def place(instance: str, environment: int = NOBODYS) -> Placement:
    return Placement(instance=instance, environment=environment, incarnation=1, name=f"#{environment}")


async def test_what_has_no_row_is_removed_with_a_receipt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    control = plane(tmp_path)
    live = await control.settle(facts(1))
    await MemoryEngine(control.world).prepare(place(control.parts.instance))
    control.world.add_image(control.parts.instance, NOBODYS, "sha256:ours")
    with caplog.at_level(logging.INFO):
        await sweep(control.parts)

    assert set(await control.parts.engine.observe_all(control.parts.instance)) == {live.id}
    receipt = next(record.getMessage() for record in caplog.records if "no row" in record.getMessage())
    assert f"environment {NOBODYS}" in receipt
    assert "sha256:ours" in receipt
    assert "network" in receipt
    control.database.close()


async def test_what_belongs_to_another_instance_is_never_touched(tmp_path: Path) -> None:
    control = plane(tmp_path)
    engine = MemoryEngine(control.world)
    similar = f"{control.parts.instance}0"
    for environment in (1, NOBODYS):
        await engine.prepare(place(similar, environment))
    control.world.add_image(similar, NOBODYS, "sha256:theirs")
    before = await engine.observe_all(similar)
    await control.settle(facts(1))
    await sweep(control.parts)
    await control.settle(facts(1, minute=1, open=False))
    await sweep(control.parts)

    assert await engine.observe_all(similar) == before
    control.database.close()


def test_what_a_removed_environment_left_is_removed_by_a_turn_and_a_reopened_one_lives(tmp_path: Path) -> None:
    """A late answer of the engine brings something back; meanwhile the pull request may be reopened."""

    async def play(around: Outside) -> None:
        process = await first_live(around)
        closed = pull_request(after=1, open=False)
        around.hear(closed)
        assert await calm(around)
        await MemoryEngine(around.world).prepare(place(around.instance, 1))
        assert await calm(around)
        assert await when_calm(around, {1: closed}) == []
        await MemoryEngine(around.world).prepare(place(around.instance, 1))
        around.hear(pull_request(after=2))
        assert await calm(around)
        assert around.everything()[1].live is not None, "what is on its way back is not swept away"
        closed = pull_request(after=3, open=False)
        around.hear(closed)
        assert await calm(around)
        assert await when_calm(around, {1: closed}) == []
        await process.stop()

    on_stage(tmp_path, play)


@pytest.fixture
async def docker_lab(base_images: BaseImages) -> AsyncIterator[DockerLab]:
    lab = DockerLab(base_images.busybox)
    yield lab
    await lab.close()


async def test_on_docker(docker_lab: DockerLab, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    control: Plane = plane(tmp_path)
    mine, theirs = docker_lab.place(1), docker_lab.place(1, instance=f"{docker_lab.instance}0")
    for where in (mine, theirs):
        stack = await docker_lab.resolve([docker_lab.play("web", Role.RUNS)], place=where)
        await docker_lab.engine.apply(where, stack)
    before = await docker_lab.engine.observe_all(theirs.instance)
    parts = replace(control.parts, instance=docker_lab.instance, engine=docker_lab.engine)
    with caplog.at_level(logging.INFO):
        await sweep(parts)

    assert await docker_lab.engine.observe_all(docker_lab.instance) == {}
    assert await docker_lab.engine.observe_all(theirs.instance) == before
    assert before[1].keys
    assert any("web-" in record.getMessage() and "no row" in record.getMessage() for record in caplog.records)
    control.database.close()
