"""The database is killed, or locked, in the middle: what runs goes on, new work waits, and all recovers by itself."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from tempfile import mkdtemp

import httpx
import pytest

from revieee.testing.demo.traffic import requests
from revieee.testing.serving import until
from support.docker import BaseImages
from support.mortal_server import Server, mortal_server
from support.plane import Opened, Plane, gone, page, serving, slow, under_way

pytestmark = pytest.mark.slow

LOCKED, AWAY = 8.0, 6.0
"""Seconds. A writer waits for five at most before it is told that the database is locked."""


@pytest.fixture(autouse=True)
def parts(base_images: BaseImages, nginx: str) -> None:
    assert base_images.busybox
    assert nginx


@asynccontextmanager
async def visited(opened: Opened, text: str) -> AsyncIterator[None]:
    """Visit an environment all the time; nobody may be turned away."""
    control = opened.plane.control
    url, host = f"http://127.0.0.1:{control.given.port}/", control.at(opened.host)
    async with control.client() as client, requests(client, url, host, (text,)) as traffic:
        yield
    assert traffic.failures == {}
    assert traffic.requests > 0


async def recovered(plane: Plane, *opened: tuple[Opened, str]) -> None:
    """All is live, was told once, and goes without a trace."""
    for one, text in opened:
        await one.reaches("live", seconds=60)
        assert (await one.get()).text == f"{text}\n"
        assert len(one.comments) == 1
        assert len(await one.containers()) == 1
    assert "Traceback" not in plane.control.log.read_text()
    for one, _ in opened:
        await one.close()
    assert await gone(plane) == {}


async def refused(plane: Plane) -> bool:
    """Whether a delivery cannot be stored: it is not answered as if it were."""
    page = await plane.control.get(plane.control.given.domain, "/readyz")
    return page.status_code == httpx.codes.SERVICE_UNAVAILABLE


async def test_a_server_that_is_killed(tmp_path: Path) -> None:
    """Of both kinds at once: what it comes to takes a while."""
    async with asyncio.TaskGroup() as both:
        for kind in ("mariadb", "postgresql"):
            both.create_task(killed(kind, Path(mkdtemp(dir=tmp_path))))


async def killed(kind: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server: Server = stack.enter_context(mortal_server(kind, tmp_path))
        plane = await stack.enter_async_context(serving(tmp_path, database_url=server.url))
        good = await plane.open("good", page("good"))
        await good.reaches("live")
        repository = await plane.repository("missed")
        files = slow("built", 3)
        building = await plane.open("building", files)
        await under_way(files)
        async with visited(good, "good"):
            command = await asyncio.to_thread(server.kill)

            async def noticed() -> bool:
                return await refused(plane)

            assert await until(noticed), plane.control.tail()
            missed = await plane.propose(repository, page("missed"))
            await plane.github.settled()
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(server.start, command)
            await building.reaches("live", seconds=60)
            await missed.reaches("live")
        await recovered(plane, (good, "good"), (building, "built"), (missed, "missed"))


async def test_a_file_that_somebody_locks(tmp_path: Path) -> None:
    async with serving(tmp_path) as plane:
        good = await plane.open("good", page("good"))
        await good.reaches("live")
        files = slow("built", 3)
        building = await plane.open("building", files)
        await under_way(files)
        (file,) = plane.control.data.glob("*.db")
        async with visited(good, "good"):
            with closing(sqlite3.connect(file)) as other:
                other.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(LOCKED)
                other.rollback()
            await building.reaches("live", seconds=60)
        await recovered(plane, (good, "good"), (building, "built"))
