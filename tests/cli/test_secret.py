"""``revieee secret``: values go in by standard input, and never come out."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from revieee.cli import main
from revieee.cli.serve import _tell_of_key
from revieee.settings import Settings
from revieee.store.database import Database
from support.storing import facts, record

VALUE = "hunter22hunter22"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of the settings that the commands find; it knows one repository."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "var"
    folder.mkdir()
    monkeypatch.setenv("REVIEEE_DATA", str(folder))
    monkeypatch.setenv("REVIEEE_ENGINE", "memory")
    monkeypatch.setenv("REVIEEE_GITHUB_API_URL", "http://127.0.0.1:9")
    database = Database(f"sqlite:///{folder}/revieee.db")
    database.open()
    record(database, facts())
    database.close()
    return folder


def run(*arguments: str, said: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, ["secret", *arguments], input=said)
    assert VALUE not in result.output
    return result


def test_set_listed_and_taken_away(folder: Path) -> None:
    assert run("key").exit_code == 0
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
    assert run("set", "acme/shop", "TOKEN", said=f"{VALUE}\n".encode()).exit_code == 0
    assert [one["name"] for one in json.loads(run("list", "acme/shop", "--json").output)] == ["TOKEN"]
    assert run("list", "acme/shop").output.startswith("TOKEN  set 20")
    assert "1 sealed anew" in run("rotate").output
    assert run("unset", "acme/shop", "TOKEN").exit_code == 0
    assert run("list", "acme/shop").output == ""
    assert run("unset", "acme/shop", "TOKEN").exit_code == 1


def test_without_a_key_nothing_is_read_and_the_next_step_is_told(folder: Path) -> None:
    assert folder.is_dir()
    refused = run("set", "acme/shop", "TOKEN", said=VALUE.encode())
    assert refused.exit_code == 1
    assert "revieee secret key" in refused.output


@pytest.mark.parametrize(
    ("arguments", "said", "code", "words"),
    [
        (("set", "acme/shop", "PATH"), VALUE, 2, "taken"),
        (("set", "acme/shop", "A-B"), VALUE, 2, "no name of a secret"),
        (("set", "acme/shop", "TOKEN"), "abc\n", 1, "has 3 bytes"),
        (("set", "acme/other", "TOKEN"), VALUE, 1, "does not know acme/other"),
        (("set", "../etc", "TOKEN"), VALUE, 2, "owner/repository"),
        (("list", "acme/other"), "", 1, "does not know acme/other"),
    ],
)
def test_bad_input_is_told_without_the_value(
    folder: Path, arguments: tuple[str, ...], said: str, code: int, words: str
) -> None:
    assert folder.is_dir()
    run("key")
    refused = run(*arguments, said=said.encode())
    assert (refused.exit_code, words in refused.output) == (code, True), refused.output


def found() -> tuple[str, str]:
    """What `doctor` says of the key."""
    findings = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    (one,) = [one for one in findings if one["subject"] == "secret key"]
    return one["severity"], one["words"]


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("REVIEEE_SECRET_KEY", "short", "holds no key"),
        ("REVIEEE_SECRET_KEY_FILE", "/nope", "cannot be read"),
        ("REVIEEE_SECRET_KEY_FILE", "/", "must be a file of this user"),
    ],
)
def test_a_key_that_cannot_be_used_is_told_before_a_secret_needs_it(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    setting: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(setting, value)
    severity, said = found()
    assert (severity, words in said) == ("bad", True), said
    _tell_of_key(Settings(data=folder))
    assert words in caplog.text


def test_a_key_that_others_can_read_is_told_before_a_secret_needs_it(folder: Path) -> None:
    severity, words = found()
    assert (severity, "there is none" in words) == ("good", True)
    run("key")
    severity, words = found()
    assert (severity, str(folder / "secret.key") in words) == ("good", True)
    (folder / "secret.key").chmod(0o640)
    severity, words = found()
    assert (severity, "mode 0600" in words) == ("bad", True)


def test_a_lost_key_is_told_by_doctor(folder: Path) -> None:
    run("key")
    run("set", "acme/shop", "TOKEN", said=VALUE.encode())
    (folder / "secret.key").unlink()
    findings = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    (told,) = [one for one in findings if one["subject"] == "secret key"]
    assert told["severity"] == "bad"
    assert "does not start" in told["mend"]
