"""All that outlives a control plane: the store, the engine's rows, commits, images, routes, comments; and a process."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from revieee.engines.memory import Behaviour, MemoryEngine, World
from revieee.model.desire import Desire, desire
from revieee.model.environment import Environment
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.image import Image
from revieee.model.policy import AdmissionPolicy, Pace, Policy
from revieee.model.trust import Trust
from revieee.ports import BuildRequest, Refused, Write
from revieee.reconcile.loop import Reconciler
from revieee.reconcile.parts import Bell, Parts
from revieee.reconcile.tell import Identity, Teller
from revieee.store import environments, wishes
from revieee.store.database import Database
from revieee.testing.parts import MemoryBuilder, MemoryReporter, MemoryRouter, MemorySource
from support.mortal import Fate, Whatever, fated, mortal
from support.reconciling import storing
from support.virtual import START, LoopClock, VirtualLoop

PACE = Pace(tick=6.0, poll=3.0, lease=9.0, last_retry=20.0, steady=20.0, drain_limit=10.0, subnet_rest=30.0)
"""Less patient, so that what is to be seen comes sooner."""
REPOSITORY = RepositoryFacts(id=7, name="acme/shop")
SKIP = "[skip revieee]"

_COMPOSE = """
services:
  web:
    build: {{context: ., args: {{KIND: "{kind}"}}}}
    ports: ["80"]
    depends_on: [db]
  db:
    image: postgres:{db}
    volumes: ["data:/var/lib/postgresql/data"]
volumes:
  data:
"""
_HOOKS = """
start_timeout: 20
hooks:
  create: {service: web, command: [create]}
  deploy: {service: web, command: [DEPLOY]}
  destroy: {service: web, command: [destroy]}
"""


def files(page: object, *, kind: str = "good", db: str = "16", deploy: str = "deploy") -> Mapping[str, bytes]:
    """A commit's files. A ``kind`` that is ``broken`` does not build; a ``db`` that is ``sick`` never turns healthy."""
    return {
        "compose.yaml": _COMPOSE.format(kind=kind, db=db).encode(),
        "revieee.yml": _HOOKS.replace("DEPLOY", deploy).encode(),
        "Dockerfile": b"FROM busybox\nCOPY index.html /www/",
        "index.html": str(page).encode(),
    }


def commit(number: int) -> str:
    return f"{number:08x}" * 5


def pull_request(number: int = 1, *, head: int = 1, after: float = 0, **changes: object) -> PullRequestFacts:
    """What GitHub says of a pull request, some seconds after everything began."""
    plain = PullRequestFacts(
        repository=REPOSITORY,
        number=number,
        open=True,
        head_ref=f"feature-{number}",
        head_commit=commit(head),
        head_repository=REPOSITORY.id,
        base_ref="main",
        updated_at=datetime.fromtimestamp(START, UTC) + timedelta(seconds=after),
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # each caller names fields of its own


class Builder(MemoryBuilder):
    """Takes its time, keeps a cache as BuildKit does, and labels what it builds."""

    def __init__(self, world: World, instance: str) -> None:
        super().__init__()
        self.instance = instance
        self.store = storing(world, instance)
        self.seconds = 0.5
        self.asked = 0
        self.ended = 0
        """Builds that ran to their end and were not just looked up."""

    async def build(self, request: BuildRequest, write: Write) -> Image:
        self.asked += 1
        known = set(self.built)
        self.running += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if dict(request.build.args).get("KIND") == "broken":
            raise Refused("The Dockerfile failed at line 3.", log="the last line")
        image = await super().build(request, write)
        self.ended += not set(self.built) <= known
        return image


@dataclass(kw_only=True)
class Outside:
    """What is there whoever runs."""

    folder: Path
    world: World
    database: Database
    source: MemorySource
    builder: Builder
    router: MemoryRouter
    reporter: MemoryReporter
    loop: VirtualLoop
    policy: Policy = field(default_factory=lambda: Policy(pace=PACE))
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    living: set[str] = field(default_factory=set)
    """Processes that were started and did not end; one that is paused is among them, as it still holds its place."""

    @property
    def instance(self) -> str:
        return self.builder.instance

    def decide(self, facts: PullRequestFacts, trust: Trust) -> Desire:
        return desire(facts, AdmissionPolicy(), trust)

    def hear(self, facts: PullRequestFacts, *, settled: bool = False) -> int:
        """Write down what a delivery or a listing says; gives the environment's id."""
        now = self.loop.unix()
        return self.database.run_here(
            lambda session: wishes.record_facts(session, facts, self.decide, now=now, settled=settled).id
        )

    def everything(self) -> Mapping[int, Environment]:
        return {one.id: one for one in self.database.run_here(environments.everything)}


def outside(folder: Path, loop: VirtualLoop, database: Database, world: World) -> Outside:
    """Make everything but a process."""
    for name in ("create", "deploy", "destroy"):
        world.script(name, Behaviour(exits=0))
    world.script("bad", Behaviour(exits=1, log="no such table\n"))
    world.script("postgres:sick", Behaviour(healthy_after=None, words="pg_isready says no"))
    world.script("postgres:slow", Behaviour(healthy_after=3.0))
    world.script("postgres:slower", Behaviour(healthy_after=12.0))
    return Outside(
        folder=folder,
        world=world,
        database=database,
        source=MemorySource(),
        builder=Builder(world, database.instance()),
        router=MemoryRouter(),
        reporter=MemoryReporter(),
        loop=loop,
    )


class Process:
    """One control plane: reconciler and teller, with a fate."""

    def __init__(self, around: Outside, fate: Fate | None = None) -> None:
        self.fate = fate or Fate()
        self.bell = Bell()
        clock, owner, self._living = LoopClock(around.loop), f"process-{next(around.names)}", around.living

        def port(real: object, name: str) -> Whatever:
            return mortal(real, name, self.fate)

        self.parts = Parts(
            instance=around.instance,
            owner=owner,
            database=port(around.database, "store"),
            source=port(around.source, "source"),
            builder=port(around.builder, "builder"),
            engine=port(MemoryEngine(around.world, look=PACE.poll), "engine"),
            router=port(around.router, "router"),
            clock=clock,
            policy=around.policy,
            data=around.folder,
            bell=self.bell,
        )
        identity = Identity(
            instance=around.instance,
            base_url=around.policy.base_url,
            pace=around.policy.pace,
            owner=owner,
            is_dead=lambda one: one not in around.living,
        )
        reporter = port(around.reporter, "reporter")
        self.teller = Teller(self.parts.database, reporter, clock, self.bell, identity)
        self.reconciler = Reconciler(self.parts)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._living.add(self.parts.owner)
        with fated(self.fate):
            self._tasks = [asyncio.create_task(self.reconciler.run()), asyncio.create_task(self.teller.run())]

    @property
    def ended(self) -> bool:
        """Whether one of its tasks is over, which none ever should be."""
        return any(task.done() for task in self._tasks)

    async def stop(self) -> None:
        """End it; what its tasks do on their way out still happens, unless its fate says that it is dead."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(BaseException):
                await task
        self._living.discard(self.parts.owner)
