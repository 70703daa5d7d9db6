"""The engine ends at each step and is started again, under a real control plane: all is reached, nothing is left over.

One pull request lives its life. When an act is first decided on, the engine is killed; in the first thing that the act
does there, it is ended as an upgrade ends it. Its containers end with it, and it forgets nothing.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from revieee.model.lifecycle import Act
from revieee.testing.demo.traffic import requests
from revieee.testing.github import PracticeGitHub
from revieee.testing.serving import until
from support import dying, impatient
from support.docker import BaseImages
from support.dying import DECIDED, Journal
from support.one_life import SERVICES, Life, Play, counted
from support.plane import Plane, gone, page, prepared, serving
from support.private_docker import PrivateDocker, private_docker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]


def revive(engine: PrivateDocker, file: Path) -> None:
    """Start the engine if it was ended, and write down its process's number once it answers."""
    if engine.revive():
        file.write_text(str(engine.pid))


@asynccontextmanager
async def kept_up(engine: PrivateDocker, file: Path) -> AsyncIterator[None]:
    """Start the engine whenever it was ended."""

    async def keep() -> None:
        while True:
            await asyncio.to_thread(revive, engine, file)
            await asyncio.sleep(0.1)

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


@pytest.fixture(scope="module")
def engine(base_images: BaseImages, nginx: str) -> Iterator[PrivateDocker]:
    assert nginx
    with private_docker(base_images.busybox, reachable=True) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory, engine: PrivateDocker) -> Life:
    folder = tmp_path_factory.mktemp("mortal")
    up = folder / "up"
    up.write_text(str(engine.pid))
    async with PracticeGitHub(folder / "github") as github, kept_up(engine, up):
        control = prepared(folder, github, drain_limit="2", docker_host=engine.host)
        control.program = (sys.executable, str(Path(dying.__file__)), str(folder), str(up))
        try:
            await control.start()
            return await Play(Plane(github, control), Journal(folder)).play()
        finally:
            up.unlink(missing_ok=True)
            await control.end()


async def test_it_ended_at_each_act(life: Life) -> None:
    assert {one.act for one in life.deaths if one.when == DECIDED} == {act.value for act in Act}
    doing = {one.act for one in life.deaths if one.when != DECIDED}
    assert {Act.FETCH, Act.BUILD, Act.REPLACE, Act.PREPARE, Act.START, Act.UNDO, Act.DRAIN, Act.REMOVE} <= doing


async def test_every_stage_came_to_what_was_wanted(life: Life) -> None:
    assert life.pages == {"open": "one", "push": "two", "in place": "three", "undo": "three", "superseded": "six"}
    assert set(life.running.values()) == {SERVICES}


async def test_hooks_ran_to_their_end(life: Life) -> None:
    """One that the engine cut off runs anew; an engine that was killed cannot tell whether it had ended just before."""
    assert set(life.notes["create"]) == {"created"}
    assert [commit for commit, _ in itertools.groupby(life.notes["deploy"])] == life.heads


async def test_there_is_one_comment_and_one_deployment_of_each_commit(life: Life) -> None:
    assert len(life.comments) == 1
    assert "state **gone**" in life.comments[0]
    assert set(Counter(life.deployed).values()) == {1}


async def test_nothing_is_left(life: Life) -> None:
    assert life.left == {}
    assert life.routes == []
    assert "Traceback" not in life.log


async def test_gone_for_a_while_it_is_told_and_all_comes_back(engine: PrivateDocker, tmp_path: Path) -> None:
    async with serving(tmp_path, docker_host=engine.host) as plane:
        there = await plane.open("there", page("there"))
        await there.reaches("live")
        await asyncio.to_thread(engine.stop)
        opened = await plane.open("away", page("away"))

        async def told() -> bool:
            return "Docker engine" in opened.comment and "does not answer" in opened.comment

        assert await until(told), opened.comment
        await asyncio.to_thread(engine.start)

        async def shown() -> bool:
            return [(await one.get()).text for one in (there, opened)] == ["there\n", "away\n"]

        assert await until(shown, seconds=60), plane.control.tail()
        await opened.reaches("live")
        assert len(opened.comments) == 1


async def test_hung_for_a_while_it_is_told_visitors_are_answered_and_the_push_ends_live(
    engine: PrivateDocker, tmp_path: Path
) -> None:
    async with PracticeGitHub(tmp_path / "github") as github:
        plane = Plane(github, prepared(tmp_path, github, docker_host=engine.host))
        plane.control.program = (sys.executable, str(Path(impatient.__file__)))
        try:
            await plane.control.start()
            await hung(engine, plane)
        finally:
            await plane.control.end()


async def hung(engine: PrivateDocker, plane: Plane) -> None:
    """Push while the engine stands still."""
    control, opened = plane.control, await plane.open("hung", page("before"))
    await opened.reaches("live")
    url, host = f"http://127.0.0.1:{control.given.port}/", control.at(opened.host)

    async def told() -> bool:
        return "does not answer" in opened.comment

    async def drained() -> bool:
        return len(await opened.containers()) == 1

    visits = requests(client := control.client(), url, host, ("before", "after"))
    async with counted(control) as starts, client, visits as traffic:
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            await opened.push({"index.html": "after\n"})
            assert await until(told, seconds=30), f"{opened.comment}\n{control.tail()}"
            assert (await opened.get()).text == "before\n"
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        await opened.reaches("live")
        assert (await opened.get()).text == "after\n"
        assert await until(drained), "the old one goes"
    assert traffic.failures == {}
    assert sum(starts.values()) == len(opened.comments) == 1
    await opened.close()
    assert await gone(plane) == {}
