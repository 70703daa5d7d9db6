"""What is live is healed, whatever becomes of the newer release that is on its way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.engines.memory import Behaviour
from revieee.model.facts import RepositoryFacts
from revieee.model.policy import Policy
from revieee.ports import RetryLater
from revieee.reconcile import loop
from revieee.reconcile.parts import Parts
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import calm, first_live
from support.stage import on_stage

pytestmark = pytest.mark.slow

SOON = 30.0
"""Seconds, a few ticks."""
Trouble = Callable[[Outside, Process], Awaitable[None]]


async def fetches_fail(around: Outside, process: Process) -> None:
    del process
    around.source.fault = RetryLater("The forge did not answer.")


async def a_fetch_hangs(around: Outside, process: Process) -> None:
    del process
    around.source.gate = asyncio.Event()


async def the_disk_is_full(around: Outside, process: Process) -> None:
    del around
    process.parts.room.short = "There is no room."


async def a_build_takes_an_hour(around: Outside, process: Process) -> None:
    del process
    around.builder.seconds = 3600.0


async def the_new_one_does_not_get_healthy(around: Outside, process: Process) -> None:
    del process
    around.world.script("deploy", Behaviour(exits=None))


TROUBLES = [fetches_fail, a_fetch_hangs, the_disk_is_full, a_build_takes_an_hour, the_new_one_does_not_get_healthy]


def there(around: Outside, service: str) -> list[str]:
    """The running containers of a service."""
    rows = around.world.read("SELECT key FROM containers WHERE key LIKE ? AND status = 'running'", f"{service}-%")
    return [str(row["key"]) for row in rows]


def crowd(around: Outside, *, deploy: str = "deploy") -> None:
    """Forty further pull requests in four repositories."""
    for number in range(2, 42):
        whose = RepositoryFacts(id=100 + number % 4, name=f"acme/r{number % 4}")
        around.source.commits[commit(number)] = files(number, deploy=deploy)
        around.hear(replace(pull_request(number, head=number), repository=whose, head_repository=whose.id))


async def goes_and_comes_back(around: Outside, key: str) -> bool:
    around.world.lose(1, key)
    until = around.loop.time() + SOON
    while around.loop.time() < until:
        await asyncio.sleep(1)
        if key in there(around, key.rpartition("-")[0]):
            return True
    return False


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_lost_of_the_live_release_comes_back(
    tmp_path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody_looks(_: Parts) -> None:
        """The disk stays as the test says."""

    monkeypatch.setattr(loop, "keep_room", nobody_looks)

    async def main(around: Outside) -> None:
        process = await first_live(around)
        [web], [db] = there(around, "web"), there(around, "db")
        await trouble(around, process)
        around.source.commits[commit(2)] = files(2)
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert await goes_and_comes_back(around, web)
        assert await goes_and_comes_back(around, db)
        around.world.end(1, web, 137)
        await asyncio.sleep(SOON)
        assert web in there(around, "web")
        await process.stop()

    on_stage(tmp_path, main)


def test_what_crashes_again_and_again_is_left_to_its_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody_looks(_: Parts) -> None:
        """The disk stays as the test says."""

    monkeypatch.setattr(loop, "keep_room", nobody_looks)

    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        [web] = there(around, "web")
        await the_disk_is_full(around, process)
        around.source.commits[commit(2)] = files(2)
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        script = around.world.read("SELECT script FROM containers WHERE key = ?", web)[0]["script"]
        around.world.script(script, Behaviour(exits=3, exits_after=0.5))
        around.world.end(1, web, 3)
        before = len(around.world.acts("start"))
        await asyncio.sleep(1200)
        assert 5 <= len(around.world.acts("start")) - before <= 15
        await process.stop()

    on_stage(tmp_path, main)


def test_what_is_replaced_in_place_is_not_started_beside_what_replaces_it(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.source.commits[commit(1)] = files(1)
        around.source.commits[commit(2)] = files(2, db="17")
        around.hear(pull_request())
        process = Process(around)
        process.start()
        assert await calm(around)
        [old] = there(around, "db")
        around.world.script("deploy", Behaviour(exits=0, exits_after=300.0))
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        for _ in range(60):
            await asyncio.sleep(1)
            assert len(there(around, "db")) <= 1
        assert there(around, "db") != [old]
        await process.stop()

    on_stage(tmp_path, main)


def test_forges_that_hang_keep_nobody_else_from_being_healed_or_begun(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        [web] = there(around, "web")
        fetch = around.source.fetch

        async def hangs(repository: RepositoryFacts, number: int, commit: str, *, base_ref: str = "") -> None:
            if repository.id >= 100:
                await asyncio.Event().wait()
            await fetch(repository, number, commit, base_ref=base_ref)

        around.source.fetch = hangs  # type: ignore[method-assign] # the forge of some repositories hangs
        crowd(around)
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert await goes_and_comes_back(around, web)
        around.source.commits[commit(99)] = files(99)
        new = around.hear(pull_request(99, head=99))
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert around.everything()[new].live is not None
        await process.stop()

    on_stage(tmp_path, main)


def test_starts_that_take_long_keep_nobody_else_s_live_service_from_being_healed(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        [web] = there(around, "web")
        around.world.script("never", Behaviour(exits=None))
        crowd(around, deploy="never")
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert await goes_and_comes_back(around, web)
        await process.stop()

    on_stage(tmp_path, main)
