"""The base images stand in for the official ones: same entrypoint, variables and programs."""

import json
import uuid
from collections.abc import Iterator

import psycopg
import pymysql
import pytest

from revieee.testing import images
from support.docker import BaseImages, docker
from support.waiting import eventually

HARD_PASSWORD = "it's \\ hard"


@pytest.fixture
def container(docker_engine_ready: None) -> Iterator[str]:  # noqa: ARG001 - asked for its effect
    """A name for a container, which is removed afterwards with its volumes."""
    name = f"test-image-{uuid.uuid4().hex[:8]}"
    yield name
    docker("rm", "--force", "--volumes", name)


def address(name: str) -> str:
    [found] = json.loads(docker("inspect", name))
    host: str = found["NetworkSettings"]["IPAddress"]
    return host


def test_busybox_finds_a_peer_by_its_host_entry(base_images: BaseImages) -> None:
    output = docker("run", "--rm", "--add-host=peer:127.0.0.1", base_images.busybox, "ping", "-c1", "peer")
    assert "127.0.0.1" in output


def test_an_image_that_is_there_is_not_made_again(base_images: BaseImages) -> None:
    before = docker("image", "inspect", "--format={{.Id}}", base_images.busybox)
    images.ensure(images.BUSYBOX)
    assert docker("image", "inspect", "--format={{.Id}}", base_images.busybox) == before


def test_an_image_of_that_name_that_was_not_made_here_is_left_alone(base_images: BaseImages, container: str) -> None:
    tag = f"{container}:latest"
    docker("create", f"--name={container}", base_images.busybox)
    docker("commit", f"--change=LABEL {images.LABEL}=", container, tag)  # a label that is empty counts as none
    try:
        before = docker("image", "inspect", "--format={{.Id}}", tag)
        images.ensure(images.Recipe(tag=tag, changes=()))
        assert docker("image", "inspect", "--format={{.Id}}", tag) == before
    finally:
        docker("rmi", tag)


def test_python_runs(base_images: BaseImages) -> None:
    assert docker("run", "--rm", base_images.python, "python", "-c", "import ssl, sqlite3; print('yes')") == "yes"


def test_postgresql_takes_the_official_variables(base_images: BaseImages, container: str) -> None:
    settings = ("--env=POSTGRES_USER=someone", f"--env=POSTGRES_PASSWORD={HARD_PASSWORD}", "--env=POSTGRES_DB=shop")
    docker("run", "--detach", f"--name={container}", *settings, base_images.postgresql)

    def version() -> str | None:
        try:
            with psycopg.connect(
                host=address(container), user="someone", password=HARD_PASSWORD, dbname="shop"
            ) as link:
                return str(link.execute("SHOW server_version").fetchone())
        except psycopg.OperationalError:
            return None

    assert eventually(version)
    assert "accepting connections" in docker("exec", container, "pg_isready")
    assert "postgres" in docker("exec", container, "stat", "-c", "%U", "/proc/1")


def test_postgresql_without_a_password_ends_and_says_why(base_images: BaseImages, container: str) -> None:
    docker("run", "--detach", f"--name={container}", base_images.postgresql)
    assert docker("wait", container) == "1"


def test_mariadb_takes_the_official_variables(base_images: BaseImages, container: str) -> None:
    settings = (
        f"--env=MYSQL_ROOT_PASSWORD={HARD_PASSWORD}",
        "--env=MARIADB_DATABASE=shop",
        "--env=MARIADB_USER=someone",
        f"--env=MARIADB_PASSWORD={HARD_PASSWORD}",
    )
    docker("run", "--detach", f"--name={container}", *settings, base_images.mariadb)

    def connects(user: str) -> bool:
        try:
            pymysql.connect(host=address(container), user=user, password=HARD_PASSWORD, database="shop").close()
        except pymysql.err.OperationalError:
            return False
        return True

    assert eventually(lambda: connects("someone"))
    assert connects("root")
    assert "mysql" in docker("exec", container, "stat", "-c", "%U", "/proc/1")
