"""``revieee uninstall``: not under a control plane that works, and with a receipt of what was there."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from revieee.cli import main
from revieee.ports import Placement, Presence
from revieee.reconcile.owner import take_place
from revieee.settings import Settings
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


def test_environments_stay_unless_they_are_named(settings: Settings) -> None:
    assert "`--environments` removes them too" in uninstall().stderr
    assert there(settings)


def test_the_receipt_says_what_was_there_by_name(settings: Settings) -> None:
    removed = uninstall("--environments", "--json")
    assert json.loads(removed.stdout) == {"removed": ["acme/shop#1 (0 containers)"]}
    assert not there(settings)
    assert uninstall().stdout == "Nothing was there.\n"
