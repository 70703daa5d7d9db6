"""``revieee uninstall``: not under a control plane that works, and with a receipt of what was there."""

import asyncio
import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from revieee.cli import main
from revieee.engines.memory import MemoryEngine
from revieee.ports import Placement, Presence
from revieee.reconcile.owner import PLACES, is_free, take_place
from revieee.settings import Settings
from revieee.store import leases
from revieee.store.database import Database
from revieee.wiring import load_engine
from support.storing import facts, record


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation that knows a pull request, of which the engine has something."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(data=tmp_path / "var", engine="memory")
    settings.data.mkdir()
    monkeypatch.setenv("REVIEEE_DATA", str(settings.data))
    monkeypatch.setenv("REVIEEE_ENGINE", settings.engine)
    database = Database(settings.database)
    database.open()
    id_, instance = record(database, facts()), database.instance()
    database.close()
    placement = Placement(instance=instance, environment=id_, incarnation=1, name="acme/shop#1")

    async def place() -> None:
        engine = load_engine(settings, instance)
        await engine.prepare(placement)
        await engine.close()

    asyncio.run(place())
    return settings


def uninstall(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["uninstall", *arguments])


def there(settings: Settings) -> bool:
    """Whether the engine still has something."""

    async def look() -> bool:
        database = Database(settings.database)
        engine = load_engine(settings, instance := database.instance())
        found = await engine.observe_all(instance)
        await engine.close()
        database.close()
        return any(one != Presence() for one in found.values())

    return asyncio.run(look())


@pytest.mark.parametrize("arguments", [(), ("--environments",), ("--json",)])
def test_it_is_refused_while_a_control_plane_works(settings: Settings, arguments: tuple[str, ...]) -> None:
    with take_place(settings.data):
        refused = uninstall(*arguments)
    assert refused.exit_code == 1
    assert f"process {os.getpid()}" in refused.stderr
    assert "systemctl stop revieee" in refused.stderr
    assert there(settings)


@pytest.mark.parametrize("arguments", [(), ("--environments",)])
def test_it_is_refused_while_one_of_another_data_folder_works(
    settings: Settings, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    database, now = Database(settings.database), time.time()
    with take_place(other) as place:
        database.run_here(lambda session: leases.claim_tick(session, place.owner, now=now, until=now + 60))
        refused = uninstall(*arguments)
        assert refused.exit_code == 1
        assert "another data folder" in refused.stderr
        assert there(settings)
        database.run_here(lambda session: leases.free_of(session, place.owner))
    database.close()
    assert "another data folder" not in uninstall(*arguments).stderr


def test_a_data_folder_that_is_closed_to_the_user_is_told_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: Path) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("revieee.cli.uninstall.holders", closed)  # root, who runs this, may open everything
    refused = uninstall("--environments")
    assert (refused.exit_code, "closed to this user" in refused.stderr) == (1, True)
    assert there(settings)


def test_environments_stay_unless_they_are_named(settings: Settings) -> None:
    assert "1 environment is still there. `--environments` removes what there is." in uninstall().stderr
    assert there(settings)


def test_none_may_start_while_it_works(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    remove, free = MemoryEngine.remove, list[bool]()

    async def looked(self: MemoryEngine, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 -- handed through
        free.extend(is_free(settings.data, number) for number in range(1, PLACES + 1))
        await remove(self, *arguments, **named)

    monkeypatch.setattr(MemoryEngine, "remove", looked)
    assert uninstall("--environments").exit_code == 0
    assert free == [False] * PLACES
    assert all(is_free(settings.data, number) for number in range(1, PLACES + 1))


def test_what_the_engine_did_not_remove_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object, **__: object) -> None:
        """Whatever it was asked for, it stays."""

    monkeypatch.setattr(MemoryEngine, "remove", nothing)
    said = uninstall("--environments")
    assert (said.exit_code, "These are still there: " in said.stderr) == (1, True)
    assert there(settings)


def test_the_receipt_says_what_was_there_by_name(settings: Settings) -> None:
    removed = uninstall("--environments", "--json")
    assert json.loads(removed.stdout) == {"removed": ["acme/shop#1 (0 containers)"]}
    assert not there(settings)
    assert uninstall().stdout == "Nothing was there.\n"
