"""A control plane on stand-ins: real store, real reconciler, time that passes by itself."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from revieee.engines.memory import MemoryEngine, World
from revieee.model.desire import desire
from revieee.model.environment import Environment
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.image import Image
from revieee.model.policy import AdmissionPolicy, Policy
from revieee.ports import BuildRequest, Placement
from revieee.reconcile.loop import Reconciler
from revieee.reconcile.parts import Bell, Parts
from revieee.store import releases, wishes
from revieee.store.database import Database
from revieee.testing.parts import MemoryBuilder, MemoryRouter, MemorySource, MovingClock
from support.storing import opened

COMPOSE = b"""
services:
  web:
    build: .
    ports: ["80"]
    depends_on: [db]
  db:
    image: postgres:16
    volumes: ["data:/var/lib/postgresql/data"]
volumes:
  data:
"""
HOST = "shop-pr-1.localhost"
REPOSITORY = RepositoryFacts(id=7, name="acme/shop")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def commit(number: int) -> str:
    """Give the hash of the commit of that number."""
    return f"{number:08x}" * 5


def facts(number: int = 1, *, minute: int = 0, **changes: object) -> PullRequestFacts:
    """Give a pull request's facts, at a commit, some minutes after it was opened."""
    plain = PullRequestFacts(
        repository=REPOSITORY,
        number=1,
        open=True,
        head_ref="feature",
        head_commit=commit(number),
        head_repository=REPOSITORY.id,
        base_ref="main",
        updated_at=FIRST + timedelta(minutes=minute),
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # each test names fields of its own


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One control plane and its surroundings."""

    database: Database
    parts: Parts
    source: MemorySource
    builder: MemoryBuilder
    router: MemoryRouter
    world: World
    clock: MovingClock
    reconciler: Reconciler

    def wish(self, happened: PullRequestFacts) -> int:
        """Write down what a delivery says; gives the environment's id."""
        self.source.commits.setdefault(
            happened.head_commit,
            {"compose.yaml": COMPOSE, "Dockerfile": b"FROM busybox", "c": happened.head_commit.encode()},
        )
        row = self.database.run_here(
            lambda session: (
                wishes.record_facts(
                    session, happened, lambda one, trust: desire(one, AdmissionPolicy(), trust), now=self.clock.now()
                ).id
            )
        )
        self.parts.bell.hint(row)
        return row

    async def settle(self, happened: PullRequestFacts | None = None) -> Environment:
        """Let all that is due happen, retries and drains included."""
        id_ = self.wish(happened) if happened else 1
        for _ in range(1000):
            await self.reconciler.settle()
            due = self.database.run_here(lambda session: releases.due_at(session, id_))
            if due is None:
                break
            self.clock.time = max(self.clock.time, due)
        return self.environment(id_)

    def environment(self, id_: int = 1) -> Environment:
        """Read an environment."""
        return self.database.run_here(lambda session: releases.load(session, id_))

    def placement(self) -> Placement:
        """Say where the first environment is on the engine."""
        environment = self.environment()
        return Placement(
            instance=self.parts.instance, environment=1, incarnation=environment.incarnation, name=str(environment.name)
        )

    async def building(self) -> None:
        """Return when a build runs."""
        while self.builder.running == 0:  # noqa: ASYNC110 -- the builder has no event, and a test has patience
            await asyncio.sleep(0.005)

    async def cancelled(self) -> None:
        """Return when a build was ended."""
        while self.builder.cancelled == 0:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.005)

    async def keys(self) -> set[str]:
        """Tell which services the engine runs, without hashes."""
        there = await self.parts.engine.observe_all(self.parts.instance)
        return {key.rpartition("-")[0] for presence in there.values() for key in presence.keys}


def storing(world: World, instance: str) -> Callable[[BuildRequest, Image], None]:
    """Label what is built and put it on the engine, as a builder does."""
    return lambda request, image: world.add_image(instance, request.environment, image.id, image.reference)


def plane(
    folder: Path, *, world: World | None = None, policy: Policy | None = None, builder: MemoryBuilder | None = None
) -> Plane:
    """Make a control plane with a store in a folder."""
    clock = MovingClock()
    world = world or World(now=clock.now)
    database = opened(folder, Database)
    source, builder, router = MemorySource(), builder or MemoryBuilder(), MemoryRouter()
    builder.store = storing(world, database.instance())
    parts = Parts(
        instance=database.instance(),
        owner="test",
        database=database,
        source=source,
        builder=builder,
        engine=MemoryEngine(world),
        router=router,
        clock=clock,
        policy=policy or Policy(),
        data=folder,
        bell=Bell(),
    )
    return Plane(
        database=database,
        parts=parts,
        source=source,
        builder=builder,
        router=router,
        world=world,
        clock=clock,
        reconciler=Reconciler(parts),
    )
