"""What ``list``, ``show``, ``doctor`` and the table of commands print."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from revieee.cli import COMMANDS, main
from revieee.model.facts import RepositoryFacts
from revieee.store.database import Database
from support.storing import facts, record

NARROW = 60


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The store of the settings that the commands find."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEEE_DATA", str(tmp_path / "var"))
    database = Database(f"sqlite:///{tmp_path}/var/revieee.db")
    yield database
    database.close()


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": str(NARROW)}).invoke(main, arguments)


def test_a_list_of_nothing_says_what_would_be_in_it(database: Database) -> None:
    database.open()
    assert run("list").output.startswith("No environments.")


def test_names_stay_whole_in_a_narrow_terminal(database: Database) -> None:
    database.open()
    long = facts(repository=RepositoryFacts(id=8, name=f"acme/{'shop-' * 12}front"))
    record(database, long)
    (_, row) = run("list", "--all").output.splitlines()
    assert row.startswith(f"{long.repository.name}#1 ")


def test_an_environment_is_shown_by_its_name(database: Database) -> None:
    database.open()
    record(database, facts())
    assert facts().head_commit in run("show", "acme/shop#1").output
    assert json.loads(run("show", "acme/shop#1", "--json").output)["environment"] == "acme/shop#1"


def test_a_name_of_another_form_is_wrong_usage(database: Database) -> None:
    database.open()
    assert run("show", "shop").exit_code == 2
    assert run("show", "acme/shop#9").exit_code == 1


def test_a_look_gives_the_instance_no_id(database: Database) -> None:
    assert database.known_instance() is None
    database.open()
    assert database.known_instance() is None
    assert database.instance() == database.known_instance()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_told_in_one_line(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    first = command.get_short_help_str(limit=1000)
    assert f" {first}\n" in CliRunner(env={"COLUMNS": "80"}).invoke(main, ["--help"], terminal_width=80).output
