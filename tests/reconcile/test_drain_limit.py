"""The drain limit holds whatever a newer release waits for: what drains has the very room that is missing."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from revieee.engines.memory import Behaviour, MemoryEngine
from revieee.model.environment import Release
from revieee.model.facts import RepositoryFacts
from revieee.model.image import Image
from revieee.model.policy import Policy
from revieee.ports import Placement, RetryLater
from revieee.store import secrets
from revieee.store.schema import EnvironmentRow
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import first_live
from support.stage import on_stage

pytestmark = pytest.mark.slow

MANY = 200
"""Turns in ten minutes; one every ten seconds, for the tick, are 60."""


def push(around: Outside, process: Process, head: int, *, db: str = "16") -> None:
    around.source.commits[commit(head)] = files(head, db=db)
    around.hear(pull_request(head=head, after=head))
    process.bell.hint()


@pytest.mark.parametrize("reason", ["disk is full", "forge fails", "forge hangs"])
def test_the_drain_limit_holds_while(tmp_path: Path, reason: str) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        live = live_now(around)
        around.router.requests = {endpoint: 1 for _, endpoint in live.endpoints}
        push(around, process, 2)
        await asyncio.sleep(10)
        assert around.everything()[1].draining
        match reason:
            case "disk is full":
                around.world.free = 10**6
            case "forge fails":
                around.source.fault = RetryLater("The forge did not answer.")
            case _:
                around.source.gate = asyncio.Event()
        await asyncio.sleep(around.policy.pace.tick + 1)
        push(around, process, 3)
        await asyncio.sleep(around.policy.pace.drain_limit)
        environment = around.everything()[1]
        assert not environment.draining
        assert environment.live is not None
        assert environment.live.commit == commit(2)
        assert live.keys.isdisjoint(
            {str(row["key"]) for row in around.world.read("SELECT key FROM containers")} - environment.live.keys
        )

        around.world.free, around.source.fault, around.source.gate = 10**12, None, None
        await asyncio.sleep(around.policy.pace.last_retry)
        await process.stop()

    on_stage(tmp_path, main)


async def draining(around: Outside, process: Process) -> frozenset[str]:
    """Let release 1 drain beside release 2, with a request that does not end; gives what only release 1 names."""
    old = around.everything()[1].live
    assert old is not None
    around.router.requests = {endpoint: 1 for _, endpoint in old.endpoints}
    push(around, process, 2)
    await asyncio.sleep(10)
    environment = around.everything()[1]
    assert environment.draining
    assert environment.live is not None
    return old.keys - environment.live.keys


@pytest.mark.parametrize("long", ["build", "hook"])
def test_it_holds_beside_what_takes_long(tmp_path: Path, long: str) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        await draining(around, process)
        around.builder.seconds = 1800.0
        if long == "hook":
            around.builder.seconds = 0.5
            around.world.script("deploy", Behaviour(exits=None))
        push(around, process, 3)
        await asyncio.sleep(around.policy.pace.drain_limit + 2 * around.policy.pace.tick)
        environment = around.everything()[1]
        assert environment.live is not None
        assert environment.next is not None
        assert not {key for key in running(around) if key.startswith("web-")} - environment.live.keys
        await process.stop()

    on_stage(tmp_path, main)


def test_what_was_cut_beside_a_build_is_there_again_where_the_build_has_it(tmp_path: Path) -> None:
    """As after a revert: the newest release is what drains."""

    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        old = await draining(around, process)
        around.builder.seconds = 600.0
        push(around, process, 3)
        await asyncio.sleep(around.policy.pace.drain_limit + 2 * around.policy.pace.tick)
        assert not running(around) & old
        around.builder.seconds = 0.5
        around.hear(pull_request(head=1, after=4))
        process.bell.hint()
        await asyncio.sleep(60)
        environment = around.everything()[1]
        assert environment.live is not None
        assert environment.live.commit == commit(1)
        assert old <= environment.live.keys == running(around)
        await process.stop()

    on_stage(tmp_path, main)


async def two_draining(around: Outside, process: Process) -> list[frozenset[str]]:
    """Let releases 1 and 2 drain beside release 3, which has another database; gives what only each of them names."""
    old = [around.everything()[1].live]
    for head, db in ((2, "16"), (3, "15")):
        around.router.requests = {endpoint: 1 for one in old if one for _, endpoint in one.endpoints}
        push(around, process, head, db=db)
        await asyncio.sleep(10)
        old.append(around.everything()[1].live)
    live = old.pop()
    assert live is not None
    assert len(around.everything()[1].draining) == 2
    return [one.keys - live.keys for one in old if one]


def live_now(around: Outside) -> Release:
    live = around.everything()[1].live
    assert live is not None
    return live


def running(around: Outside) -> frozenset[str]:
    return frozenset(str(row["key"]) for row in around.world.read("SELECT key FROM containers"))


def test_of_two_that_drained_while_nobody_worked_nothing_is_left_as_a_newer_one_waits(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        one, two = await two_draining(around, process)
        assert one & two, "the database"
        await process.stop()
        await asyncio.sleep(around.policy.pace.drain_limit)
        around.source.gate = asyncio.Event()
        push(around, process, 4)
        process = Process(around)
        process.start()
        await asyncio.sleep(around.policy.pace.tick + 1)
        environment = around.everything()[1]
        assert not environment.draining
        assert environment.live is not None
        assert running(around) == environment.live.keys
        await process.stop()

    on_stage(tmp_path, main)


def test_one_that_cannot_be_removed_keeps_no_other_that_drains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        one, two = await two_draining(around, process)
        with monkeypatch.context() as patch:
            patch.setattr(MemoryEngine, "remove", busy_with(one - two))
            await asyncio.sleep(around.policy.pace.drain_limit + around.policy.pace.tick + 1)
            assert len(around.everything()[1].draining) == 1
            assert not running(around) & (two - one)
        await asyncio.sleep(around.policy.pace.last_retry + 1)
        live = live_now(around)
        assert running(around) == live.keys
        await process.stop()

    on_stage(tmp_path, main)


def busy_with(keys: Collection[str]) -> Callable[..., Awaitable[None]]:
    """An engine's removal that some containers withstand."""
    remove = MemoryEngine.remove

    async def busy(self: MemoryEngine, place: Placement, some: Collection[str] | None, **more: Any) -> None:  # noqa: ANN401 -- handed through
        if some and not set(keys).isdisjoint(some):
            raise RetryLater("Docker has not removed all containers yet.")
        await remove(self, place, some, **more)

    return busy


STOPPING = 60.0
"""Seconds that the longest grace period takes."""


def slow_with(keys: Collection[str]) -> Callable[..., Awaitable[None]]:
    """An engine's removal that waits for containers to stop; it goes on when whoever asked for it hears no more."""
    remove = MemoryEngine.remove

    async def slow(self: MemoryEngine, place: Placement, some: Collection[str] | None, **more: Any) -> None:  # noqa: ANN401 -- handed through
        async def later() -> None:
            await asyncio.sleep(STOPPING if some and not set(keys).isdisjoint(some) else 0)
            await remove(self, place, some, **more)

        await asyncio.shield(later())

    return slow


def test_one_that_takes_long_to_stop_keeps_nothing_live_from_being_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        pace, process = around.policy.pace, await first_live(around)
        old = await draining(around, process)
        around.builder.seconds = 1800.0
        push(around, process, 3)
        with monkeypatch.context() as patch:
            patch.setattr(MemoryEngine, "remove", slow_with(old))
            await asyncio.sleep(pace.drain_limit + pace.tick)
            live = live_now(around)
            (web,) = (key for key in live.keys if key.startswith("web-"))
            around.world.lose(1, web)
            await asyncio.sleep(2 * pace.tick)
            assert old | live.keys == running(around)
            await asyncio.sleep(STOPPING)
            assert live.keys == running(around)
        await process.stop()

    on_stage(tmp_path, main)


def test_one_that_takes_long_to_stop_keeps_no_newer_one_from_going_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        pace, process = around.policy.pace, await first_live(around)
        old = await draining(around, process)
        around.world.script("deploy", Behaviour(exits=0, exits_after=pace.drain_limit + 2 * pace.tick))
        push(around, process, 3)
        with monkeypatch.context() as patch:
            patch.setattr(MemoryEngine, "remove", slow_with(old))
            await asyncio.sleep(pace.drain_limit + 4 * pace.tick)
            assert live_now(around).commit == commit(3)
            assert old <= running(around)
            await asyncio.sleep(2 * STOPPING)
            assert not old & running(around)
        await process.stop()

    on_stage(tmp_path, main)


def test_what_is_being_cut_as_a_build_ends_that_has_it_is_not_taken_for_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        pace, process = around.policy.pace, await first_live(around)
        old, image = await draining(around, process), MemoryEngine.image
        pulled = around.loop.time() + pace.drain_limit + 2 * pace.tick

        async def slowly(self: MemoryEngine, reference: str, **more: Any) -> Image:  # noqa: ANN401 -- handed through
            await asyncio.sleep(pulled - around.loop.time())
            return await image(self, reference, **more)

        with monkeypatch.context() as patch:
            patch.setattr(MemoryEngine, "remove", slow_with(old))
            patch.setattr(MemoryEngine, "image", slowly)
            around.hear(pull_request(head=1, after=4))
            process.bell.hint()
            await asyncio.sleep(pace.drain_limit)
            for _ in range(200):
                await asyncio.sleep(1)
                assert live_now(around).keys <= running(around)
            assert live_now(around).commit == commit(1)
        await process.stop()

    on_stage(tmp_path, main)


def turns(around: Outside) -> int:
    return around.database.run_here(lambda session: session.get_one(EnvironmentRow, 1).lease_token)


def test_it_holds_where_the_secrets_of_the_newer_one_cannot_be_opened(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        await draining(around, process)
        repository = around.everything()[1].facts.repository.id
        around.database.run_here(
            lambda session: secrets.put(session, repository, "TOKEN", b"sealed by another", now=around.loop.unix())
        )
        push(around, process, 3)
        await asyncio.sleep(around.policy.pace.drain_limit + around.policy.pace.tick)
        assert not around.everything()[1].draining
        before = turns(around)
        await asyncio.sleep(600)
        assert turns(around) - before < MANY
        await process.stop()

    on_stage(tmp_path, main)


def test_what_cannot_be_removed_holds_up_no_push_and_makes_no_storm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        old = await draining(around, process)
        with monkeypatch.context() as patch:
            patch.setattr(MemoryEngine, "remove", busy_with(old))
            await asyncio.sleep(around.policy.pace.drain_limit)
            push(around, process, 3)
            await asyncio.sleep(60)
            assert live_now(around).commit == commit(3)
            before = turns(around)
            await asyncio.sleep(600)
            assert turns(around) - before < MANY
        await asyncio.sleep(around.policy.pace.last_retry + 1)
        assert not around.everything()[1].draining
        await process.stop()

    on_stage(tmp_path, main)


def test_it_holds_while_the_newer_one_waits_for_a_place(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = replace(Policy(), turns=2)
        process = await first_live(around)
        await draining(around, process)
        around.builder.seconds = 3600.0
        for number in range(10, 14):
            other = RepositoryFacts(id=100 + number, name=f"acme/r{number}")
            around.source.commits[commit(number)] = files(number)
            around.hear(replace(pull_request(number, head=number), repository=other, head_repository=other.id))
        process.bell.hint()
        await asyncio.sleep(5)
        push(around, process, 3)
        await asyncio.sleep(around.policy.pace.drain_limit + around.policy.pace.tick + 1)
        assert not around.everything()[1].draining
        await process.stop()

    on_stage(tmp_path, main)
