"""Two `revieee serve` on one data folder and one database: processes of their own, real Docker, nginx, databases."""

import asyncio
import contextlib
import hmac
import json
import os
import re
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from revieee.testing.github import PracticeGitHub
from revieee.testing.serving import ControlPlane, ServingError
from support.docker import BaseImages
from support.plane import Opened, Plane, gone, page, prepared, slow, under_way

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LEASE = 30.0
SERVERS = {"mariadb": "mariadb_server", "postgresql": "postgresql_server"}
BUILT = re.compile(r"(\S+#\d+): building of (\w+): done")
COMPOSE = """
services:
  web:
    build: .
    ports: ["80"]
    volumes: ["notes:/www/notes"]
volumes:
  notes:
"""
HOOKS = "hooks: {create: sh -c 'echo created >>/www/notes/all'}\n"


@dataclass
class Pair:
    """Two control planes, and a GitHub that they serve."""

    plane: Plane
    one: ControlPlane
    two: ControlPlane

    def third(self) -> ControlPlane:
        return beside(self.one, "three")

    def said(self, control: ControlPlane) -> str:
        return control.log.read_text(errors="replace")

    def built(self, control: ControlPlane) -> Counter[tuple[str, str]]:
        """The builds that one of them ended well: environment and commit."""
        return Counter(BUILT.findall(self.said(control)))

    async def built_slowly(self, name: str, text: str, seconds: float) -> tuple[Opened, ControlPlane, ControlPlane]:
        """Open a pull request whose build takes that long; gives it, who builds it, and the other one."""
        files = slow(text, seconds)
        opened = await self.plane.open(name, files)
        await under_way(files)
        mine = f"{opened.name}: fetching of" in self.said(self.one)
        return (opened, self.one, self.two) if mine else (opened, self.two, self.one)


def beside(one: ControlPlane, name: str) -> ControlPlane:
    """Make another control plane with the same data folder and settings, and a log of its own."""
    other = ControlPlane(one.data, one.given)
    other.pool, other.log = one.pool, one.data.with_name(f"{name}.log")
    return other


def on(*databases: str) -> pytest.MarkDecorator:
    """Run a test on these databases; the store's own tests run on all of them, and each pair takes half a minute."""
    return pytest.mark.parametrize("url", databases, indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind; nothing for a file in the data folder."""
    if request.param not in SERVERS:
        return ""
    make: Callable[[], str] = request.getfixturevalue(SERVERS[request.param]).fresh
    return make()


@pytest.fixture
async def pair(url: str, tmp_path: Path, base_images: BaseImages, nginx: str) -> AsyncIterator[Pair]:
    assert base_images.busybox
    assert nginx
    async with paired(url, tmp_path) as pair:
        yield pair


@pytest.fixture
async def pairs(
    request: pytest.FixtureRequest, tmp_path: Path, base_images: BaseImages, nginx: str
) -> AsyncIterator[Sequence[Pair]]:
    """One on each kind of server: a test mostly waits for leases, and does so on both at once."""
    assert base_images.busybox
    assert nginx
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for kind, server in SERVERS.items():
            (tmp_path / kind).mkdir()
            url = request.getfixturevalue(server).fresh()
            made.append(await stack.enter_async_context(paired(url, tmp_path / kind)))
        yield made


@contextlib.asynccontextmanager
async def paired(url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    """Run two control planes on a database; nothing stands for a file in the data folder."""
    settings = {"builds": "1"} | ({"database_url": url} if url else {})
    async with PracticeGitHub(tmp_path / "github") as github:
        one = prepared(tmp_path, github, **settings)
        try:
            await one.start()
            two = beside(one, "two")
            try:
                await two.start()
                yield Pair(Plane(github, one), one, two)
            finally:
                await ended(two)
        finally:
            await ended(one)
            await one.end()


async def ended(control: ControlPlane) -> None:
    with contextlib.suppress(ProcessLookupError):
        if control.pid:
            os.kill(control.pid, signal.SIGCONT)
    await control.stop()


async def test_they_share_the_work_and_do_nothing_twice(pairs: Sequence[Pair]) -> None:
    async with asyncio.TaskGroup() as all_of_them:
        for pair in pairs:
            all_of_them.create_task(sharing(pair))


async def sharing(pair: Pair) -> None:
    opened: list[Opened] = []
    for number in range(6):
        files = {**page(f"app {number}"), "compose.yaml": COMPOSE, "revieee.yml": HOOKS}
        opened.append(await pair.plane.open(f"app{number}", files))
    for one in opened:
        await one.reaches("live", seconds=120)
    for one in opened:
        await one.push({"index.html": "again\n"})
    for one in opened:
        await one.reaches("live", seconds=120)
        assert (await one.get("/notes/all")).text == "created\n"
    builds = pair.built(pair.one) + pair.built(pair.two)
    assert len(builds) == 12
    assert set(builds.values()) == {1}, "each commit once"
    assert pair.built(pair.one), pair.two.tail()
    assert pair.built(pair.two), pair.one.tail()
    assert [len(one.comments) for one in opened] == [1] * 6
    listed = await pair.two.command("list", "--json")
    assert {one["state"] for one in listed.json()} == {"live"}

    third = pair.third()
    with pytest.raises(ServingError, match=r"2 `revieee serve` work in"):
        await third.start()
    assert (await opened[0].get()).text == "again\n"
    for one in opened:
        await one.close()
    assert await gone(pair.plane) == {}
    assert "removed of environment" not in pair.said(pair.one) + pair.said(pair.two), "nothing was left to a sweep"


@on(*SERVERS, "sqlite")
async def test_one_is_killed_in_a_build_and_the_other_takes_over(pair: Pair) -> None:
    opened, doomed, heir = await pair.built_slowly("killed", "built", 4)
    doomed.kill()
    began = time.monotonic()
    await doomed.stop()
    late = await pair.plane.open("late", page("late"))
    await opened.reaches("live", seconds=LEASE + 30)
    assert time.monotonic() - began < LEASE, "its place said that it was dead"
    await late.reaches("live")
    assert (await opened.get()).text == "built\n"
    assert len(await opened.containers()) == len(opened.comments) == 1
    deployed = await heir.command("deploy", late.name)
    assert deployed.code == 0, deployed.err
    await doomed.start()
    await opened.close()
    await late.close()
    assert await gone(pair.plane) == {}


@on("sqlite")
async def test_one_is_stopped_in_order_and_the_other_goes_on_at_once(pair: Pair) -> None:
    opened, leaving, _ = await pair.built_slowly("orderly", "built", 3)
    began = time.monotonic()
    assert await leaving.stop() == 0
    await opened.reaches("live", seconds=LEASE)
    assert time.monotonic() - began < LEASE / 2
    assert (await opened.get()).text == "built\n"
    assert len(opened.comments) == 1


async def test_one_that_was_stopped_past_its_lease_writes_nothing(pairs: Sequence[Pair]) -> None:
    async with asyncio.TaskGroup() as all_of_them:
        for pair in pairs:
            all_of_them.create_task(stopped_past_its_lease(pair))


async def stopped_past_its_lease(pair: Pair) -> None:
    opened, paused, other = await pair.built_slowly("paused", "first", 3)
    assert paused.pid
    os.kill(paused.pid, signal.SIGSTOP)
    began = time.monotonic()
    others = [await pair.plane.open(f"meanwhile{n}", page(f"meanwhile {n}")) for n in range(4)]
    for one in others:  # their deliveries were stored, whichever of the two nginx asked first
        await one.reaches("live", seconds=60)
    await opened.reaches("live", seconds=LEASE + 45)
    assert time.monotonic() - began > LEASE / 2
    assert (await opened.get()).text == "first\n"
    containers, left = await opened.containers(), await pair.plane.mine()
    comments = list(opened.comments)

    before = len(pair.said(paused))
    os.kill(paused.pid, signal.SIGCONT)
    await asyncio.sleep(12)  # longer than a tick
    assert await opened.containers() == containers
    assert await pair.plane.mine() == left
    assert opened.comments == comments
    assert len(comments) == 1
    assert "done" not in "".join(re.findall(r".*paused#.*", pair.said(paused)[before:])), "it was late and wrote"
    assert (await opened.get()).text == "first\n"

    await other.stop()
    await opened.push({"index.html": "second\n"})
    await opened.reaches("live", seconds=60)
    assert (await opened.get()).text == "second\n", "it works on"


@on("sqlite")
async def test_deliveries_are_stored_while_one_of_them_is_away(pair: Pair) -> None:
    repository = await pair.plane.repository("shop")
    took: dict[str, list[float]] = {}

    async def ping(how: str) -> None:
        async with pair.one.client(timeout=10) as client:
            for _ in range(6):
                id_, began = str(uuid.uuid4()), time.monotonic()
                assert await deliver(pair.one, client, id_) == "Noted; this event does not concern Revieee.\n"
                took.setdefault(how, []).append(time.monotonic() - began)
            assert await deliver(pair.one, client, id_) == "Known already.\n", "whoever stored it"

    assert pair.one.pid
    os.kill(pair.one.pid, signal.SIGSTOP)
    await ping("hung")
    os.kill(pair.one.pid, signal.SIGCONT)
    pair.one.kill()
    await pair.one.stop()
    await ping("killed")
    await pair.plane.propose(repository, page("one"))
    await pair.one.start()
    pair.two.kill()
    await pair.two.stop()
    await ping("the other one killed")
    await pair.two.start()
    await pair.two.stop()
    await ping("stopped")
    assert sorted(took["hung"])[-2] < 1, took
    assert max(took["hung"]) < 8, took
    assert max(max(took[how]) for how in took if how != "hung") < 1, took


async def deliver(control: ControlPlane, client: httpx.AsyncClient, id_: str) -> str:
    """Send a delivery as GitHub does, and give the answer."""
    body = json.dumps({"action": "created"}).encode()
    signature = hmac.digest(control.given.secret.encode(), body, "sha256").hex()
    answer = await client.post(
        f"http://127.0.0.1:{control.given.port}/webhooks/github",
        content=body,
        headers={
            "Host": control.at(control.given.domain),
            "Content-Type": "application/json",
            "X-GitHub-Event": "star",
            "X-GitHub-Delivery": id_,
            "X-Hub-Signature-256": f"sha256={signature}",
        },
    )
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return answer.text
