"""The in-memory engine: the semantics of the port without containers, for tests and for thousands of environments."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from revieee.engines.memory.world import Behaviour, Row, World, incarnation_of, newer
from revieee.engines.memory.world import Fault as WorldFault
from revieee.model.image import Image
from revieee.model.order import stop_waves, with_required
from revieee.model.resolve import ResolvedHook, ResolvedStack, Task
from revieee.model.route import Endpoint
from revieee.ports import (
    Announce,
    Capabilities,
    Fault,
    Finding,
    ImageGone,
    Observed,
    Placement,
    Presence,
    Refused,
    RetryLater,
    ServiceState,
    Severity,
)

_ID = "sha256:"
_BUILT = "revieee-"
"""The names of built images begin with it (:mod:`revieee.model.tags`)."""
_HOOK = Behaviour(exits=0)
_SERVICE = Behaviour()


@dataclass(frozen=True, slots=True)
class _Scope:
    """The rows of one environment."""

    world: World
    placement: Placement

    def name(self, key: str) -> str:
        """What a container is called."""
        place = self.placement
        return f"{place.instance}/{place.environment}/{place.incarnation}/{key}"

    def find(self, key: str) -> Row | None:
        """Give a container."""
        return next(iter(self.world.read("SELECT * FROM containers WHERE name = ?", self.name(key))), None)

    def create(self, task: Task, key: str, *, script: str, address: str | None) -> None:
        """Make a container, unless its image is not there."""
        place, world = self.placement, self.world
        if not world.has_image(task.image.id) and self.find(key) is None:
            raise ImageGone(f"The image of service {task.service.name} ({task.image.reference}) is not there.")
        query = (
            "INSERT OR IGNORE INTO containers (name, instance, environment, key, service, release, image, script,"
            " address, status, exposed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'created', ?)"
        )
        exposed = task.port is not None and key == task.key
        values = (place.instance, place.environment, key, task.service.name, place.release, task.image.id, script)
        if world.write(query, self.name(key), *values, address, exposed):
            world.note("create", place.instance, place.environment, key)
            for volume in task.service.volumes if key == task.key else ():
                self.make("volume", f"v/{volume.volume}")
            for path in task.image.volumes:
                self.make("volume", f"{key}/{path}", key=key)

    def make(self, kind: str, name: str, *, key: str = "") -> None:
        """Make a network or a volume."""
        place = self.placement
        query = "INSERT OR IGNORE INTO things (kind, name, instance, environment, key) VALUES (?, ?, ?, ?, ?)"
        self.world.write(query, kind, self.name(name), place.instance, place.environment, key)

    def start(self, key: str) -> None:
        """Start a container that does not run."""
        place, world = self.placement, self.world
        query = (
            "UPDATE containers SET status = 'running', stopped = 0, exit_code = NULL, started = ?, log = log || ?"
            " WHERE name = ? AND status != 'running'"
        )
        row = self.find(key)
        behaviour = world.behaviour(row["script"]) if row else None
        log = behaviour.log if behaviour else ""
        if world.write(query, world.now(), log, self.name(key)):
            world.note("start", place.instance, place.environment, key)

    def stop(self, key: str) -> None:
        """Stop a container, also one that failed."""
        place, world = self.placement, self.world
        query = "UPDATE containers SET status = 'exited', stopped = 1, exit_code = 143 WHERE name = ? AND stopped = 0"
        if world.write(query, self.name(key)):
            world.note("stop", place.instance, place.environment, key)


class MemoryEngine:
    """An engine whose containers are rows.

    Args:
        world: the rows; what they do is scripted there.
        owns_world: whether closing the engine closes it.
        look: seconds between two looks for acts that are worth a hint.
    """

    capabilities = Capabilities()

    def __init__(self, world: World, *, owns_world: bool = False, look: float = 0.25) -> None:
        self.world = world
        self._owns_world = owns_world
        self._look = look

    async def prepare(self, placement: Placement) -> None:
        """Make the environment's network exist."""
        async with self._call("prepare"):
            _Scope(self.world, placement).make("network", "network")

    async def image(
        self, reference: str, *, pinned: str | None = None, refresh: bool = False, pulling: Announce | None = None
    ) -> Image:
        """Have an image: any but those scripted as not pullable."""
        async with self._call("image"):
            if reference.startswith(_ID):
                raise Refused(f"{reference} names an image by its id, and only names with a repository are taken.")
            behaviour = self.world.behaviour(reference) or _SERVICE
            if not refresh and (found := self._pinned(pinned, reference, behaviour)) is not None:
                return found
            if reference.startswith(_BUILT):
                raise Refused(f"The image {reference} was built here and is gone; no registry has it.")
            if not behaviour.pullable:
                raise Refused(f"The image {reference} cannot be pulled: there is none.")
            digest = f"{_ID}{hashlib.sha256(reference.encode()).hexdigest()}"
            new = not self.world.has_image(digest)
            if new and pulling is not None:
                await pulling()
            if new:
                self.world.add_image("", 0, digest, reference)
            return Image(id=digest, reference=reference, ports=behaviour.ports, volumes=behaviour.volumes, pulled=new)

    def _pinned(self, pinned: str | None, reference: str, behaviour: Behaviour) -> Image | None:
        """Give the image that was used before, if it is still there."""
        if not pinned or not self.world.has_image(pinned):
            return None
        return Image(id=pinned, reference=reference, ports=behaviour.ports, volumes=behaviour.volumes)

    async def apply(
        self, placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        """Take the next steps towards the stack's tasks running."""
        scope = _Scope(self.world, placement)
        async with self._call("apply"), self._alone():
            tasks = with_required(stack, only)
            seen = {task.key: self._observe(scope, stack, task) for task in tasks}
            if all(one.state in _SETTLED for one in seen.values()):
                return seen
            scope.make("network", "network")
            for task in tasks:
                scope.create(task, task.key, script=task.image.reference, address=stack.address(task.key))
            tried: set[str] = set()
            while wave := [task for task in tasks if task.key not in tried and _may_start(task, seen)]:
                for task in wave:
                    tried.add(task.key)
                    scope.start(task.key)
                    seen[task.key] = self._observe(scope, stack, task)
            return {task.key: _told(stack, task, seen) for task in tasks}

    def _observe(self, scope: _Scope, stack: ResolvedStack, task: Task) -> Observed:
        row = scope.find(task.key)
        behaviour = self._settle(row) if row else _SERVICE
        endpoint = None
        if task.port is not None:
            address = stack.address(task.key) or "127.0.0.1"
            endpoint = Endpoint(*(behaviour.endpoint or (address, task.port)))
        seen = Observed(key=task.key, state=ServiceState.ABSENT, endpoint=endpoint)
        if row is None:
            return seen
        row = scope.find(task.key) or row
        state, words = _state(row, behaviour, self.world.now())
        return replace(seen, state=state, words=words, exit_code=row["exit_code"] or None)

    def _settle(self, row: Row, usual: Behaviour = _SERVICE) -> Behaviour:
        """Let a container end whose time has come, and give what it does."""
        behaviour = self.world.behaviour(row["script"]) or usual
        over = behaviour.exits is not None and self.world.now() - row["started"] >= behaviour.exits_after
        if row["status"] == "running" and over:
            query = "UPDATE containers SET status = 'exited', exit_code = ? WHERE name = ?"
            self.world.write(query, behaviour.exits, row["name"])
        return behaviour

    async def stop(self, placement: Placement, stack: ResolvedStack, keys: Collection[str]) -> None:
        """Stop tasks, dependents first; what completed stays so."""
        scope = _Scope(self.world, placement)
        async with self._call("stop"), self._alone():
            for wave in stop_waves(stack, keys):
                for task in wave:
                    state = self._observe(scope, stack, task).state
                    if state not in {ServiceState.ABSENT, ServiceState.WAITING, ServiceState.COMPLETED}:
                        scope.stop(task.key)

    async def run(self, placement: Placement, stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        """Start a hook if it is not there, and tell how it is."""
        scope = _Scope(self.world, placement)
        async with self._call("run"), self._alone():
            scope.make("network", "network")
            address, script = stack.address(hook.name), " ".join(hook.hook.command)
            scope.create(hook.task, hook.name, script=script, address=address)
            row = scope.find(hook.name)
            if row is not None and row["status"] == "created":
                scope.start(hook.name)
                self.world.note("run", placement.instance, placement.environment, hook.name)
                return Observed(key=hook.name, state=ServiceState.STARTING)
            if row is not None:
                self._settle(row, _HOOK)
            row = scope.find(hook.name)
            if row is None or row["status"] == "running":
                age = self.world.now() - row["started"] if row else 0.0
                return Observed(key=hook.name, state=ServiceState.STARTING, age=age)
            code = int(row["exit_code"] or 0)
            state = ServiceState.FAILED if code else ServiceState.COMPLETED
            words = f"ended with exit code {code}" if code else ""
            return Observed(key=hook.name, state=state, exit_code=code, words=words)

    async def remove(self, placement: Placement, keys: Collection[str] | None, *, grace: float | None = None) -> None:
        """Remove tasks and hooks by key; None removes the environment."""
        del grace  # everything ends at once
        place = (placement.instance, placement.environment)
        async with self._call("remove"), self._alone():
            for table in ("containers", "things"):
                whose = f"FROM {table} WHERE instance = ? AND environment = ?"
                for row in self.world.read(f"SELECT name, key {whose}", *place):
                    if (keys is None or row["key"] in keys) and not newer(row, placement):
                        self.world.write(f"DELETE {whose} AND name = ?", *place, row["name"])
                        if table == "containers":
                            self.world.note("remove", *place, row["key"])

    async def remove_images(self, placement: Placement, keep: Collection[str]) -> None:
        """Remove the environment's images that are not to be kept and that nothing uses."""
        place = (placement.instance, placement.environment)
        async with self._call("remove_images"), self._alone():
            query = "SELECT name FROM things WHERE kind = 'image' AND instance = ? AND environment = ?"
            for row in self.world.read(query, *place):
                if row["name"] not in keep:
                    self._forget(row["name"])

    async def forget_image(self, image: str) -> None:
        """Remove a pulled image that nothing uses."""
        async with self._call("forget_image"), self._alone():
            query = "SELECT name FROM things WHERE kind = 'image' AND environment = 0 AND ? IN (name, reference)"
            for row in self.world.read(query, image):
                self._forget(row["name"])

    def _forget(self, image_id: str) -> None:
        used = self.world.read("SELECT 1 FROM containers WHERE image = ? LIMIT 1", image_id)
        if not used:
            self.world.write("DELETE FROM things WHERE kind = 'image' AND name = ?", image_id)

    async def free(self) -> int | None:
        """Tell what the world says is free."""
        async with self._call("free"):
            return self.world.free

    async def usage(self, instance: str) -> Mapping[int, int]:  # noqa: ARG002 -- the protocol's signature
        """Tell what the world says was written."""
        async with self._call("usage"):
            return dict(self.world.usage)

    async def started(self) -> float | None:
        """Tell since when the world says that its engine runs."""
        async with self._call("started"):
            return self.world.started

    async def observe_all(self, instance: str) -> Mapping[int, Presence]:
        """Tell all that carries the instance's label, by environment id."""
        async with self._call("observe_all"):
            containers = self.world.read("SELECT * FROM containers WHERE instance = ?", instance)
            for row in containers:
                if row["status"] == "running":
                    self._settle(row)
            containers = self.world.read("SELECT * FROM containers WHERE instance = ?", instance)
            things = self.world.read("SELECT * FROM things WHERE instance = ?", instance)
            return _presences(containers, things)

    async def events(self, instance: str) -> AsyncIterator[int]:
        """Give the ids of environments as something is done to them, by anybody."""
        last = self.world.read("SELECT COALESCE(MAX(id), 0) AS id FROM acts")[0]["id"]
        while True:
            query = "SELECT id, environment FROM acts WHERE id > ? AND instance IN (?, '') ORDER BY id"
            for row in self.world.read(query, last, instance):
                last = row["id"]
                yield row["environment"]
            await asyncio.sleep(self._look)

    async def logs(
        self, placement: Placement, key: str, *, tail: int = 50, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """Give what a container is scripted to have written; following ends at once."""
        del follow
        async with self._call("logs"):
            row = _Scope(self.world, placement).find(key)
            text = row["log"].splitlines(keepends=True)[-tail:] if row is not None else []
        for line in text:
            yield line.encode()

    async def shell(self, placement: Placement, key: str, command: Sequence[str]) -> int:
        """Nothing runs here, so nothing can be run in it: exit code 127, or 0 for ``true``."""
        async with self._call("shell"):
            if _Scope(self.world, placement).find(key) is None:
                raise Refused(f"There is no {key} to run a command in.")
            return 0 if list(command) == ["true"] else 127

    async def check(self) -> Sequence[Finding]:
        """Tell that this is no real engine."""
        words = "Containers are played in memory: nothing runs."
        return [Finding(subject="engine", severity=Severity.WARNING, words=words, mend="REVIEEE_ENGINE=docker")]

    async def uninstall(self) -> None:
        """There is nothing beside the environments."""

    async def open(self) -> None:
        """There is nothing to make on a host."""

    async def close(self) -> None:
        """Let go of the world, which outlives its engines, unless somebody else holds it."""
        if self._owns_world:
            self.world.close()

    @asynccontextmanager
    async def _call(self, method: str) -> AsyncIterator[None]:
        """Meet the faults that were asked for."""
        fault = self.world.take_fault(method)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and not fault.after:
            raise _error(fault)
        yield
        if fault is not None:
            raise _error(fault)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """What one call does is done at once: nothing awaits inside."""
        with self.world.transaction():
            yield


_SETTLED = frozenset({ServiceState.HEALTHY, ServiceState.COMPLETED})


def _may_start(task: Task, seen: Mapping[str, Observed]) -> bool:
    ready = seen[task.key].state in {ServiceState.ABSENT, ServiceState.WAITING, ServiceState.STOPPED}
    return ready and all(one.service in seen and seen[one.service].allows(one) for one in task.requires)


def _told(stack: ResolvedStack, task: Task, seen: Mapping[str, Observed]) -> Observed:
    """What does not run yet waits for something."""
    mine = seen[task.key]
    if mine.state not in {ServiceState.ABSENT, ServiceState.WAITING, ServiceState.STOPPED}:
        return mine
    names = [stack.task(one.service).service.name for one in task.requires if not seen[one.service].allows(one)]
    return replace(mine, state=ServiceState.WAITING, words=f"waits for {', '.join(names)}")


def _state(row: Row, behaviour: Behaviour, now: float) -> tuple[ServiceState, str]:
    if row["status"] == "created":
        return ServiceState.WAITING, ""
    if row["status"] == "exited":
        if row["stopped"]:
            return ServiceState.STOPPED, "stopped"
        if row["exit_code"] == 0 and not row["exposed"]:
            return ServiceState.COMPLETED, ""
        return ServiceState.FAILED, f"ended with exit code {row['exit_code']}"
    if behaviour.healthy_after is not None and now - row["started"] >= behaviour.healthy_after:
        return ServiceState.HEALTHY, ""
    state = ServiceState.UNHEALTHY if behaviour.words else ServiceState.STARTING
    return state, behaviour.words


def _presences(containers: Sequence[Row], things: Sequence[Row]) -> Mapping[int, Presence]:
    found: dict[int, dict[str, set[str]]] = {}
    for row in containers:
        mine = found.setdefault(row["environment"], {})
        mine.setdefault("keys", set()).add(row["key"])
        if row["status"] == "running":
            mine.setdefault("running", set()).add(row["key"])
        if row["status"] == "exited" and row["exit_code"] == 0 and not row["exposed"] and not row["stopped"]:
            mine.setdefault("completed", set()).add(row["key"])
    for row in things:
        found.setdefault(row["environment"], {}).setdefault(f"{row['kind']}s", set()).add(row["name"])
    latest = dict.fromkeys(found, 0)
    for row in (*containers, *things):
        latest[row["environment"]] = max(latest[row["environment"]], incarnation_of(row))
    return {
        whose: Presence(**{kind: frozenset(names) for kind, names in mine.items()}, incarnation=latest[whose])
        for whose, mine in found.items()
    }


def _error(fault: WorldFault) -> Exception:
    return Fault(fault.words) if fault.error == "fault" else RetryLater(fault.words, delay=0.0)
