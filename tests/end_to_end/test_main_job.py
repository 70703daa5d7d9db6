"""From a pull request to a running URL, and back; a push that nobody notices, streams and WebSockets included."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import websockets

from revieee.testing.demo.traffic import requests
from revieee.testing.serving import until
from support.plane import Opened, Plane, gone

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

COMPOSE = """
services:
  web:
    build: .
    ports: ["8000"]
    depends_on: [keeper]
  keeper:
    image: busybox
    command: sleep 1000000
    init: true
    volumes: ["kept:/kept"]
volumes:
  kept:
"""
APP = (Path(__file__).parent / "streaming_app.py").read_text()


def files(text: str) -> dict[str, str]:
    dockerfile = 'FROM python:3.11-slim\nCOPY . /app\nCMD ["python3", "-u", "/app/app.py"]\n'
    return {"compose.yaml": COMPOSE, "Dockerfile": dockerfile, "app.py": APP, "text": text}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(plane: Plane) -> Opened:
    return await plane.open("shop", files("first"))


@pytest.fixture(autouse=True)
def needs_python(python_image: str) -> None:
    assert python_image


async def test_an_opened_pull_request_is_told_where_its_running_copy_is(opened: Opened) -> None:
    comment = await opened.reaches("live")
    url = f"http://{opened.plane.control.at(opened.host)}"
    assert url in comment
    assert (await opened.get()).text == "first"


async def test_the_pull_request_has_one_comment_a_deployment_and_a_commit_status(opened: Opened) -> None:
    async def successful() -> bool:
        told = [one.state for one in opened.pull.repository.statuses if one.sha == opened.pull.head_sha]
        return told[-1:] == ["success"]

    assert await until(successful, seconds=30), "the status follows the comment"
    (deployment,) = opened.pull.deployments
    assert (deployment.state, deployment.transient_environment) == ("success", True)
    assert deployment.environment_url == f"http://{opened.plane.control.at(opened.host)}"
    assert len(opened.comments) == 1


async def test_a_push_under_constant_requests_fails_none_and_replaces_only_what_changed(opened: Opened) -> None:
    control = opened.plane.control
    kept = await opened.containers("keeper")
    first = await opened.containers("web")
    url, host = f"http://127.0.0.1:{control.given.port}", control.at(opened.host)
    socket = await websockets.connect(f"ws://{host}/socket", host="127.0.0.1", port=control.given.port, proxy=None)
    async with (
        control.client(timeout=30) as client,
        requests(client, url, host, ("first", "second")) as traffic,
        _Lines(client, url, host) as lines,
    ):
        await socket.send("before")
        assert await socket.recv() == "first: before"
        assert await anext(lines) == "first 0"
        await opened.push({"text": "second"})
        await opened.reaches("live")
        assert (await opened.get()).text == "second"
        await socket.send("after")
        assert await socket.recv() == "first: after", "the old release finishes what is open"
        assert [line async for line in lines][-1] == "first end"
        await asyncio.sleep(0.5)
    await socket.close()
    assert traffic.failures == {}
    assert traffic.versions["first"]
    assert traffic.versions["second"]
    assert await opened.containers("keeper") == kept
    assert (await opened.containers("web"))[:1] != first
    assert len(opened.comments) == 1


async def test_a_force_push_is_served_too(opened: Opened) -> None:
    await opened.plane.github.force_push(opened.pull, files("forced"))
    await opened.reaches("live")
    assert (await opened.get()).text == "forced"


async def test_a_closed_pull_request_leaves_nothing(opened: Opened) -> None:
    await opened.close()
    comment = await opened.reaches("gone")
    assert "gone" in comment
    assert await gone(opened.plane) == {}
    assert await opened.plane.control.routes() == []
    assert (await opened.get()).status_code == httpx.codes.NOT_FOUND
    assert [one.state for one in opened.pull.deployments][-1] == "inactive"


async def test_reopened_it_begins_anew(opened: Opened) -> None:
    await opened.plane.github.reopen(opened.pull)
    await opened.reaches("live")
    assert (await opened.get()).text == "forced"
    await opened.close()
    await opened.reaches("gone")
    assert await gone(opened.plane) == {}


class _Lines:
    """A streaming response, line by line."""

    def __init__(self, client: httpx.AsyncClient, url: str, host: str) -> None:
        self._response = client.stream("GET", f"{url}/stream", headers={"Host": host})

    async def __aenter__(self) -> AsyncIterator[str]:
        return (await self._response.__aenter__()).aiter_lines()

    async def __aexit__(self, *error: object) -> None:
        await self._response.__aexit__(None, None, None)
