"""Deliveries at a fixed rate, stored and answered, beside a server that answers 202 and stores nothing.

    .venv/bin/python bench/intake.py [RATE] [SECONDS] [DATABASE_URL]

Each server is a process of its own behind a unix socket, as nginx sees it. The sender is open-loop: a delivery leaves
at its time whether or not earlier ones were answered, and its time counts from then, so a stall is seen in full. Ours
checks the signature, stores the delivery on SQLite (`synchronous=FULL`) and handles what is stored meanwhile, as
`revieee serve` does. Ends with 1 if a delivery was not stored or the target (99% within 50 ms at 200/s) is missed.
"""

import asyncio
import contextlib
import hmac
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from revieee.intake.endpoint import webhook_route
from revieee.intake.inbox import Inbox
from revieee.model.policy import AdmissionPolicy
from revieee.reconcile.parts import Bell
from revieee.store.database import Database
from revieee.store.schema import DeliveryRow
from revieee.wiring import SystemClock

SECRET = "a secret of the bench"  # noqa: S105 -- guards nothing
TARGET = 0.050
SERVERS = ("answers only", "Revieee")
PULL_REQUESTS = 50


def ours(url: str) -> Starlette:
    """The webhook as it is wired, and the task that handles what it stored."""
    database, bell, clock = Database(url), Bell(), SystemClock()
    database.open()
    inbox = Inbox(database, AdmissionPolicy(), clock, bell)

    async def handle() -> None:
        listener = bell.listen()
        while True:
            if not await inbox.handle():
                await listener.wait(1.0)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(handle())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        database.close()

    return Starlette(routes=[webhook_route(inbox.store, [SECRET], clock.now)], lifespan=lifespan)


def plain() -> Starlette:
    """The least that a webhook can be."""

    async def endpoint(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse("ok\n", 202)

    return Starlette(routes=[Route("/webhooks/github", endpoint, methods=["POST"])])


def delivery(number: int) -> bytes:
    """One push of many to a few pull requests, as large as GitHub's own (about 25 kB), signed, as HTTP."""
    head, second = f"{number:040x}", number // PULL_REQUESTS
    repository = {"id": 7, "full_name": "acme/shop", "private": True, "default_branch": "main"}
    pull_request = {
        "number": number % PULL_REQUESTS + 1,
        "state": "open",
        "title": "A change",
        "body": "What it is about, at some length. " * 650,
        "user": {"login": "someone"},
        "labels": [{"name": "preview"}],
        "head": {"ref": "feature", "sha": head, "repo": repository},
        "base": {"ref": "main", "sha": "0" * 40, "repo": repository},
        "updated_at": f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
    }
    body = json.dumps(
        {"action": "synchronize", "before": "0" * 40, "pull_request": pull_request, "repository": repository}
    ).encode()
    headers = (
        "POST /webhooks/github HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "X-GitHub-Event: pull_request",
        f"X-GitHub-Delivery: 00000000-0000-0000-0000-{number:012}",
        f"X-Hub-Signature-256: sha256={hmac.digest(SECRET.encode(), body, 'sha256').hex()}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*headers, "", ""]).encode() + body


class Sender:
    """Sends over as many kept connections as it takes."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, request: bytes) -> int:
        """Send one delivery; gives the status of the answer."""
        reader, writer = self._free.pop() if self._free else await asyncio.open_unix_connection(self._socket)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        self._free.append((reader, writer))
        return int(head.split(b" ")[1])

    def close(self) -> None:
        """Let go of all connections."""
        for _, writer in self._free:
            writer.close()


async def measure(socket: Path, rate: int, seconds: int) -> tuple[list[float], int]:
    """Send at that rate for that long; gives the seconds that each took, and how many were answered 202."""
    sender, took, good = Sender(socket), [], 0
    requests = [delivery(number) for number in range(rate * seconds)]
    start = time.perf_counter() + 0.5

    async def one(request: bytes, due: float) -> None:
        nonlocal good
        status = await sender.send(request)
        good += status == 202
        took.append(time.perf_counter() - due)

    sending = []
    for number, request in enumerate(requests):
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sending.append(asyncio.create_task(one(request, due)))
    await asyncio.gather(*sending)
    sender.close()
    return took, good


def run(which: str, folder: Path, url: str, rate: int, seconds: int) -> tuple[list[float], int]:
    """Start a server, measure it, end it."""
    socket = folder / "socket"
    process = subprocess.Popen([sys.executable, __file__, "--serve", which, str(socket), url])
    try:
        while not socket.exists():
            if process.poll() is not None:
                raise SystemExit(f"the server {which!r} did not start")
            time.sleep(0.05)
        return asyncio.run(measure(socket, rate, seconds))
    finally:
        process.terminate()
        process.wait()
        socket.unlink(missing_ok=True)


def serve(which: str, socket: str, url: str) -> None:
    """Be one of the servers."""
    uvicorn.run(
        ours(url) if which == SERVERS[1] else plain(),
        uds=socket,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=3600,
    )


def stored(url: str) -> tuple[int, int]:
    """Count the deliveries in the database, and those of them that were handled."""
    database = Database(url)
    try:
        return database.read_here(
            lambda session: (
                session.scalar(select(func.count(DeliveryRow.id))) or 0,
                session.scalar(select(func.count(DeliveryRow.handled_at))) or 0,
            )
        )
    finally:
        database.close()


def main(rate: int = 200, seconds: int = 30, url: str = "") -> None:
    """Measure both and print the table."""
    with tempfile.TemporaryDirectory(prefix="revieee-bench-") as name:
        url = url or f"sqlite:///{name}/revieee.db"
        found = {which: run(which, Path(name), url, rate, seconds) for which in SERVERS}
        there, handled = stored(url)
    table = Table("server", "sent", "answered 202", "stored", "handled by then", "p50 ms", "p99 ms", "max ms")
    sent, ninety_nine = rate * seconds, {}
    for which, (took, good) in found.items():
        cuts = statistics.quantiles(took, n=100)
        ninety_nine[which] = cuts[98]
        kept = (str(there), str(handled)) if which == SERVERS[1] else ("-", "-")
        times = (f"{1000 * one:.1f}" for one in (statistics.median(took), cuts[98], max(took)))
        table.add_row(which, str(sent), str(good), *kept, *times)
    Console(width=110).print(table)
    print(f"p99, Revieee to answering only: {ninety_nine[SERVERS[1]] / ninety_nine[SERVERS[0]]:.2f}x")
    if there != sent or found[SERVERS[1]][1] != sent or ninety_nine[SERVERS[1]] > TARGET:
        raise SystemExit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:5])
    else:
        given = dict(enumerate(sys.argv))
        main(int(given.get(1, 200)), int(given.get(2, 30)), given.get(3, ""))
