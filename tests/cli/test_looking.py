"""What ``list``, ``show``, ``doctor`` and the table of commands print."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from revieee.cli import COMMANDS, main
from revieee.engines.memory import MemoryEngine, World
from revieee.model.facts import RepositoryFacts
from revieee.model.telling import APPROVE, view_of
from revieee.model.view import View
from revieee.reconcile.owner import take_place
from revieee.store import environments, leases, releases
from revieee.store.database import Database
from support.storing import NOW, commit, facts, go_live, lease, record

NARROW = 60


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The store of the settings that the commands find."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEEE_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("REVIEEE_ENGINE", "memory")
    monkeypatch.setenv("REVIEEE_GITHUB_API_URL", "http://127.0.0.1:9")
    database = Database(f"sqlite:///{tmp_path}/var/revieee.db")
    yield database
    database.close()


def doctor() -> dict[str, dict[str, str]]:
    """What `doctor` finds, by subject."""
    return {one["subject"]: one for one in json.loads(run("doctor", "--json").stdout)}


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": str(NARROW)}).invoke(main, arguments)


def told_of(database: Database) -> View:
    (one,) = database.read_here(environments.everything)
    return view_of(one, instance="x", base_url="http://localhost")


def test_a_list_of_nothing_says_what_would_be_in_it(database: Database) -> None:
    database.open()
    assert run("list").stdout.startswith("No environments.")


def test_names_stay_whole_in_a_narrow_terminal(database: Database) -> None:
    database.open()
    long = facts(repository=RepositoryFacts(id=8, name=f"acme/{'shop-' * 12}front"))
    record(database, long)
    (_, row) = run("list", "--all").stdout.splitlines()
    assert row.startswith(f"{long.repository.name}#1 ")


def test_an_environment_is_shown_by_its_name(database: Database) -> None:
    database.open()
    record(database, facts())
    assert facts().head_commit in run("show", "acme/shop#1").output
    assert json.loads(run("show", "acme/shop#1", "--json").stdout)["environment"] == "acme/shop#1"


@pytest.mark.parametrize("command", [("list",), ("show", "acme/shop#1")])
def test_that_nobody_serves_is_said_beside_what_is_shown(
    database: Database, tmp_path: Path, command: tuple[str, ...]
) -> None:
    database.open()
    record(database, facts())
    assert f"`revieee serve` does not run on the data in {tmp_path}/var: nothing here" in run(*command).stderr
    assert run(*command, "--json").stderr == ""
    with take_place(tmp_path / "var"):
        assert run(*command).stderr == ""


def test_one_that_was_killed_moments_ago_does_not_serve(database: Database, tmp_path: Path) -> None:
    database.open()
    with take_place(tmp_path / "var") as place:
        now = time.time()
        assert database.run_here(lambda session: leases.claim_tick(session, place.owner, now=now, until=now + 600))
    assert "`revieee serve` does not run" in run("list").stderr
    assert doctor()["control plane"]["severity"] == "warning"


def test_doctor_names_the_control_plane(database: Database, tmp_path: Path) -> None:
    del database
    (tmp_path / "var").mkdir(exist_ok=True)
    found = doctor()["control plane"]
    assert found["severity"] == "warning"
    assert "systemctl start revieee" in found["mend"]
    with take_place(tmp_path / "var"):
        found = doctor()["control plane"]
    assert (found["severity"], f"process {os.getpid()}" in found["words"]) == ("good", True)


def test_a_data_folder_that_doctor_makes_is_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEEE_ENGINE", "memory")
    monkeypatch.setenv("REVIEEE_GITHUB_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("REVIEEE_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere/r.db")
    run("doctor")
    rights = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("var", "elsewhere", "elsewhere/r.db")}
    assert rights == {"var": 0o700, "elsewhere": 0o700, "elsewhere/r.db": 0o600}


def test_doctor_warns_of_an_app_key_that_everyone_can_read(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    key = tmp_path / "app.pem"
    key.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    key.chmod(0o644)
    monkeypatch.setenv("REVIEEE_GITHUB_APP_ID", "1")
    monkeypatch.setenv("REVIEEE_GITHUB_PRIVATE_KEY", str(key))
    found = doctor()["App's key"]
    assert (found["severity"], f"chmod 600 {key}" in found["mend"]) == ("warning", True)
    key.chmod(0o600)
    assert "App's key" not in doctor()


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
        read = 0

        async def logs(self, *_: object, **__: object) -> AsyncIterator[bytes]:
            yield b"a line\n"
            self.read += 1
            if self.read > 1:  # lines are counted first
                raise KeyboardInterrupt

    database.open()
    record(database, facts())
    database.run_here(partial(go_live, held=lease(database)))
    monkeypatch.setattr("revieee.cli.logs.load_engine", lambda *_: Interrupted(World()))
    ended = run("logs", "--follow", "acme/shop#1", "--service", "web")
    assert (ended.exit_code, ended.output) == (0, "a line\n")
    assert run("logs", "acme/shop#1").exit_code == 1


@pytest.mark.parametrize("more", [("--build", "--follow"), ("--build", "--service", "web"), ("--tail", "-1")])
def test_what_would_be_taken_no_notice_of_is_wrong_usage(database: Database, more: tuple[str, ...]) -> None:
    database.open()
    assert run("logs", "acme/shop#1", *more).exit_code == 2
    assert run("logs", "acme/shop#1", "--follow", "--tail", "0").exit_code == 1, "only what comes; there is no such one"


def test_the_output_of_what_is_gone_is_said_to_be_gone(database: Database) -> None:
    database.open()
    record(database, facts())
    held = lease(database)
    database.run_here(partial(go_live, held=held))
    database.run_here(partial(releases.removed, lease=held, now=NOW + 9))
    ended = run("logs", "acme/shop#1")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "`revieee logs --build acme/shop#1`" in " ".join(ended.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show", "acme/shop#1"), ("--help",)])
def test_what_cannot_be_written_is_told_in_one_line(database: Database, arguments: tuple[str, ...]) -> None:
    database.open()
    record(database, facts())
    command = (sys.executable, "-c", "from revieee.cli import main; main()", *arguments)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith(b"revieee: The output could not be written: No space left on device.\n")
    assert b"Traceback" not in ended.stderr


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
