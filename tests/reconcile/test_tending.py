"""What is live is healed, whatever becomes of the newer release that is on its way."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.engines.memory import Behaviour, MemoryEngine
from revieee.engines.memory.world import Fault
from revieee.model.facts import RepositoryFacts
from revieee.model.phases import Phase
from revieee.model.policy import Policy
from revieee.model.resolve import ResolvedStack
from revieee.model.route import RouteState
from revieee.ports import Observed, Placement, RetryLater
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


@pytest.mark.parametrize("build", [600.0, 0.5], ids=["beside it", "before it"])
def test_what_nobody_thought_of_ends_neither_the_looks_nor_what_is_newer(
    tmp_path: Path, build: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    apply, failures = MemoryEngine.apply, 0

    async def fails(
        self: MemoryEngine, placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        nonlocal failures
        if failures == 0 and placement.release == commit(1):
            failures += 1
            raise ValueError("an answer nobody thought of")
        return await apply(self, placement, stack, only=only)

    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        [web] = there(around, "web")
        await asyncio.sleep(SOON)
        around.builder.seconds = build
        monkeypatch.setattr(MemoryEngine, "apply", fails)
        around.source.commits[commit(2)] = files(2)
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert failures == 1
        assert "what is live could not be looked after" in caplog.text
        if build > SOON:
            assert await goes_and_comes_back(around, web)
        else:
            assert around.everything()[1].live.commit == commit(2)  # type: ignore[union-attr] # one is live
        await process.stop()

    on_stage(tmp_path, main)


async def what_failed_does_not_go(around: Outside) -> None:
    around.source.commits[commit(2)] = files(2, deploy="bad")
    around.world.fail("remove", Fault(words="device or resource busy"), times=100_000)


async def the_router_is_away_from_a_switch(around: Outside) -> None:
    around.source.commits[commit(2)] = files(2)
    around.router.down = True


async def the_router_is_away_from_a_replacement(around: Outside) -> None:
    around.source.commits[commit(2)] = files(2, db="17")
    around.router.down = True


@pytest.mark.parametrize(
    ("phase", "trouble"),
    [
        (Phase.UNDOING, what_failed_does_not_go),
        (Phase.SWITCHING, the_router_is_away_from_a_switch),
        (Phase.REPLACING, the_router_is_away_from_a_replacement),
    ],
)
def test_an_act_that_cannot_go_on_keeps_nothing_of_what_is_live_from_being_healed(
    tmp_path: Path, phase: Phase, trouble: Callable[[Outside], Awaitable[None]]
) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        [web], [db] = there(around, "web"), there(around, "db")
        await trouble(around)
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        await asyncio.sleep(2 * SOON)
        following = around.everything()[1].next
        assert following is not None
        assert following.phase is phase
        assert await goes_and_comes_back(around, web)
        assert await goes_and_comes_back(around, db)
        around.router.down = False
        around.world.mend()
        await asyncio.sleep(600)
        assert around.everything()[1].next is None
        assert len(there(around, "db")) == 1
        await process.stop()

    on_stage(tmp_path, main)


@pytest.mark.parametrize("kind", ["web-", "db-", "hook-deploy-"])
def test_what_a_failed_release_leaves_keeps_nothing_that_it_replaced_from_being_put_back(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is ended by then, and the engine cannot take it away."""
    remove = MemoryEngine.remove

    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        [web], [db] = there(around, "web"), there(around, "db")

        async def stays(
            self: MemoryEngine, placement: Placement, keys: Collection[str] | None, *, grace: float | None = None
        ) -> None:
            stay = [key for key in keys or () if key.startswith(kind)]
            if stay:
                for key in stay:
                    around.world.write("UPDATE containers SET status = 'exited', exit_code = 137 WHERE key = ?", key)
                raise RetryLater("device or resource busy")
            await remove(self, placement, keys, grace=grace)

        monkeypatch.setattr(MemoryEngine, "remove", stays)
        around.world.script("bad", Behaviour(exits=1))
        around.source.commits[commit(2)] = files(2, db="17", deploy="bad")
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        await asyncio.sleep(2 * SOON)
        assert around.everything()[1].waiting_for == "device or resource busy"
        assert {web, db} <= {*there(around, "web"), *there(around, "db")}
        assert len(there(around, "db")) == 1
        assert around.router.routes["shop-pr-1.localhost"].state is RouteState.UP
        await process.stop()

    on_stage(tmp_path, main)
