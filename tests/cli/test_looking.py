"""What ``list``, ``show``, ``doctor`` and the table of commands print."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from revieee.cli import COMMANDS, main
from revieee.engines.memory import MemoryEngine, World
from revieee.model.facts import RepositoryFacts
from revieee.model.telling import APPROVE, view_of
from revieee.model.view import View
from revieee.store import environments
from revieee.store.database import Database
from support.storing import commit, facts, go_live, lease, record

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


def told_of(database: Database) -> View:
    (one,) = database.read_here(environments.everything)
    return view_of(one, instance="x", base_url="http://localhost")


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


def test_what_waits_for_approval_is_named_beside_what_is_live(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.open()
    record(database, facts())
    view = replace(told_of(database), waiting_commit=commit(2), waiting_for="It comes from a fork.", next_act=APPROVE)
    monkeypatch.setattr("revieee.cli.show.view_of", lambda *_, **__: view)
    words = " ".join(run("show", "acme/shop#1").output.split())
    assert f"waiting {commit(2)} waits for approval. It comes from a fork. next Someone" in words.replace("\n", " ")


def test_ctrl_c_ends_following_the_output_quietly(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(MemoryEngine):
        async def logs(self, *_: object, **__: object) -> AsyncIterator[bytes]:
            yield b"a line\n"
            raise KeyboardInterrupt

    database.open()
    record(database, facts())
    database.run_here(partial(go_live, held=lease(database)))
    monkeypatch.setattr("revieee.cli.logs.load_engine", lambda *_: Interrupted(World()))
    ended = run("logs", "--follow", "acme/shop#1", "--service", "web")
    assert (ended.exit_code, ended.output) == (0, "a line\n")
    assert run("logs", "acme/shop#1").exit_code == 1


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show", "acme/shop#1"), ("--help",)])
def test_what_cannot_be_written_is_told_in_one_line(database: Database, arguments: tuple[str, ...]) -> None:
    database.open()
    record(database, facts())
    command = (sys.executable, "-c", "from revieee.cli import main; main()", *arguments)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr == b"revieee: The output could not be written: No space left on device.\n"


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
