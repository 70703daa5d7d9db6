"""One step towards a stack's tasks running: look, create what is missing, start what its dependencies allow."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from revieee.clients.docker import DockerAnswered, DockerClient
from revieee.clients.http_probe import probe
from revieee.clients.wording import out_of_room
from revieee.engines.docker import images, networks, render
from revieee.engines.docker.archive import pack
from revieee.engines.docker.calls import (
    ABSENT,
    BAD_REQUEST,
    BROKEN,
    CONFLICT,
    engine_started,
    find,
    inspect,
    unless_gone,
)
from revieee.engines.docker.container import Container, asks_port, is_done, judge, plain_words
from revieee.engines.docker.filled import filled
from revieee.engines.docker.listening import listening_words
from revieee.engines.docker.names import Names
from revieee.model.policy import EngineOptions
from revieee.model.resolve import ResolvedStack, Task
from revieee.model.route import Endpoint
from revieee.model.stack import Condition, Dependency
from revieee.ports import Observed, Placement, Refused, RetryLater, RetryWithinTime, ServiceState

_WISH = {Condition.STARTED: "start", Condition.HEALTHY: "be healthy", Condition.COMPLETED: "end well"}


@dataclass(slots=True, kw_only=True)
class Step:
    """One call of ``apply``."""

    client: DockerClient
    options: EngineOptions
    placement: Placement
    stack: ResolvedStack
    now: Callable[[], float]
    tasks: Sequence[Task]
    containers: dict[str, Container | None] = field(default_factory=dict)
    observed: dict[str, Observed] = field(default_factory=dict)
    network: str = ""
    engine_started: float | None = None

    async def take(self) -> Mapping[str, Observed]:
        """Do it, and tell how each task is."""
        found = await asyncio.gather(*(find(self.client, self.placement, task.key) for task in self.tasks))
        self.containers = {task.key: one for task, one in zip(self.tasks, found, strict=True)}
        if any(one is not None and one.ended for one in found):
            self.engine_started = await engine_started(self.client)
        seen = await asyncio.gather(*(self._observe(task) for task in self.tasks))
        self.observed = {one.key: one for one in seen}
        if any(self._startable(task) for task in self.tasks):
            self.network = await networks.ensure(self.client, self.placement, self.options)
            await asyncio.gather(*(self._create(task) for task in self.tasks))
            await self._start_what_may()
        return {task.key: self._told(task) for task in self.tasks}

    async def _observe(self, task: Task) -> Observed:
        """Tell how it is; asks its port where only that tells."""
        endpoint = self._endpoint(task)
        container = self.containers[task.key]
        seen = judge(task, container, now=self.now(), settle=self.options.settle, endpoint=endpoint)
        undecided = seen.state is ServiceState.STARTING and endpoint is not None
        if container is None or endpoint is None or not undecided or not asks_port(task, container):
            return seen
        asked = task.service.probe
        answer = await probe(endpoint.host, endpoint.port, asked.path, within=asked.timeout)
        if answer.healthy:
            return replace(seen, state=ServiceState.HEALTHY)
        words = answer.words
        if not answer.listening:
            words += await asyncio.to_thread(listening_words, container.pid, container.id)
        return replace(seen, state=ServiceState.UNHEALTHY, words=words)

    def _endpoint(self, task: Task) -> Endpoint | None:
        address = self.stack.address(task.key)
        return Endpoint(address, task.port) if address is not None and task.port is not None else None

    def _startable(self, task: Task) -> bool:
        """Whether it is for us to create or start it."""
        container = self.containers[task.key]
        if container is None or container.status in {"created", "paused", "dead"}:
            return container is None or not container.unstartable
        if container.stopped_by_us or self._is_cut_off(container):
            return True
        return container.ended and self._ended_with_the_engine(task, container)

    def _ended_with_the_engine(self, task: Task, container: Container) -> bool:
        """Whether a restart of the engine (or of the machine) ended it, so that nothing is wrong with it.

        The engine starts only those again whose restart policy says so; the usual one is none.
        """
        if self.engine_started is None or container.finished >= self.engine_started:
            return False
        awaited = any(
            one.service == task.key and one.condition is Condition.COMPLETED
            for other in self.stack.tasks
            for one in other.requires
        )
        return not (is_done(task, container) and (awaited or task.key in self.stack.completed))

    async def _create(self, task: Task) -> None:
        container = self.containers[task.key]
        if container is not None and self._is_lost(container):
            await unless_gone(self.client, "DELETE", "containers", container.id, query={"force": True, "v": True})
            container = self.containers[task.key] = None
        if container is not None:
            return
        body = render.container(self.placement, self.stack, task, self.options)
        if task.service.files and task.service.read_only:
            body["Image"] = await filled(self.client, self.placement, task)
        self.containers[task.key] = await self._created(task, body)

    def _is_lost(self, container: Container) -> bool:
        """Whether it can never serve again: half removed, or its network is gone and was made anew."""
        known = container.networks.get(Names(self.placement).network)
        elsewhere = not container.running and bool(known) and known != self.network
        return container.status == "dead" or elsewhere or self._is_cut_off(container)

    def _is_cut_off(self, container: Container) -> bool:
        """Whether it runs, and somebody took it off its network."""
        return container.running and Names(self.placement).network not in container.networks

    async def _created(self, task: Task, body: render.Value) -> Container | None:
        """Create a container; one that is there already (we crashed, or timed out) is taken as it is."""
        name = Names(self.placement).container(task.key)
        try:
            await self.client.call(
                "POST", "containers", "create", query={"name": name, "platform": task.service.platform}, body=body
            )
        except DockerAnswered as error:
            if error.status == ABSENT:
                raise await images.missing(self.client, task, error) from error
            if error.status == BAD_REQUEST:
                raise Refused(f"Docker does not take service {task.service.name}: {error}") from error
            if error.status != CONFLICT:
                raise
        return await inspect(self.client, name)

    async def _start_what_may(self) -> None:
        """Start in waves: each wave may allow the next."""
        tried: set[str] = set()
        while wave := [
            task
            for task in self.tasks
            if task.key not in tried and self._startable(task) and self._blocker(task) is None
        ]:
            tried |= {task.key for task in wave}
            started = await asyncio.gather(*(self._start(task) for task in wave))
            self.observed |= {one.key: one for one in started}

    def _blocker(self, task: Task) -> Dependency | None:
        """Give the first dependency that does not allow its start yet."""
        for one in task.requires:
            seen = self.observed.get(one.service)
            if seen is None or not seen.allows(one):
                return one
        return None

    async def _start(self, task: Task) -> Observed:
        container = self.containers[task.key]
        if container is None:
            return Observed(key=task.key, state=ServiceState.ABSENT)
        try:
            if container.status == "created" and task.service.files and not task.service.read_only:
                archive = pack(task.service.files)
                await self.client.call("PUT", "containers", container.id, "archive", query={"path": "/"}, body=archive)
            if container.status != "running":
                order = "unpause" if container.status == "paused" else "start"
                await self.client.call("POST", "containers", container.id, order)
        except DockerAnswered as error:
            return await self._unstarted(task, container, error)
        if container.stopped_by_us:
            name = Names(self.placement).container(task.key)
            await self.client.call("POST", "containers", container.id, "rename", query={"name": name})
        return Observed(key=task.key, state=ServiceState.STARTING, endpoint=self._endpoint(task))

    async def _unstarted(self, task: Task, container: Container, error: DockerAnswered) -> Observed:
        """What the engine forbids or misses passes: an address in use, a network that is gone. The rest is final."""
        full = out_of_room(error.message)
        if error.status in {BAD_REQUEST, BROKEN} and not full:
            return Observed(key=task.key, state=ServiceState.FAILED, exit_code=127, words=plain_words(error.message))
        if container.status == "created":
            await unless_gone(self.client, "DELETE", "containers", container.id, query={"force": True, "v": True})
        words = f"Docker could not start service {task.service.name}: {error.message}"
        raise RetryLater(words) if full else RetryWithinTime(words, delay=1.0)

    def _told(self, task: Task) -> Observed:
        """What stands and waits, waits for something."""
        seen = self.observed[task.key]
        blocker = self._blocker(task)
        if blocker is None or not self._startable(task) or seen.state is ServiceState.STARTING:
            return seen
        name = self.stack.task(blocker.service).service.name
        words = f"waits for {name} to {_WISH[blocker.condition]}"
        return replace(seen, state=ServiceState.WAITING, words=words)
