"""The ports: what the rooms ask of the world outside; :mod:`revieee.model.errors` says what the caller does next.

Adapters implement them in rooms of their own; :mod:`revieee.wiring` puts them in. Engines, ours too, are entry points.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from revieee.model.engine import Capabilities, Observed, Placement, Presence, ServiceState
from revieee.model.errors import (
    AddressTaken,
    Fault,
    ImageGone,
    NotPulled,
    PortError,
    Refused,
    RetryLater,
    RetryWithinTime,
    Superseded,
)  # fmt: skip
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.finding import Finding, Severity
from revieee.model.image import Image
from revieee.model.resolve import ResolvedHook, ResolvedStack
from revieee.model.route import Endpoint, Route
from revieee.model.stack import Build
from revieee.model.tree import Tree
from revieee.model.view import View

__all__ = [
    "AddressTaken", "Announce", "BuildRequest", "Builder", "Capabilities", "Clock", "Engine", "Fault", "Finding",
    "Forge", "Hints", "ImageGone", "NotPulled", "Observed", "Placement", "PortError", "Posted", "Presence",
    "Refused", "ReportFault", "ReportedInPart", "Reporter", "RetryLater", "RetryWithinTime", "Router",
    "ServiceState", "Severity", "Source", "Superseded", "Write",
]  # fmt: skip

Write = Callable[[bytes], Awaitable[None]]
"""Takes output as it comes: a build's or a hook's log."""

Announce = Callable[[], Awaitable[None]]
"""Writes down that something is about to be done, so that a crash in the middle is known of."""


class OpenTree(Tree, Protocol):
    """A tree that holds something open until it is closed."""

    def close(self) -> None: ...


class Source(Protocol):
    """Commits as trees of files."""

    async def fetch(self, repository: RepositoryFacts, number: int, commit: str, *, base_ref: str = "") -> None:
        """Have exactly this commit of the pull request, and the tip of ``base_ref``, at hand.

        Raises:
            Superseded: the pull request's head is another one by now and the commit is gone.
            Refused: the repository is over the size limit, or has submodules of other hosts, or private ones.
            RetryLater: the forge did not answer.
            Fault: the forge refused our credentials.
        """

    async def tree(self, repository: RepositoryFacts, commit: str) -> OpenTree:
        """Give the files of a fetched commit, to be closed. Its methods block for a moment: read it in a thread."""

    async def changed_paths(self, repository: RepositoryFacts, base_ref: str, commit: str) -> Sequence[str] | None:
        """Give the paths that the pull request changes (since the merge base), or None where that is unknown."""

    async def checkout(self, repository: RepositoryFacts, commit: str, folder: Path) -> None:
        """Write the files of a fetched commit, submodules included, into an empty folder; links stay links."""

    async def forget(self, repository: RepositoryFacts) -> None:
        """Drop all that is kept of a repository."""

    async def check(self) -> Sequence[Finding]:
        """Tell whether this can work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One image to build."""

    environment: int
    """Id of the environment, for the image's label."""
    folder: Path
    """The checkout."""
    build: Build
    tags: tuple[str, ...]
    """Names for the image: repository, branch and commit."""
    cache_scope: str
    """Repository and trust: cache mounts are shared inside it and never across."""
    refresh: bool = False
    """Ask the registry for newer base images first."""
    online: bool = True
    """Whether its steps have a network, and may fetch."""
    own: bool = True
    """Whether it is of the repository's own people, who may have what the operator's registry login gives."""
    queued: Callable[[int], Awaitable[None]] | None = field(default=None, compare=False)
    """Is told the environment's place while it waits for its turn, and 0 when it waits no more."""
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name, value) of what steps may ask for (``RUN --mount=type=secret,id=<name>``); never build arguments."""
    masked: tuple[str, ...] = field(default=(), repr=False)
    """Every value that an error must not show: they are taken out before the output is cut for it."""


class Builder(Protocol):
    """Trees as images."""

    async def build(self, request: BuildRequest, write: Write) -> Image:
        """Build one image; cancelling the task ends every process of it.

        Raises:
            Refused: the Dockerfile failed, or went over the time or log limit; with the last lines of its output.
            RetryLater: the engine is not there, or the registry of a base image is away.
        """

    async def tidy(self, *, urgent: bool = False) -> None:
        """Keep the build cache within its bounds; called often, works now and then. ``urgent``: at once, and drop all.

        Raises:
            RetryLater: the engine is not there.
        """

    async def check(self) -> Sequence[Finding]:
        """Tell whether this can work."""

    async def close(self) -> None:
        """Let go of connections."""


class Engine(Protocol):
    """Where containers run. Everything that writes is idempotent; absent and starting are values, not errors.

    All methods raise RetryLater while the engine is not there or slow, and Fault where it is set up wrongly.
    """

    capabilities: Capabilities

    async def open(self) -> None:
        """Make what the engine needs of this host, once at start: walls, the router's address for containers.

        Raises:
            Fault: it may not, or something is not installed.
        """

    async def prepare(self, placement: Placement) -> None:
        """Make the environment's network exist, walls included.

        Raises:
            AddressTaken: another network of the engine has its subnet; another one will do.
        """

    async def image(
        self, reference: str, *, pinned: str | None = None, refresh: bool = False, pulling: Announce | None = None
    ) -> Image:
        """Have an image that is not built here, pulled if need be.

        Args:
            reference: as the author wrote it.
            pinned: the id this environment used before; used again if it is still there and ``refresh`` is not set.
            refresh: ask the registry for a newer one first; where it does not answer, the one at hand is used.
            pulling: called before an image is pulled that is not there under any form.

        Raises:
            Refused: there is no such image, or it may not be pulled.
            NotPulled: its registry does not give it now.
        """

    async def apply(
        self, placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        """Take the next steps towards the stack's tasks existing and running, beside what is there.

        Creates what is missing, starts what its dependencies allow, starts again what was stopped by us, and tells
        how each task is, by key. Called again and again until all are healthy. Never removes.

        Args:
            placement: where.
            stack: what; with addresses.
            only: keys to restrict it to (with what they require); None is all.

        Raises:
            Refused: a task cannot be made (the engine's reason in words).
            ImageGone: because its image is not there any more.
        """

    async def stop(self, placement: Placement, stack: ResolvedStack, keys: Collection[str]) -> None:
        """Stop tasks, dependents first, within their grace period, keeping them (also: sleep)."""

    async def run(self, placement: Placement, stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        """Start a hook's container if it is not there, and tell how it is: starting, completed or failed.

        Raises:
            Refused: it cannot be made (the engine's reason in words).
            ImageGone: because its image is not there any more.
        """

    async def remove(self, placement: Placement, keys: Collection[str] | None, *, grace: float | None = None) -> None:
        """Remove tasks and hooks by key; None removes the environment: containers, networks, volumes, images.

        Args:
            placement: whose.
            keys: which; None for all and everything else that carries the environment's label.
            grace: seconds between stop signal and kill; None is each task's own.
        """

    async def remove_images(self, placement: Placement, keep: Collection[str]) -> None:
        """Remove the environment's built images whose id is not in ``keep``; used ones stay."""

    async def forget_image(self, image: str) -> None:
        """Remove a pulled image, by id or reference, that no environment uses; one that anything else uses stays."""

    async def free(self) -> int | None:
        """Tell how many bytes are free where images and containers lie; None where that is unknown."""

    async def usage(self, instance: str) -> Mapping[int, int]:
        """Tell how many bytes containers and volumes wrote, by environment id; walks the whole disk."""

    async def started(self) -> float | None:
        """Tell since when the engine itself runs (Unix time, seconds); None where it cannot tell.

        What ran before then may have ended with it.
        """

    async def observe_all(self, instance: str) -> Mapping[int, Presence]:
        """Tell all that carries the instance's label, by environment id, with a fixed number of calls."""

    def events(self, instance: str) -> AsyncIterator[int]:
        """Give the ids of environments as something of theirs changes: hints, possibly incomplete.

        When the engine began anew, those with ended tasks are given: one may only look as if it had completed.
        """

    def logs(self, placement: Placement, key: str, *, tail: int = 50, follow: bool = False) -> AsyncIterator[bytes]:
        """Give a task's or hook's output, standard output and error as they came; nothing where it is absent."""

    async def shell(self, placement: Placement, key: str, command: Sequence[str]) -> int:
        """Run a command in a task with this process's terminal and give its exit code."""

    async def check(self) -> Sequence[Finding]:
        """Tell whether this can work."""

    async def uninstall(self) -> None:
        """Take away what is ours and no environment's, as firewall rules; only on an operator's word."""

    async def close(self) -> None:
        """Let go of connections."""


class Router(Protocol):
    """Hosts to endpoints."""

    async def ensure(self) -> None:
        """Adopt the running router, or start it; replace its template where that changed.

        Raises:
            Fault: it cannot be started (a port taken, a module missing), with its own words.
        """

    async def push(self, routes: Sequence[Route]) -> None:
        """Make these routes known; returns when the router acknowledged them. State ``gone`` deletes.

        Raises:
            RetryLater: the router did not answer.
        """

    async def push_all(self, routes: Sequence[Route]) -> int:
        """Compare versions and make the router's whole table this one, snapshot included; gives how many differed."""

    async def open_requests(self) -> Mapping[Endpoint, int]:
        """Tell how many requests are open per endpoint; one that is missing has none.

        Raises:
            RetryLater: the router did not answer, so nothing is known.
        """

    async def last_seen(self) -> Mapping[str, float]:
        """Tell when each host was last requested (Unix time, seconds)."""

    async def stop(self) -> bool:
        """End the router's processes; only on an operator's word. Gives whether there were any."""

    async def check(self) -> Sequence[Finding]:
        """Tell whether this can work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a reporter has made for an environment and must find again."""

    comment: int | None = None
    comment_digest: str | None = None
    """Of the text that stands there; None where another look is due (just made, so a twin may have landed)."""
    deployment: int | None = None
    deployment_commit: str | None = None
    deployment_state: str | None = None
    status: str | None = None
    """``<commit> <state>`` of the last commit status."""
    doubtful: tuple[str, ...] = ()
    """Commits whose status may be pending: we died while we told it, or were not answered."""


class ReportedInPart(RetryLater):
    """Some of a report got through before the forge stopped answering; ``posted`` is what stands there now."""

    def __init__(self, words: str, posted: Posted, *, delay: float | None = None) -> None:
        super().__init__(words, delay=delay)
        self.posted = posted


class ReportFault(Fault):
    """The comment is not ours to write; ``posted`` is what stands there all the same, and is not told again."""

    def __init__(self, words: str, posted: Posted) -> None:
        super().__init__(words)
        self.posted = posted


class Reporter(Protocol):
    """Environments as words on the pull request."""

    async def report(self, facts: PullRequestFacts, view: View, posted: Posted) -> Posted:
        """Make the pull request say what the view says; gives what now stands there.

        Idempotent: called again with an older ``posted``, it finds what it made by marker and author.

        Raises:
            RetryLater: the forge is slow, limited or down; nothing is lost by trying again.
            Refused: there is no such pull request any more.
            Fault: the credentials do not allow it.
            ReportedInPart, ReportFault: as these, with what got through; to be kept for the next attempt.
        """

    async def check(self) -> Sequence[Finding]:
        """Tell whether this can work."""


class Forge(Protocol):
    """Where pull requests live."""

    def open_pull_requests(self, repository: RepositoryFacts) -> AsyncIterator[PullRequestFacts]:
        """List the open pull requests of a repository."""

    async def pull_request(self, repository: RepositoryFacts, number: int) -> PullRequestFacts | None:
        """Give one pull request as it is now, or None where it is gone."""

    def repositories(self, known: Sequence[RepositoryFacts] = ()) -> AsyncIterator[RepositoryFacts]:
        """List the repositories that installations of the App have; a token can only tell which of those known are."""

    async def may_write(self, repository: RepositoryFacts, login: str) -> bool:
        """Ask whether a person has write access. Not taken from a payload's association (traps.md)."""

    async def clone_credentials(self, repository: RepositoryFacts) -> tuple[str, str] | None:
        """Give (user, password) for git over HTTP, or None where none are needed."""

    async def check(self) -> Sequence[Finding]:
        """Tell whether this can work."""


class Hints(Protocol):
    """Wakes whoever waits for work. A lost hint costs one polling interval, nothing else."""

    def hint(self, environment: int | None = None) -> None:
        """Say that something changed: in one environment, or anywhere."""


class Clock(Protocol):
    """Time, passed in: tests make it pass without waiting."""

    def now(self) -> float:
        """Give the Unix time in seconds."""

    async def sleep(self, seconds: float) -> None:
        """Return when that much time has passed."""
