"""What goes wrong on demand, and the record of what was asked: the tests' hand on the practice GitHub's switches.

A route is written as `METHOD /path/{parameter}`, below the API's prefix and as GitHub's documentation writes it, for
example `POST /repos/{owner}/{repo}/issues/{issue_number}/comments`; git's are `GET git/info/refs`,
`POST git/git-upload-pack` and `POST git/git-receive-pack`. Patterns use the wildcards of a shell: `POST */comments`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

FaultKind = Literal[
    "error",  # answers 500
    "bad gateway",  # answers 502 with HTML, as GitHub's edge does
    "unavailable",  # answers 503
    "unauthorized",  # answers 401, bad credentials
    "forbidden",  # answers 403
    "secondary limit",  # answers 403 with Retry-After, the secondary rate limit
    "rate limit",  # answers 403 with nothing remaining, the primary rate limit
    "not found",  # answers 404
    "hang",  # never answers; nothing is done
    "hold",  # waits for `release`, then does and answers; what was asked lands even if the asker is gone
    "slow",  # waits `seconds`, then does and answers
    "cut",  # drops the connection; nothing is done
    "landed",  # does it, then drops the connection without an answer
]


@dataclass(eq=False)
class Fault:
    """A fault to come; `times` None means until it is cleared. `seconds` is the Retry-After or the slowness."""

    kind: FaultKind
    route: str
    times: int | None
    seconds: float
    met: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first request meets it: `await fault.met.wait()`."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let go of the requests that a `hold` keeps."""
        self.gate.set()


@dataclass(frozen=True)
class Asked:
    """One request that came in; `status` is 0 where no answer was given."""

    route: str
    path: str
    login: str | None
    status: int


@dataclass
class RateLimit:
    """The primary rate limit; set `remaining` to bring its end nearer."""

    limit: int = 5000
    remaining: int = 5000
    reset: datetime | None = None

    def spend(self, now: datetime) -> bool:
        """Count one request; False where none was left."""
        if self.reset is None or now >= self.reset:
            if self.reset is not None:
                self.remaining = self.limit
            self.reset = now + timedelta(hours=1)
        if self.remaining <= 0:
            return False
        self.remaining -= 1
        return True

    def headers(self) -> dict[str, str]:
        """Write it as GitHub's headers."""
        figures = {"limit": self.limit, "remaining": self.remaining, "used": self.limit - self.remaining}
        reset = 0 if self.reset is None else int(self.reset.timestamp())
        return {f"X-RateLimit-{key}": str(value) for key, value in (figures | {"reset": reset}).items()} | {
            "X-RateLimit-Resource": "core"
        }


@dataclass
class Faults:
    """The faults to come and the requests that came."""

    pending: list[Fault] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def next(self, kind: FaultKind, route: str = "*", times: int | None = 1, seconds: float = 60.0) -> Fault:
        """Let the next `times` requests to routes like `route` go wrong (None: all, until `clear`)."""
        fault = Fault(kind, route, times, seconds)
        self.pending.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything go right again, held requests included."""
        for fault in self.pending:
            fault.release()
        self.pending.clear()

    def take(self, route: str) -> Fault | None:
        """Give the fault that meets a request to this route, and count it down."""
        for fault in self.pending:
            if fnmatchcase(route, fault.route) and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                fault.met.set()
                return fault
        return None

    def record(self, asked: Asked) -> None:
        """Note a request that is done with."""
        self.requests.append(asked)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def until(self, route: str = "*", count: int = 1) -> None:
        """Wait until so many requests to routes like this one are done with."""
        while self.count(route) < count:
            await self._news.wait()

    def count(self, route: str = "*") -> int:
        """Count the requests to routes like this one, whatever became of them."""
        return sum(fnmatchcase(asked.route, route) for asked in self.requests)
