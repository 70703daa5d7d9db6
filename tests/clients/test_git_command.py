import os
import subprocess
from pathlib import Path

import pytest

from revieee.clients.git import authorization, entries, git
from revieee.clients.process import Command, run

URL = "https://github.example/acme/shop.git"


def settings_of(command: Command) -> dict[str, str]:
    seen = command.environment
    return {
        seen[f"GIT_CONFIG_KEY_{number}"]: seen[f"GIT_CONFIG_VALUE_{number}"]
        for number in range(int(seen["GIT_CONFIG_COUNT"]))
    }


def test_credentials_go_through_the_environment_to_one_address_only() -> None:
    command = git("fetch", "--", URL, settings=authorization(URL, ("x-access-token", "secret")))

    assert "secret" not in " ".join(command.arguments)
    assert settings_of(command)[f"http.{URL}.extraHeader"] == "Authorization: Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0"
    assert authorization(URL, None) == {}


def test_nobodys_settings_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_TRACE_CURL", "1")
    monkeypatch.setenv("GIT_SSL_CAINFO", "/ca.pem")

    seen = git("status").environment

    assert "GIT_DIR" not in seen
    assert "GIT_TRACE_CURL" not in seen
    assert seen["GIT_SSL_CAINFO"] == "/ca.pem"
    assert seen["GIT_CONFIG_GLOBAL"] == os.devnull


@pytest.mark.parametrize(
    "url", ["file:///{}", "{}", "ext::touch% {}/ran", "ssh://localhost/{}", "git://127.0.0.1:1/{}"]
)
async def test_no_protocol_but_http(tmp_path: Path, url: str) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", "--", str(tmp_path / "r")], check=True)  # noqa: ASYNC221  # short

    ended = await run(git("ls-remote", "--", url.format(tmp_path / "r")))

    assert b"not allowed" in ended.errors
    assert not (tmp_path / "ran").exists()


async def test_hooks_do_not_run(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    subprocess.run(["git", "init", "--quiet", "--", str(repository)], check=True)  # noqa: ASYNC221  # short
    hook = repository / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)

    who = {"user.name": "a", "user.email": "a@b"}
    command = git(
        "commit", "--allow-empty", "--quiet", "--message=x", git_dir=repository / ".git", settings=who,
        environment={"GIT_WORK_TREE": str(repository)},
    )  # fmt: skip

    assert (await run(command)).good
    assert not (tmp_path / "ran").exists()


def test_a_listing_is_read_whatever_the_names() -> None:
    listing = (
        b"100644 blob 1111      12\t-x\ny\x00160000 commit 2222       -\tlib\xff\x00040000 tree 3333       -\td\x00"
    )

    found = list(entries(listing))

    assert [(one.path, one.size, one.submodule) for one in found] == [
        ("-x\ny", 12, False),
        ("lib\udcff", None, True),
        ("d", None, False),
    ]
