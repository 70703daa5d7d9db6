"""What ``deploy`` and ``destroy`` print while they wait."""

import itertools
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from revieee.cli import main, wish
from revieee.model.lifecycle import Act
from revieee.store import environments, leases
from revieee.store.database import Database
from support.storing import facts, record


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A store with one pull request that is closed after a few looks at it, by which time somebody was patient."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEEE_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("REVIEEE_ENGINE", "memory")  # the real one would be walled in
    monkeypatch.setattr(wish, "_PATIENCE", -1.0)
    database = Database(f"sqlite:///{tmp_path}/var/revieee.db")
    database.open()
    record(database, facts())
    looks = itertools.count()
    monkeypatch.setattr(
        time, "sleep", lambda _: record(database, facts(after=1, open=False)) if next(looks) == 3 else None
    )
    yield database
    database.close()


def test_while_no_control_plane_runs_that_is_said_once(database: Database) -> None:
    del database
    said = CliRunner().invoke(main, ["deploy", "acme/shop#1"]).output
    assert said.count("`revieee serve` does not run") == 1
    assert "acme/shop#1: Waiting to begin.\n" in said


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_whoever_does_not_wait_hears_at_once_that_no_control_plane_runs(database: Database, command: str) -> None:
    reclaim = partial(environments.reclaim, environment_id=1, incarnation=1, now=time.time())
    assert database.run_here(reclaim), "there is something"
    said = CliRunner().invoke(main, [command, "acme/shop#1", "--no-wait"])
    assert said.stderr.count("`revieee serve` does not run") == 1
    assert CliRunner().invoke(main, [command, "acme/shop#1", "--no-wait", "--json"]).stderr == ""


@pytest.mark.usefixtures("database")
def test_an_empty_commit_approves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("revieee.store.wishes.record_trust", lambda *words, **_: asked.append(words))
    said = CliRunner().invoke(main, ["approve", "acme/shop#1", "--no-wait", "--commit", ""])
    assert (said.exit_code, asked) == (2, [])
    assert "--commit is empty" in said.output


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_ctrl_c_stops_following_only_and_says_so(
    command: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    monkeypatch.setattr(wish, "next_act", lambda _: Act.BUILD)
    ended = CliRunner().invoke(main, [command, "acme/shop#1"])
    assert ended.exit_code == 130
    assert ended.stderr.endswith("\nNot followed any further; it goes on without you.\n")
    assert "Aborted" not in ended.output


def test_one_that_is_busy_is_not_said_to_be_absent(database: Database) -> None:
    claimed = database.run_here(
        lambda session: leases.claim_tick(session, "us", now=time.time(), until=time.time() + 600)
    )
    assert claimed
    said = CliRunner().invoke(main, ["deploy", "acme/shop#1"]).output
    assert "does not run" not in said
    assert "acme/shop#1: Waiting to begin.\n" in said
