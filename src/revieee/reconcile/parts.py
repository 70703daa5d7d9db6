"""What a turn works with: the ports, the store, the policy, and the lease it holds."""

import asyncio
import contextlib
import weakref
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from revieee.model.addresses import subnet_at
from revieee.model.environment import Environment, Release
from revieee.model.masking import masked
from revieee.model.phases import Outcome
from revieee.model.policy import Policy
from revieee.model.secrets import Secrets
from revieee.ports import Builder, Clock, Engine, Observed, Placement, Router, Source
from revieee.reconcile.remembered import Remembered
from revieee.store.database import Database
from revieee.store.leases import Lease, guard
from revieee.store.releases import Ending
from revieee.store.vault import Vault

Result = TypeVar("Result")

CHECKOUTS = "checkouts"
"""The folder, in that of the data, where commits are written for builds: one each, named by release and lease."""

_FIRST_WORDS, _LAST_WORDS = 100, 400
"""Characters of an engine's words that are told: what it speaks of, and the last cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step came to an outcome of the phase table."""

    outcome: Outcome
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A step cannot go on now."""

    seconds: float
    words: str = ""
    """Why, for people."""
    failed: bool = False
    """Whether it counts for the backoff."""


Step = Done | Wait | None
"""What a step gives; None: it is done, and the phase stays."""


class Bell:
    """Wakes everyone who listens when something changed: in one environment, or anywhere."""

    def __init__(self) -> None:
        self._listeners: weakref.WeakKeyDictionary[Listener, None] = weakref.WeakKeyDictionary()
        """In the order in which they began: who is woken first depends on nothing else."""

    def hint(self, environment: int | None = None) -> None:
        """Say that something changed."""
        for listener in self._listeners:
            if listener.environment in {None, environment}:
                listener.event.set()

    def listen(self, environment: int | None = None) -> "Listener":
        """Begin to listen: to one environment, or to everything. A hint between two waits is not lost."""
        listener = Listener(environment)
        self._listeners[listener] = None
        return listener


class Listener:
    """One who listens to a bell, for as long as it is held."""

    def __init__(self, environment: int | None) -> None:
        self.environment = environment
        self.event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return at the next hint, or after that many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.event.wait(), seconds)
        self.event.clear()


@dataclass(slots=True)
class Room:
    """How the disks do, as this process last saw them."""

    short: str = ""
    """Why nothing new is begun, for people; empty where there is room."""
    cleaned_at: float = float("-inf")
    """When what can be made again was last removed (Unix time, seconds)."""
    walked_at: float = float("-inf")
    """When it was last looked at what each environment uses (Unix time, seconds)."""


@dataclass(slots=True)
class Visits:
    """What is written down of visits."""

    noted_at: float = float("-inf")
    """When this process last did so (Unix time, seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that the reconciler is wired with."""

    instance: str
    owner: str
    """This process, in leases."""
    database: Database
    source: Source
    builder: Builder
    engine: Engine
    router: Router
    clock: Clock
    policy: Policy
    data: Path
    """Folder for checkouts."""
    bell: Bell
    vault: Vault = field(default_factory=lambda: Vault((), Path("secret.key")))
    """Opens the secrets of repositories."""
    image_secret: str = ""
    """What makes the names of built images unguessable."""
    is_dead: Callable[[str], bool] = lambda _: False
    """Tells whether the process of that name in leases is gone for sure."""
    room: Room = field(default_factory=Room)
    queued: set[tuple[int, str]] = field(default_factory=set)
    """Who waits for a build's turn, by environment and service, or for the forge: no place of others is held so."""
    visits: Visits = field(default_factory=Visits)
    lost: set[int] = field(default_factory=set)
    """Environments of which something live may not run: it is looked after even where they have to wait for a turn."""
    remembered: defaultdict[int, Remembered] = field(default_factory=lambda: defaultdict(Remembered))
    """What this process knows of environments beside their rows, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One environment under a lease, as it was when the step began."""

    parts: Parts
    lease: Lease
    environment: Environment
    secrets: Secrets = field(default_factory=Secrets)
    """The repository's; of those, a stranger's release is given none."""

    def masked(self, text: str) -> str:
        """Take the repository's secrets out of words that people will see."""
        return masked(text, self.secrets.known)

    def words_of(self, seen: Observed) -> str:
        """Give the engine's words about a container on one line; cut after masking, or a part of a secret may stay."""
        words = " ".join(masked(seen.words, self.secrets.known, cut=seen.cut).split())
        long = len(words) > _FIRST_WORDS + _LAST_WORDS
        return f"{words[:_FIRST_WORDS]} … {words[-_LAST_WORDS:]}" if long else words

    def given(self, release: Release) -> Secrets:
        """Give what a release is given: strangers' get nothing."""
        return self.secrets if release.trusted and self.environment.trusted else Secrets()

    async def write(self, work: Callable[[Session], Result]) -> Result:
        """Run a short transaction; a lost lease makes it write nothing (StaleLease)."""

        def under_lease(session: Session) -> Result:
            guard(session, self.lease)
            return work(session)

        return await self.parts.database.run(under_lease)

    @property
    def remembered(self) -> Remembered:
        """What this process knows of the environment beside its row."""
        return self.parts.remembered[self.environment.id]

    @property
    def now(self) -> float:
        """The time, in Unix seconds."""
        return self.parts.clock.now()

    @property
    def hosts(self) -> Mapping[str, str]:
        """Service by hostname, of the newest manifest that is known."""
        for release in reversed(self.environment.releases):
            if release.manifest is not None:
                return hostnames(self.parts.policy.base_url, release)
        return {}

    def placement(self, release: Release | None = None) -> Placement:
        """Say where on the engine the environment lives."""
        policy, environment = self.parts.policy, self.environment
        slot = environment.slot
        return Placement(
            instance=self.parts.instance,
            environment=environment.id,
            incarnation=environment.incarnation,
            name=str(environment.name),
            release=release.commit if release else "",
            subnet=None if slot is None else subnet_at(policy.network_pool, policy.subnet_prefix, slot),
            hostnames=tuple(hostnames(policy.base_url, release) if release else self.hosts),
            trusted=(release or environment).trusted,
            secrets=self.given(release).values if release else (),
        )


def domain_of(base_url: str) -> str:
    """Give the domain below which hosts are, without port."""
    return base_url.partition("://")[2].partition(":")[0].rstrip("/")


def hostnames(base_url: str, release: Release) -> dict[str, str]:
    """Give a release's services by hostname, the main one first."""
    labels = release.manifest.hostnames if release.manifest else ()
    return {f"{label}.{domain_of(base_url)}": service for service, label in labels}
