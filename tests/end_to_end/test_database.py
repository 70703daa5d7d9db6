"""A web service with a real PostgreSQL: kept by an update, replaced in place when it changes itself, put back."""

import asyncio

import httpx
import pytest
import pytest_asyncio

from revieee.testing.demo.traffic import requests
from revieee.testing.github import GitFile
from support.plane import Files, Opened, Plane, gone

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

COMPOSE = """
services:
  web:
    build: .
    ports: ["8080"]
    environment: {PGHOST: db, PGUSER: postgres, PGPASSWORD: secret}
    depends_on:
      db: {condition: service_healthy}
  db:
    image: postgres:16
    command: postgres -c work_mem=%s
    environment: {POSTGRES_PASSWORD: secret}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck:
      test: pg_isready -U postgres -h 127.0.0.1
      interval: 1s
    shm_size: 128m
volumes:
  data:
"""
DOCKERFILE = """
FROM postgres:16
COPY --from=busybox /bin/busybox /usr/local/bin/busybox
COPY www /www
ENTRYPOINT []
CMD ["busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
ASK = b"""#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
psql -qtA -c "$(busybox httpd -d "$QUERY_STRING")" 2>&1
"""


def files(text: str, *, work_mem: str = "4MB", **more: str) -> Files:
    return {
        "compose.yaml": COMPOSE % work_mem,
        "Dockerfile": DOCKERFILE,
        "www/index.html": f"{text}\n",
        "www/cgi-bin/sql": GitFile(ASK, "100755"),
        **more,
    }


async def sql(opened: Opened, statement: str) -> str:
    """Have the app ask its database."""
    answer = await opened.get(f"/cgi-bin/sql?{httpx.QueryParams({'': statement})}".replace("?=", "?"))
    return answer.text.strip()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(plane: Plane) -> Opened:
    return await plane.open("ledger", files("first"))


@pytest.fixture(autouse=True)
def needs_postgresql(postgresql_image: str) -> None:
    assert postgresql_image


async def test_an_app_with_its_database_comes_up(opened: Opened) -> None:
    await opened.reaches("live", seconds=90)
    assert await sql(opened, "create table goods (name text); insert into goods values ('scarf')") == ""
    assert await sql(opened, "select name from goods") == "scarf"


async def test_an_update_of_the_web_service_leaves_the_database_running(opened: Opened) -> None:
    database = await opened.containers("db")
    await opened.push({"www/index.html": "second\n"})
    await opened.reaches("live")
    assert (await opened.get()).text == "second\n"
    assert await opened.containers("db") == database
    assert await sql(opened, "select name from goods") == "scarf"


async def test_a_changed_database_is_replaced_in_place_while_requests_are_held(opened: Opened) -> None:
    control, database = opened.plane.control, await opened.containers("db")
    url, host = f"http://127.0.0.1:{control.given.port}/", control.at(opened.host)
    async with control.client(timeout=60) as client, requests(client, url, host, ("second",)) as traffic:
        await opened.push({"compose.yaml": COMPOSE % "8MB"})
        await opened.reaches("live", seconds=90)
        await asyncio.sleep(0.3)
    assert traffic.failures == {}
    assert traffic.percentile(1) > 0.3, "some were held"
    assert await opened.containers("db") != database
    assert await sql(opened, "show work_mem") == "8MB"
    assert await sql(opened, "select name from goods") == "scarf"


async def test_a_database_that_does_not_start_is_put_back(opened: Opened) -> None:
    control, live = opened.plane.control, opened.pull.head_sha
    url, host = f"http://127.0.0.1:{control.given.port}/", control.at(opened.host)
    async with control.client(timeout=60) as client, requests(client, url, host, ("second",)) as traffic:
        await opened.push({"compose.yaml": COMPOSE % "nonsense"})
        comment = await opened.reaches("failed", seconds=90)
        await asyncio.sleep(0.3)
    assert traffic.failures == {}
    assert "work_mem" in comment, "the last lines of the log say why"
    assert live[:7] in comment
    assert await sql(opened, "show work_mem") == "8MB"
    assert await sql(opened, "select name from goods") == "scarf"


async def test_closed_it_leaves_no_data(opened: Opened) -> None:
    await opened.close()
    await opened.reaches("gone")
    assert await gone(opened.plane) == {}
