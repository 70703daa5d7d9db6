"""A practice GitHub with a repository, a receiver of its deliveries, and a clock that a test moves."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from revieee.testing.github import DefaultHook, NewRepository, PracticeGitHub, PullRequest, Settings
from revieee.testing.github.server import Server
from testing.practice_parts import SECRET, Client, Clock, Git, Ran, Receiver, signed_in


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one, server = Receiver(), Server("127.0.0.1", 0)
    await server.start(Starlette(routes=[Route("/hook", one.take, methods=["POST"])]))
    one.url = f"http://127.0.0.1:{server.port}/hook"
    yield one
    await server.stop()


@pytest.fixture
async def github(tmp_path: Path, clock: Clock, receiver: Receiver) -> AsyncIterator[PracticeGitHub]:
    """A GitHub with `acme/shop`, where `revieee-bot` may write; its hook goes to `receiver`."""
    settings = Settings(clock=clock, webhook=DefaultHook(receiver.url, SECRET))
    async with PracticeGitHub(tmp_path / "github", settings) as one:
        await one.create_repository(NewRepository("acme/shop", {"Dockerfile": "FROM scratch\n"}))
        one.set_permission("acme/shop", "revieee-bot", "write")
        yield one


@pytest.fixture
async def pull(github: PracticeGitHub) -> PullRequest:
    """Pull request 1 of `acme/shop`: `feature` onto `main`, opened by hana."""
    await github.commit("acme/shop", "feature", {"index.html": "new\n"}, author="hana")
    return await github.open_pull_request("acme/shop", "feature", "A new page")


@pytest.fixture
async def client(github: PracticeGitHub) -> AsyncIterator[Client]:
    """Gives a client of the API that signs in with a token (None: with none)."""
    made: list[httpx.AsyncClient] = []

    def make(token: str | None) -> httpx.AsyncClient:
        made.append(signed_in(github.api, token))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


@pytest.fixture
def bot(github: PracticeGitHub, client: Client) -> httpx.AsyncClient:
    """A client that signs in as `revieee-bot`."""
    return client(github.personal_token("revieee-bot"))


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git as a person would: `await git("clone", url, "folder")`, in the test's folder."""

    async def run(*arguments: str) -> Ran:
        process = await asyncio.create_subprocess_exec(
            "git", "-c", "user.name=Hana", "-c", "user.email=hana@example.com", *arguments,
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )  # fmt: skip
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    return run
