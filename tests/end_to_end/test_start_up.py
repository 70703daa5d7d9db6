"""Settings that cannot work end in words at start-up, and `doctor` says how to mend them."""

import socket
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.reconcile.owner import take_place
from revieee.testing.github import PracticeGitHub
from revieee.testing.serving import ControlPlane, ServingError, call, free_port, until
from support.docker import BaseImages
from support.plane import Opened, page, prepared, serving

pytestmark = pytest.mark.slow


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[PracticeGitHub]:
    async with PracticeGitHub(tmp_path / "github") as one:
        yield one


@pytest.fixture
async def refused(tmp_path: Path, github: PracticeGitHub, base_images: BaseImages, nginx: str) -> AsyncIterator["Try"]:
    assert base_images.busybox
    assert nginx
    one = Try(tmp_path, github)
    yield one
    for control in one.made:
        await control.end()


class Try:
    """Starts control planes that are not to start."""

    def __init__(self, folder: Path, github: PracticeGitHub) -> None:
        self.folder, self.github, self.made = folder, github, list[ControlPlane]()

    async def __call__(self, **settings: str) -> str:
        """Give what it says as it ends."""
        control = prepared(self.folder, self.github, **settings)
        self.made.append(control)
        with pytest.raises(ServingError, match="ended with 1"):
            await control.start()
        words = control.tail()
        assert "Traceback" not in words
        return words


async def test_an_empty_webhook_secret(refused: Try) -> None:
    assert "REVIEEE_WEBHOOK_SECRET" in await refused(webhook_secret="")


async def test_an_unknown_setting(refused: Try) -> None:
    assert "REVIEEE_DOMIAN" in await refused(domian="localhost")


async def test_a_port_that_is_taken(refused: Try) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = await refused(listen=f"127.0.0.1:{port}")
    assert str(port) in words
    assert "REVIEEE_LISTEN" in words
    instance = sqlite3.connect(refused.made[-1].data / "revieee.db").execute(
        "SELECT value FROM meta WHERE key = 'instance'"
    )
    assert f"revieee_{instance.fetchone()[0]}" not in (await call("nft", "list", "tables")).out


async def test_a_database_that_cannot_be_reached(refused: Try) -> None:
    words = await refused(database_url=f"postgresql://revieee:hunter2@127.0.0.1:{free_port()}/revieee")
    assert "REVIEEE_DATABASE_URL" in words or "database" in words
    assert "hunter2" not in words


async def test_a_database_that_is_newer_than_the_code(refused: Try) -> None:
    data = refused.folder / "data"
    data.mkdir()
    with sqlite3.connect(data / "revieee.db") as database:
        database.execute("create table alembic_version (version_num varchar(32) not null)")
        database.execute("insert into alembic_version values ('9999')")
    database.close()
    words = await refused()
    assert "newer" in words
    assert "9999" in words


async def test_an_engine_that_is_not_installed(refused: Try) -> None:
    words = await refused(engine="zeppelin")
    assert "zeppelin" in words
    assert "docker" in words


async def test_a_wrong_token(tmp_path: Path, github: PracticeGitHub, nginx: str) -> None:
    assert nginx
    control = prepared(tmp_path, github)
    control.given = replace(control.given, token="ghp_wrong")
    try:
        await control.start()
        ended = await control.command("doctor", "--json")
        assert ended.code == 1
        (bad,) = [one for one in ended.json() if one["severity"] == "bad" and one["subject"] == "GitHub"]
        assert "token" in bad["mend"]
    finally:
        await control.end()


async def test_a_docker_engine_that_is_not_there(tmp_path: Path, nginx: str) -> None:
    assert nginx
    socket_path = tmp_path / "docker.sock"
    async with serving(tmp_path, docker_host=f"unix://{socket_path}") as plane:
        opened = await plane.open("lonely", page("here"))
        assert await until(lambda: _engine_named(opened)), plane.control.tail()
        assert "Docker" in opened.comment
        doctor = await plane.control.command("doctor", "--json")
        assert doctor.code == 1
        assert any("docker" in one["words"].lower() for one in doctor.json() if one["severity"] == "bad")
        # It comes up later, and all goes on by itself.
        socket_path.symlink_to("/var/run/docker.sock")
        await opened.reaches("live", seconds=60)


async def _engine_named(opened: Opened) -> bool:
    return "engine" in opened.comment


async def test_a_data_folder_with_a_long_path(tmp_path: Path, github: PracticeGitHub, nginx: str) -> None:
    assert nginx
    control = prepared(tmp_path / ("long-" * 30), github)
    try:
        await control.start()
        assert (await control.get("localhost", "/healthz")).text == "ok\n"
    finally:
        await control.end()


async def test_a_third_one_in_the_same_folder(tmp_path: Path, github: PracticeGitHub, nginx: str) -> None:
    assert nginx
    first = prepared(tmp_path, github)
    try:
        await first.start()
        with take_place(first.data):
            ended = await first.command("serve")
        assert ended.code == 1
        assert "2 `revieee serve` work in" in ended.err
        assert (await first.get("localhost", "/readyz")).text == "ready\n"
    finally:
        await first.end()
