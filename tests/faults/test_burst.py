"""A thousand deliveries at once, over HTTP and into a store on a disk, while the reconciler works on what they say."""

import asyncio
import hmac
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from revieee.engines.memory import MemoryEngine, World
from revieee.intake.endpoint import PATH, webhook_route
from revieee.intake.inbox import Inbox
from revieee.model.policy import AdmissionPolicy, Policy
from revieee.reconcile.loop import Reconciler
from revieee.reconcile.parts import Bell, Parts
from revieee.store import environments, inbox
from revieee.store.database import Database
from revieee.testing.github.server import Server
from revieee.testing.parts import MemoryRouter, MemorySource
from revieee.testing.serving import until
from revieee.wiring import SystemClock
from support.outside import Builder
from support.reconciling import COMPOSE, REPOSITORY, commit
from support.storing import opened

PULLS, EACH = 50, 20
AT_ONCE = 20
"""Connections on which they come."""
SECRET = "practice"


def head(number: int, push: int) -> str:
    """Give the commit of a pull request's push."""
    return commit(1000 * number + push)


def delivery(number: int, push: int) -> bytes:
    """Say what GitHub says of a push; the first one opens the pull request."""
    repository = {"id": REPOSITORY.id, "full_name": REPOSITORY.name}
    pull = {
        "number": number,
        "state": "open",
        "head": {"ref": f"feature-{number}", "sha": head(number, push), "repo": repository},
        "base": {"ref": "main"},
        "labels": [],
        "updated_at": f"2026-01-01T00:00:{push:02}Z",
    }
    action = {"action": "synchronize", "before": head(number, push - 1)} if push else {"action": "opened"}
    return json.dumps(action | {"pull_request": pull, "repository": repository}).encode()


async def send(url: str, bodies: Sequence[bytes]) -> set[int]:
    """Send deliveries as GitHub does; gives the statuses."""
    statuses: set[int] = set()
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=30) as client:  # noqa: S501 -- plain HTTP only
        for body in bodies:
            digest = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
            headers = {
                "Content-Type": "application/json",
                "X-GitHub-Event": "pull_request",
                "X-GitHub-Delivery": f"{random.getrandbits(128):032x}",
                "X-Hub-Signature-256": f"sha256={digest}",
            }
            statuses.add((await client.post(url, content=body, headers=headers)).status_code)
    return statuses


@asynccontextmanager
async def serving(parts: Parts) -> AsyncIterator[str]:
    """Take deliveries in and reconcile until the block ends; gives the address of the endpoint."""
    inbox_, listener = Inbox(parts.database, AdmissionPolicy(), parts.clock, parts.bell), parts.bell.listen()

    async def intake() -> None:
        while True:
            if not await inbox_.handle():
                await listener.wait(1)

    server = Server("127.0.0.1", 0)
    await server.start(Starlette(routes=[webhook_route(inbox_.store, (SECRET,), time.time)]))
    tasks = [asyncio.create_task(intake()), asyncio.create_task(Reconciler(parts).run())]
    try:
        yield f"http://127.0.0.1:{server.port}{PATH}"
    finally:
        left = set(tasks)
        while left:  # a cancellation may be lost: see `revieee.cli.serve`
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1)
        await server.stop()


def around(folder: Path, database: Database) -> tuple[Parts, Builder]:
    """Make a control plane on the memory engine, in front of all commits."""
    source, world = MemorySource(), World()
    for number in range(1, PULLS + 1):
        for push in range(EACH):
            files = {"compose.yaml": COMPOSE, "Dockerfile": b"FROM busybox", "c": head(number, push).encode()}
            source.commits[head(number, push)] = files
    builder = Builder(world, database.instance())
    builder.seconds = 2.0
    parts = Parts(
        instance=database.instance(),
        owner="test",
        database=database,
        source=source,
        builder=builder,
        engine=MemoryEngine(world),
        router=MemoryRouter(),
        clock=SystemClock(),
        policy=Policy(),
        data=folder,
        bell=Bell(),
    )
    return parts, builder


@pytest.mark.slow
async def test_a_burst_over_fifty_pull_requests_builds_the_newest_commit_of_each(tmp_path: Path) -> None:
    database = opened(tmp_path, Database)
    parts, builder = around(tmp_path, database)
    burst = [delivery(number, push) for number in range(1, PULLS + 1) for push in range(EACH)]
    random.Random(1).shuffle(burst)  # noqa: S311 -- any order, the same each time
    try:
        async with serving(parts) as url:
            parcels = [burst[start::AT_ONCE] for start in range(AT_ONCE)]
            answered = await asyncio.gather(*(send(url, parcel) for parcel in parcels))

            async def calm() -> bool:
                there = await database.read(environments.everything)
                return len(there) == PULLS and all(
                    one.live is not None and one.live.commit == head(one.name.number, EACH - 1) for one in there
                )

            assert await until(calm, seconds=60, pause=0.3)
        assert set().union(*answered) == {httpx.codes.ACCEPTED}
        assert await database.read(inbox.unhandled) == []
        assert PULLS <= builder.ended < 2 * PULLS, "what was superseded is not built to its end"
    finally:
        database.close()
