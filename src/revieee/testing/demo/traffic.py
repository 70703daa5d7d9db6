"""Visitors: constant requests to one page, every failure counted."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

_PAUSE = 0.01
"""Seconds that a visitor rests between two requests."""


@dataclass
class Traffic:
    """What the requests came to."""

    latencies: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    """How many answers each of the texts was in."""

    @property
    def requests(self) -> int:
        """How many there were."""
        return len(self.latencies)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(self.failures.values())

    def percentile(self, share: float) -> float:
        """Give the latency (seconds) that this share of the requests stayed below."""
        ordered = sorted(self.latencies) or [0.0]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@asynccontextmanager
async def requests(client: httpx.AsyncClient, url: str, host: str, texts: Sequence[str]) -> AsyncIterator[Traffic]:
    """Send requests all the time until the block ends; an answer without one of the texts counts as failed.

    Texts may be added meanwhile. Half of the visitors keep their connection, half make a new one each
    time.
    """
    traffic, stop = Traffic(), asyncio.Event()
    heads = ({"Host": host}, {"Host": host, "Connection": "close"}) * 2
    visits = [_visit(client, httpx.Request("GET", url, headers=head), texts, (traffic, stop)) for head in heads]
    visitors = [asyncio.create_task(visit) for visit in visits]
    try:
        yield traffic
    finally:
        stop.set()
        await asyncio.gather(*visitors)


async def _visit(
    client: httpx.AsyncClient, request: httpx.Request, texts: Sequence[str], record: tuple[Traffic, asyncio.Event]
) -> None:
    traffic, stop = record
    while not stop.is_set():
        began = time.monotonic()
        try:
            answer = await client.send(request)
            found = [text for text in texts if text in answer.text]
            if answer.status_code != httpx.codes.OK or not found:
                traffic.failures[f"status {answer.status_code}"] += 1
            traffic.versions.update(found)
        except httpx.HTTPError as error:
            traffic.failures[type(error).__name__] += 1
        traffic.latencies.append(time.monotonic() - began)
        await asyncio.sleep(_PAUSE)
