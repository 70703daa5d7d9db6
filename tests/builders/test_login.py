"""The operator's registry login: for the repository's own people, and not for strangers."""

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from builders.conftest import Yard
from revieee.clients.buildkit import find
from revieee.ports import Refused

LOGIN = base64.b64encode(b"operator:password").decode()


@contextlib.asynccontextmanager
async def private_registry() -> AsyncIterator[tuple[str, list[str]]]:
    """A registry that wants a login, and the logins that came ("" where there was none)."""
    logins: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.read(10_000)).decode(errors="replace")  # the engine tries TLS first
        login = re.search(r"^authorization: basic (\S+)\r$", request, re.IGNORECASE | re.MULTILINE)
        logins.append(login[1] if login else "")
        status = "404 Not Found" if login else '401 Unauthorized\r\nWWW-Authenticate: Basic realm="private"'
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", logins


@pytest.fixture(params=["DOCKER_CONFIG", "HOME"])
def operator(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's configuration of docker's clients, which hear of it in one of two ways."""
    folder = tmp_path / "operator" / ".docker"
    folder.mkdir(parents=True)
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv(request.param, str(folder if request.param == "DOCKER_CONFIG" else folder.parent))
    return folder


@pytest.mark.parametrize("refresh", [False, True], ids=["build", "pull"])
@pytest.mark.parametrize("own", [True, False], ids=["own", "stranger"])
async def test_only_the_repository_s_own_people_build_with_it(
    yard: Yard, operator: Path, *, own: bool, refresh: bool
) -> None:
    async with private_registry() as (host, logins):
        (operator / "config.json").write_text(json.dumps({"auths": {host: {"auth": LOGIN}}}))
        request = replace(yard.request(f"FROM {host}/private\n", refresh=refresh), own=own)
        with pytest.raises(Refused, match="could not be pulled"):
            await yard.builder(registries=(host,)).build(request, yard.write)

    assert logins, "the registry was asked"
    assert set(logins) == ({"", LOGIN} if own else {""})


async def test_a_build_plugin_of_the_operator_s_works_for_strangers_too(
    yard: Yard, operator: Path, tmp_path: Path
) -> None:
    real = await find()
    assert real is not None
    client, plugin = tmp_path / "docker", operator / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir()
    for program, lines in ((client, "echo Docker version 28.0.0"), (plugin, f'exec {real.build[0]} "$@"')):
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(0o755)

    found = await find((str(client),))
    assert found is not None
    assert found.build == (str(plugin),)
    request = replace(yard.request("FROM BASE\n"), own=False)
    assert (await yard.builder(clients=(str(client),)).build(request, yard.write)).id
