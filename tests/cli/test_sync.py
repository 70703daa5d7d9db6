"""What ``sync`` says, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from revieee.cli import main
from revieee.store.database import Database
from support.storing import facts, record

pytestmark = pytest.mark.slow  # a whole control plane is wired

NOBODY = "http://127.0.0.1:9"
"""Where no GitHub answers."""


def sync(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sync", *arguments])


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"ENGINE": "memory", "WEBHOOK_SECRET": "practice-practice", "GITHUB_TOKEN": "t"}.items():
        monkeypatch.setenv(f"REVIEEE_{name}", value)
    monkeypatch.setenv("REVIEEE_GITHUB_API_URL", NOBODY)


def test_while_no_repository_is_known_it_says_how_one_becomes_known() -> None:
    said = sync()
    assert (said.exit_code, said.stdout[:31]) == (0, "No repository is known yet. One")


def test_a_github_that_does_not_answer_is_no_success(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/var/revieee.db")
    database.open()
    record(database, facts())
    database.close()
    said = sync()
    assert said.exit_code == 1
    assert "Not listed: acme/shop. A running `revieee serve` asks again." in said.stderr
    assert json.loads(sync("--json").stdout) == {"open": 0, "not_listed": ["acme/shop"]}
