import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from revieee.cli.plan import plan
from support.waiting import eventually

COMPOSE = """
services:
  web: {build: ., ports: ["8080:3000"], depends_on: [db], volumes: ["./conf:/etc/conf"]}
  db: {image: "postgres:16", volumes: ["data:/var/lib/postgresql/data"]}
volumes: {data: }
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    (folder / "conf").mkdir(parents=True)
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "conf" / "run").write_text("#!/bin/sh\n")
    (folder / "conf" / "run").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(plan, arguments)


def test_a_checkout_is_told_in_words(checkout: Path) -> None:
    result = run(str(checkout), "--number", "7")
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    assert "2 services from compose.yaml" in words
    assert "url http://shop-pr-7.localhost:8080 port 3000" in words
    assert "waits for db (started)" in words
    assert "files 1 of the repository (10 bytes)" in words
    assert "volume data at /var/lib/postgresql/data" in words
    assert "when every pull request" in words
    assert "compose.yaml:3" in words
    assert max(map(len, result.output.splitlines())) <= 100


def test_it_is_values_too(checkout: Path) -> None:
    (checkout / "revieee.yml").write_text("env: {B: $BRANCH}\nhooks: {create: seed}\nwhen: {drafts: false}\n")
    value = json.loads(run(str(checkout), "--json", "--branch", "x").output)
    web, db = value["stack"]["services"]
    assert ["B", "x"] in web["environment"]
    assert web["files"] == [{"target": "/etc/conf/run", "mode": 0o755, "uid": 0, "gid": 0, "size": 10}]
    assert db["image"] == "postgres:16"
    assert value["urls"] == {"web": "http://shop-pr-1.localhost:8080"}
    assert value["when"]["drafts"] is False
    assert value["faults"] == []


def test_the_branch_is_that_of_the_checkout_also_in_a_linked_worktree(checkout: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=checkout, check=True)

    def branch(folder: Path) -> object:
        web, _ = json.loads(run(str(folder), "--json").output)["stack"]["services"]
        return dict(web["environment"])["B"]

    (checkout / "revieee.yml").write_text("env: {B: $BRANCH}\n")
    git("init", "-q", "-b", "first")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    git("worktree", "add", "-q", "-b", "team/second", "../linked")
    assert (branch(checkout), branch(checkout.parent / "linked")) == ("first", "team/second")


@pytest.fixture
def endless_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git that never ends; gives the folder for what is temporary."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n: >'{tmp_path}/runs'\nexec sleep 1000\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    return scratch


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_one_that_is_asked_to_end_leaves_nothing_behind(
    checkout: Path, endless_git: Path, number: signal.Signals
) -> None:
    command = (sys.executable, "-c", "from revieee.cli import main; main()", "plan", str(checkout))
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert eventually((endless_git.parent / "runs").exists)
        assert list(endless_git.iterdir())
        process.send_signal(number)
        assert process.wait(timeout=20) == 128 + number
    assert not list(endless_git.iterdir())


@pytest.mark.slow
def test_what_takes_long_is_said_on_a_terminal(checkout: Path, endless_git: Path) -> None:
    ours, theirs = pty.openpty()
    command = (sys.executable, "-c", "from revieee.cli import main; main()", "plan", str(checkout))
    with subprocess.Popen(command, stderr=theirs) as process:
        assert f"Reading the files of {checkout} …".encode() in os.read(ours, 1000)
        process.terminate()
    os.close(ours)
    os.close(theirs)
    assert not list(endless_git.iterdir())


def test_what_is_refused_ends_with_one(checkout: Path) -> None:
    (checkout / "compose.yaml").write_text("services:\n  web:\n    image: a\n    privileged: true\n")
    result = run(str(checkout))
    assert result.exit_code == 1
    assert "compose.yaml:4" in result.output
    assert "`privileged` is refused" in result.output
    [fault] = json.loads(run(str(checkout), "--json").output)["faults"]
    assert (fault["file"], fault["line"]) == ("compose.yaml", 4)


def test_names_of_files_cannot_steer_the_terminal(checkout: Path) -> None:
    (checkout / "compose.yaml").write_text('services:\n  web:\n    image: "\\e[31m"\n')
    assert "\x1b" not in run(str(checkout)).output


def test_a_folder_that_is_not_there_is_wrong_usage(checkout: Path) -> None:
    assert run(str(checkout / "nope")).exit_code == 2


def test_a_dockerfile_is_read_as_a_build_reads_it(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text("# syntax=docker/dockerfile:1\nFROM scratch\n")
    (told,) = [one for one in json.loads(run(str(checkout), "--json").output)["notices"] if one["file"] == "Dockerfile"]
    assert (told["line"], "is left out" in told["words"]) == (1, True)
    (checkout / "Dockerfile").write_text("FROM scratch\nADD http://h/a /a\n")
    refused = run(str(checkout), "--json")
    (fault,) = json.loads(refused.output)["faults"]
    assert (refused.exit_code, fault["file"], fault["line"]) == (1, "Dockerfile", 2)
    assert fault["words"].startswith("ADD of")
