"""A database from a backup: the engine has what its rows do not know yet."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from revieee.engines.memory import Fault, MemoryEngine
from revieee.ports import Placement, Presence, RetryLater
from revieee.reconcile.restored import FILE, begin_anew_if_restored
from revieee.store.schema import EnvironmentRow
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import calm, first_live
from support.stage import on_stage

pytestmark = pytest.mark.slow


async def reopened(around: Outside) -> None:
    """Let pull request 1 be in its second life, and nobody work."""
    process = await first_live(around)
    for after, is_open in ((10, False), (20, True)):
        around.hear(pull_request(after=after, open=is_open))
        process.bell.hint()
        assert await calm(around)
    assert around.everything()[1].incarnation == 2
    await process.stop()


def restore(around: Outside, **of_backup: object) -> None:
    values = {"incarnation": 1} | of_backup
    around.database.run_here(lambda session: session.execute(update(EnvironmentRow).values(values)))


@pytest.mark.parametrize("of_backup", [{}, {"placed": False}], ids=["made while it was there", "made before it was"])
def test_what_a_backup_does_not_know_is_removed_and_begins_anew(tmp_path: Path, of_backup: dict[str, object]) -> None:
    async def play(around: Outside) -> None:
        await reopened(around)
        restore(around, **of_backup)
        process = Process(around)
        process.start()
        assert await calm(around)
        environment = around.everything()[1]
        assert environment.incarnation == 3
        assert environment.live is not None
        volumes = [str(row["name"]) for row in around.world.read("SELECT name FROM things WHERE kind = 'volume'")]
        assert volumes
        assert all("/1/3/" in name for name in volumes), "one life only"
        await process.stop()

    on_stage(tmp_path, play)


def test_a_close_after_a_restore_ends(tmp_path: Path) -> None:
    async def play(around: Outside) -> None:
        await reopened(around)
        restore(around)
        around.hear(pull_request(after=30, open=False))
        process = Process(around)
        process.start()
        assert await calm(around)
        assert not around.everything()[1].placed
        assert around.world.read("SELECT name FROM things WHERE environment = 1") == []
        assert around.world.read("SELECT name FROM containers") == []
        await process.stop()

    on_stage(tmp_path, play)


def copied(source: Path, target: Path) -> None:
    """Do what sqlite3's `.backup` and `.restore` do."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def back_up(around: Outside) -> None:
    copied(around.folder / "store.db", around.folder / "backup.db")


def bring_back(around: Outside) -> None:
    copied(around.folder / "backup.db", around.folder / "store.db")


async def opened_since_the_backup(around: Outside, process: Process, number: int) -> set[str]:
    """Open one of which the backup knows nothing, let it be live and end the process; gives what is there."""
    around.source.commits[commit(number)] = files(number)
    around.hear(pull_request(number, head=number, after=10))
    process.bell.hint()
    await asyncio.sleep(60)
    assert await calm(around)
    assert around.everything()[number].live is not None
    there = things(around)
    await process.stop()
    return there


def things(around: Outside) -> set[str]:
    """Everything on the engine, by name; each tells its incarnation."""
    tables = ("SELECT name FROM containers", "SELECT name FROM things WHERE environment != 0 AND kind != 'image'")
    return {str(row["name"]) for query in tables for row in around.world.read(query)}


async def restarted(around: Outside) -> Process:
    process = Process(around)
    await begin_anew_if_restored(process.parts)
    process.start()
    return process


def test_after_a_restore_nobody_finds_anything_of_another_one(tmp_path: Path) -> None:
    """The restored database gives the number of an environment that it does not know to the next one."""

    async def play(around: Outside) -> None:
        process = await restarted(around)
        await asyncio.sleep(60)
        back_up(around)
        of_one = await opened_since_the_backup(around, process, 1)

        around.source.commits[commit(2)] = files(2)
        bring_back(around)
        assert around.everything() == {}
        around.hear(pull_request(2, head=2, after=100))
        process = await restarted(around)
        assert await calm(around)
        environment = around.everything()[1]
        assert environment.facts.number == 2
        assert environment.live is not None
        assert things(around)
        assert not things(around) & of_one
        before = things(around)
        await process.stop()

        process = await restarted(around)
        assert await calm(around)
        assert things(around) == before, "once is enough"
        await process.stop()

    on_stage(tmp_path, play)


def test_what_one_process_began_anew_another_one_that_is_late_leaves_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(around: Outside) -> None:
        process = await restarted(around)
        await asyncio.sleep(60)
        back_up(around)
        await asyncio.sleep(60)
        await process.stop()
        bring_back(around)
        around.source.commits[commit(1)] = files(1)
        around.hear(pull_request(1))
        late, begun, there = Process(around), list[Process](), set[str]()
        observe_all = late.parts.engine.observe_all

        async def observed_late(instance: str) -> Mapping[int, Presence]:
            begun.append(await restarted(around))
            assert await calm(around)
            there.update(things(around))
            return await observe_all(instance)

        monkeypatch.setattr(late.parts.engine, "observe_all", observed_late)
        await begin_anew_if_restored(late.parts)
        assert things(around) == there != set()
        await begun[0].stop()

    on_stage(tmp_path, play)


@pytest.mark.parametrize("written", [None, "", "no number", "0", "5"])
def test_a_database_that_lost_a_few_ticks_or_has_no_count_beside_it_came_from_no_backup(
    tmp_path: Path, written: str | None
) -> None:
    async def play(around: Outside) -> None:
        process = await first_live(around)
        await asyncio.sleep(60)
        before = things(around)
        await process.stop()
        if written is not None:
            (around.folder / FILE).write_text(written)
        process = await restarted(around)
        assert await calm(around)
        assert things(around) == before
        await process.stop()

    on_stage(tmp_path, play)


def used_by_somebody(environment: int) -> Callable[..., Awaitable[None]]:
    """An engine's removal of all that an environment has, which fails."""
    remove = MemoryEngine.remove

    async def used(self: MemoryEngine, place: Placement, keys: Collection[str] | None, **more: Any) -> None:  # noqa: ANN401 -- handed through
        if place.environment == environment and keys is None:
            raise RetryLater("Docker cannot remove the volume, which the container backup uses.")
        await remove(self, place, keys, **more)

    return used


def test_what_cannot_be_removed_holds_up_no_other_and_is_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's own container may use a volume of ours; nothing at all was done until it did not."""

    async def play(around: Outside) -> None:
        process = await first_live(around)
        await asyncio.sleep(60)
        back_up(around)
        before = await opened_since_the_backup(around, process, 2)
        of_two = {name for name in before if "/2/" in name}

        around.source.commits[commit(3)] = files(3)
        bring_back(around)
        with monkeypatch.context() as patch:
            patch.setattr(MemoryEngine, "remove", used_by_somebody(2))
            around.hear(pull_request(3, head=3, after=100))
            assert around.everything()[2].facts.number == 3
            process = await asyncio.wait_for(restarted(around), 60)
            await asyncio.sleep(60)
            assert around.everything()[1].live is not None
            assert things(around) & before == of_two
        await asyncio.sleep(around.policy.pace.last_retry)
        around.hear(pull_request(4, head=3, after=200))
        process.bell.hint()
        assert await calm(around)
        assert all(one.live is not None for one in around.everything().values())
        assert len(around.everything()) == 3
        assert not things(around) & before
        await process.stop()

    on_stage(tmp_path, play)


@pytest.mark.parametrize("error", ["later", "fault"])
def test_an_engine_that_is_away_is_waited_for(tmp_path: Path, error: str) -> None:
    async def play(around: Outside) -> None:
        process = await first_live(around)
        await asyncio.sleep(60)
        await process.stop()
        before = things(around)
        (around.folder / FILE).write_text("1000000")
        around.world.fail("observe_all", Fault(error=error), times=3)
        process = await restarted(around)
        assert await calm(around)
        assert around.everything()[1].live is not None
        assert not things(around) & before
        await process.stop()

    on_stage(tmp_path, play)
