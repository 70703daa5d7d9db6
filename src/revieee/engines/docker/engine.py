"""The Docker engine: the port's methods, each a few calls of the parts beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

from revieee.clients.docker import DockerClient
from revieee.engines.docker import checks, disk, hooks, images, networks, observe, removal, shell
from revieee.engines.docker.apply import Step
from revieee.engines.docker.calls import engine_started, find, told, unless_gone
from revieee.engines.docker.container import is_done
from revieee.engines.docker.host import take_address_back
from revieee.engines.docker.names import Names
from revieee.engines.docker.output import Frames
from revieee.engines.docker.watch import Watch
from revieee.model.image import Image
from revieee.model.order import stop_waves, with_required
from revieee.model.policy import EngineOptions
from revieee.model.resolve import ResolvedHook, ResolvedStack, Task
from revieee.ports import Announce, Capabilities, Finding, Observed, Placement, Presence, Refused


class DockerEngine:
    """One Docker engine.

    Args:
        options: how it is set up.
        client: of the Engine API.
        now: the clock, in Unix seconds.
        watch: keeps the walls; None makes one.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        options: EngineOptions,
        client: DockerClient,
        *,
        now: Callable[[], float] = time.time,
        watch: Watch | None = None,
    ) -> None:
        self._options = options
        self._client = client
        self._now = now
        self._watch = watch or Watch(options, client)

    async def prepare(self, placement: Placement) -> None:
        """Make the environment's network exist, walls included."""
        await self._watch.keep()
        with told("make the environment's network"):
            await networks.ensure(self._client, placement, self._options)

    async def image(
        self, reference: str, *, pinned: str | None = None, refresh: bool = False, pulling: Announce | None = None
    ) -> Image:
        """Have an image that is not built here, pulled if need be."""
        with told(f"give the image {reference}"):
            return await images.have(
                self._client,
                reference,
                options=self._options,
                pinned=pinned,
                refresh=refresh,
                pulling=pulling,
            )

    async def apply(
        self, placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        """Take the next steps towards the stack's tasks existing and running."""
        step = Step(
            client=self._client,
            options=self._options,
            placement=placement,
            stack=stack,
            now=self._now,
            tasks=with_required(stack, only),
        )
        with told("start the services"):
            return await step.take()

    async def stop(self, placement: Placement, stack: ResolvedStack, keys: Collection[str]) -> None:
        """Stop tasks, dependents first; also marks one that failed, so that ``apply`` starts it again as it was."""
        with told("stop the services"):
            for wave in stop_waves(stack, keys):
                await asyncio.gather(*(self._stop(placement, task) for task in wave))

    async def _stop(self, placement: Placement, task: Task) -> None:
        """Mark first: what we stopped must never look as if it had failed. What never ran is made anew."""
        container = await find(self._client, placement, task.key)
        if container is not None and container.unstartable:
            query = {"force": True, "v": True}
            await unless_gone(self._client, "DELETE", "containers", container.id, query=query)
            return
        if container is None or container.status in {"created", "removing", "dead"} or is_done(task, container):
            return
        if not container.stopped_by_us:
            name = Names(placement).stopped(task.key)
            await self._client.call("POST", "containers", container.id, "rename", query={"name": name})
        if not container.ended:
            await removal.stop(self._client, container.id, None)

    async def run(self, placement: Placement, stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        """Start a hook's container if it is not there, and tell how it is."""
        with told(f"run the hook {hook.name}"):
            return await hooks.run(self._client, placement, stack, hook, self._options, now=self._now())

    async def remove(self, placement: Placement, keys: Collection[str] | None, *, grace: float | None = None) -> None:
        """Remove tasks and hooks by key; None removes the environment."""
        with told("remove the environment" if keys is None else "remove services", soon=None):
            if keys is None:
                await removal.remove_all(self._client, placement, grace)
            elif keys:
                await removal.remove_keys(self._client, placement, keys, grace)

    async def remove_images(self, placement: Placement, keep: Collection[str]) -> None:
        """Remove the environment's built images whose id is not in ``keep``; used ones stay."""
        with told("remove images"):
            await removal.remove_images(self._client, placement, keep)

    async def forget_image(self, image: str) -> None:
        """Remove a pulled image that nothing uses."""
        with told("remove an image"):
            await images.forget(self._client, image)

    async def free(self) -> int | None:
        """Tell how many bytes are free in the engine's data folder; None where it is on another host."""
        with told("say how it is"):
            return await disk.free(self._client)

    async def usage(self, instance: str) -> Mapping[int, int]:
        """Tell how many bytes each environment's containers and volumes have written."""
        with told("count what its containers wrote"):
            return await disk.usage(self._client, instance)

    async def started(self) -> float | None:
        """Tell since when this Docker engine runs."""
        with told("say since when it runs"):
            return await engine_started(self._client)

    async def observe_all(self, instance: str) -> Mapping[int, Presence]:
        """Tell all that carries the instance's label, by environment id, in five calls; the walls are looked at too."""
        await self._watch.keep()
        with told("list what it has"):
            return await observe.observe_all(self._client, instance)

    def events(self, instance: str) -> AsyncIterator[int]:
        """Give the ids of environments as something of theirs changes."""
        return observe.events(self._client, instance)

    async def logs(
        self, placement: Placement, key: str, *, tail: int = 50, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """Give a task's or hook's output; nothing where it is absent."""
        with told("give the log"):
            container = await find(self._client, placement, key)
            if container is None:
                return
            body = await self._client.call("GET", "containers", container.id, "json")
            frames = None if body["Config"].get("Tty") else Frames()
            query = {"stdout": True, "stderr": True, "tail": tail, "follow": follow}
            path = ("containers", container.id, "logs")
            patience = None if follow else self._options.timeout
            async with self._client.stream("GET", *path, query=query, patience=patience) as pieces:
                async for piece in pieces:
                    for part in frames.feed(piece) if frames else (piece,):
                        yield part

    async def shell(self, placement: Placement, key: str, command: Sequence[str]) -> int:
        """Run a command in a task with this process's terminal and give its exit code."""
        with told("open a shell"):
            container = await find(self._client, placement, key)
            if container is None or not container.running:
                raise Refused("The service does not run, so no command can run in it.")
            return await shell.run(self._client, container.id, command)

    async def check(self) -> Sequence[Finding]:
        """Tell whether this can work."""
        return await checks.check(self._client, self._options)

    async def uninstall(self) -> None:
        """Take the firewall tables away."""
        await self._watch.end()
        await take_address_back(self._options)

    async def open(self) -> None:
        """Put up the walls, and the address at which containers reach the router."""
        await self._watch.open()

    async def close(self) -> None:
        """Let go of connections."""
        await self._watch.leave()
        await self._client.close()
