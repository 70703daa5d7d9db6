"""Stand-ins for the world outside, for tests of the reconciler with time that passes by itself.

The real adapters are tested on real parts elsewhere; these make ten thousand lives of an environment cheap.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.image import Image
from revieee.model.route import Endpoint, Route, RouteState
from revieee.model.view import View
from revieee.ports import BuildRequest, Finding, Posted, Refused, RetryLater, Superseded, Write
from revieee.testing.trees import MemoryTree


class MovingClock:
    """Time that moves on whenever someone waits."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        """Give the time."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let that time pass at once."""
        self.time += seconds
        await asyncio.sleep(0)


class MemorySource:
    """Commits as mappings from path to content."""

    def __init__(self) -> None:
        self.commits: dict[str, Mapping[str, bytes]] = {}
        self.gate: asyncio.Event | None = None
        """Set it to make fetches wait."""
        self.fault: Exception | None = None
        self.forgotten: set[int] = set()

    async def fetch(self, repository: RepositoryFacts, number: int, commit: str, *, base_ref: str = "") -> None:
        """Have a commit at hand."""
        del repository, number, base_ref
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        if commit not in self.commits:
            raise Superseded(f"{commit} is gone")

    async def tree(self, repository: RepositoryFacts, commit: str) -> MemoryTree:
        """Give a commit's files."""
        del repository
        return MemoryTree(dict(self.commits[commit]))

    async def changed_paths(self, repository: RepositoryFacts, base_ref: str, commit: str) -> Sequence[str] | None:
        """Say that all paths changed."""
        del repository, base_ref
        return sorted(self.commits[commit])

    async def checkout(self, repository: RepositoryFacts, commit: str, folder: Path) -> None:
        """Write nothing: the stand-in builder reads nothing."""

    async def forget(self, repository: RepositoryFacts) -> None:
        """Note that it was asked for."""
        self.forgotten.add(repository.id)

    async def check(self) -> Sequence[Finding]:
        """Find nothing."""
        return []


class MemoryBuilder:
    """Builds images that are hashes of what they are built from."""

    def __init__(self) -> None:
        self.built: Counter[str] = Counter()
        """Builds that ran to their end, by image id."""
        self.refreshed: list[bool] = []
        """Of each build begun, whether newer base images were asked for."""
        self.cancelled = 0
        self.running = 0
        self.emptied = 0
        """How often room was asked for."""
        self.gate: asyncio.Event | None = None
        """Set it to make builds wait."""
        self.fails: str | None = None
        self.store: Callable[[BuildRequest, Image], None] = lambda _request, _image: None
        """Puts an image where the engine finds it."""

    async def build(self, request: BuildRequest, write: Write) -> Image:
        """Build."""
        await write(b"building\n")
        self.refreshed.append(request.refresh)
        self.running += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if self.fails is not None:
            raise Refused(self.fails, log="the last line")
        content = hashlib.sha256(repr((request.build, request.tags)).encode()).hexdigest()
        self.built[content] += 1
        image = Image(id=f"sha256:{content}", reference=request.tags[0], ports=(80,))
        self.store(request, image)
        return image

    async def tidy(self, *, urgent: bool = False) -> None:
        """Have no cache; count how often it was urgent."""
        self.emptied += urgent

    async def close(self) -> None:
        """Have no connections."""

    async def check(self) -> Sequence[Finding]:
        """Find nothing."""
        return []


class MemoryRouter:
    """A table of routes that keeps higher versions."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.versions: dict[str, int] = {}
        self.requests: dict[Endpoint, int] = {}
        self.seen: dict[str, float] = {}
        """When each host was last visited."""
        self.asked = 0
        """How often somebody asked for that."""
        self.down = False

    async def ensure(self) -> None:
        """Be there."""

    async def push(self, routes: Sequence[Route]) -> None:
        """Take routes."""
        self._answer()
        for route in routes:
            if route.version < self.versions.get(route.hostname, 0):
                continue
            self.versions[route.hostname] = route.version
            if route.state is RouteState.GONE:
                self.routes.pop(route.hostname, None)
            else:
                self.routes[route.hostname] = route

    async def push_all(self, routes: Sequence[Route]) -> int:
        """Take all routes."""
        before = dict(self.routes)
        await self.push(routes)
        for hostname in self.routes.keys() - {route.hostname for route in routes}:
            del self.routes[hostname]
        return sum(before.get(host) != self.routes.get(host) for host in before.keys() | self.routes.keys())

    async def open_requests(self) -> Mapping[Endpoint, int]:
        """Tell open requests."""
        self._answer()
        return dict(self.requests)

    async def last_seen(self) -> Mapping[str, float]:
        """Tell visits."""
        self._answer()
        self.asked += 1
        return dict(self.seen)

    async def stop(self) -> bool:
        """Go on."""
        return False

    async def check(self) -> Sequence[Finding]:
        """Find nothing."""
        return []

    def _answer(self) -> None:
        if self.down:
            raise RetryLater("the router did not answer")


class MemoryReporter:
    """Comments as a mapping from environment to the last view; finds its own comment again, as the real one does."""

    def __init__(self) -> None:
        self.comments: dict[str, View] = {}
        self.made: Counter[str] = Counter()
        """Comments made, by environment."""

    async def report(self, facts: PullRequestFacts, view: View, posted: Posted) -> Posted:
        """Make a comment, or edit the one that is there."""
        del facts
        if view.environment not in self.comments:
            self.made[view.environment] += 1
        self.comments[view.environment] = view
        return replace(posted, comment=1)

    async def check(self) -> Sequence[Finding]:
        """Find nothing."""
        return []
