"""What tests of the practice GitHub hold: a clock that is moved, a webhook endpoint that keeps what it gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
from starlette.requests import Request
from starlette.responses import Response

from revieee.testing.github.webhooks import authorities

SECRET = "a secret of the test"


@dataclass
class Clock:
    """Time that stands until it is moved."""

    now: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Received:
    event: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A webhook endpoint that keeps what it gets; `status` is its next answers."""

    url: str = ""
    status: int = 202
    received: list[Received] = field(default_factory=list)

    def events(self) -> list[str]:
        return [one.event for one in self.received]

    async def take(self, request: Request) -> Response:
        headers = dict(request.headers)
        self.received.append(Received(headers["x-github-event"], headers, await request.body()))
        return Response(status_code=self.status)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Client = Callable[[str | None], httpx.AsyncClient]
"""Makes a client of the API that signs in with a token (None: with none)."""

Git = Callable[..., Awaitable[Ran]]
"""Runs git as a person would."""


def signed_in(base: str, token: str | None = None) -> httpx.AsyncClient:
    """Make a client below an address, signed in with a token."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=base, headers=headers, timeout=5, trust_env=False, verify=authorities())
