"""Where the contract suite works: an engine, and how roles are played on it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from revieee.model.addresses import assign, subnet_at
from revieee.model.resolve import ResolvedHook, ResolvedStack, resolve
from revieee.model.stack import Exposure, Hook, Service, Stack
from revieee.ports import Engine, Observed, Placement, ServiceState

STARTED = "started"
"""What every role writes when it starts, on a line of its own."""

_PATIENCE = 30.0
_PAUSE = 0.05


class Role(StrEnum):
    """What a service of the suite does. All write :data:`STARTED` first."""

    SERVES = "serves"
    """Answers HTTP on port 8080."""
    RUNS = "runs"
    """Runs on, and needs no port to be healthy."""
    COMPLETES = "completes"
    """Ends with exit code 0."""
    FAILS = "fails"
    """Ends with exit code 3."""
    DEAF = "deaf"
    """Runs on and never answers on port 8080."""


class Lab(ABC):
    """One engine under test. Subclasses say how it is made and how roles are played.

    Args:
        instance: the id under which the suite works; nothing else may use it.
        pool: addresses for its environments.
    """

    def __init__(self, instance: str, *, pool: str = "10.233.64.0/20") -> None:
        self.instance = instance
        self.pool = pool
        self.engine = first = self.open(instance)
        self._used: list[Placement] = []
        self._others = [first]

    @abstractmethod
    def open(self, instance: str) -> Engine:
        """Make an engine object; several for one place see the same things."""

    @abstractmethod
    def play(self, name: str, role: Role) -> Service:
        """Give a service that plays a role."""

    @abstractmethod
    def command(self, role: Role) -> tuple[str, ...]:
        """Give the command of a hook that plays a role."""

    def another(self, instance: str = "") -> Engine:
        """Make one more engine object: what a new process would have after a crash."""
        self._others.append(self.open(instance or self.instance))
        return self._others[-1]

    def place(self, environment: int, *, incarnation: int = 1, instance: str = "") -> Placement:
        """Say where an environment lives; it is removed when the test is over."""
        placement = Placement(
            instance=instance or self.instance,
            environment=environment,
            incarnation=incarnation,
            name=f"octo/cat#{environment}",
            release="0123abcd",
            subnet=subnet_at(self.pool, 26, len(self._used)),
        )
        self._used.append(placement)
        return placement

    async def resolve(
        self, services: Sequence[Service], *, exposed: Sequence[str] = (), place: Placement, volumes: Sequence[str] = ()
    ) -> ResolvedStack:
        """Resolve a stack as a release would, with an address for every task."""
        images = {one.name: await self.engine.image(one.image or "") for one in services}
        exposures = tuple(Exposure(service=name, port=8080) for name in exposed)
        stack = Stack(services=tuple(services), exposures=exposures, volumes=tuple(volumes))
        found = resolve(stack, images, (("REVIEEE_COMMIT", "0123abcd"),))
        return replace(found, addresses=addresses(place, found.keys))

    def hook(self, stack: ResolvedStack, service: str, role: Role, *, place: Placement) -> ResolvedHook:
        """Give a hook that plays a role, made like one of the stack's services."""
        del place
        return ResolvedHook(
            name=f"hook-{role}-1",
            task=stack.task_of(service),
            hook=Hook(service=service, command=self.command(role)),
        )

    async def until(
        self, placement: Placement, stack: ResolvedStack, done: Callable[[Mapping[str, Observed]], bool]
    ) -> Mapping[str, Observed]:
        """Apply again and again until the services, by name, are as wanted.

        Raises:
            AssertionError: they do not become so.
        """
        by_name: Mapping[str, Observed] = {}
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    seen = await self.engine.apply(placement, stack)
                    by_name = {task.service.name: seen[task.key] for task in stack.tasks}
                    if done(by_name):
                        return by_name
                    await asyncio.sleep(_PAUSE)
        except TimeoutError as error:
            raise AssertionError(f"services are, after {_PATIENCE:g} s: {by_name}") from error

    async def end_of(self, placement: Placement, stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        """Run a hook to its end."""
        return await self.run_until(placement, stack, hook, lambda seen: seen.state is not ServiceState.STARTING)

    async def run_until(
        self, placement: Placement, stack: ResolvedStack, hook: ResolvedHook, done: Callable[[Observed], bool]
    ) -> Observed:
        """Look at a hook again and again until it is as wanted."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                seen = await self.engine.run(placement, stack, hook)
                if done(seen):
                    return seen
                await asyncio.sleep(_PAUSE)

    async def log(self, placement: Placement, key: str) -> str:
        """Give all of a log."""
        return b"".join([piece async for piece in self.engine.logs(placement, key, tail=1000)]).decode()

    async def close(self) -> None:
        """Remove all that the suite made."""
        for placement in self._used:
            await self.engine.remove(placement, None, grace=0)
        for one in self._others:
            await one.close()


def addresses(place: Placement, keys: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Give every key an address of the place's subnet, the same one each time."""
    if place.subnet is None:
        return ()
    return tuple(assign(place.subnet, sorted(keys), {}).items())
