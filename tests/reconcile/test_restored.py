"""A database from a backup: the engine has what its rows do not know yet."""

from pathlib import Path

import pytest
from sqlalchemy import update

from revieee.store.schema import EnvironmentRow
from support.outside import Outside, Process, pull_request
from support.settling import calm, first_live
from support.stage import on_stage


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
