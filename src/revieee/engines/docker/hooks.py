"""Hooks: containers with a name of their own that run once, so a second start is refused and the exit code stays."""

from revieee.clients.docker import DockerAnswered, DockerClient
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
from revieee.engines.docker.container import Container, judge_hook, plain_words
from revieee.engines.docker.filled import filled
from revieee.engines.docker.names import Names
from revieee.model.policy import EngineOptions
from revieee.model.resolve import ResolvedHook, ResolvedStack
from revieee.ports import Observed, Placement, Refused, ServiceState

_CANNOT_RUN = 127


async def run(
    client: DockerClient,
    placement: Placement,
    stack: ResolvedStack,
    hook: ResolvedHook,
    options: EngineOptions,
    *,
    now: float,
) -> Observed:
    """Start a hook's container if it is not there, and tell how it is.

    One that a restart of the engine (or of the machine) cut off is run anew.

    Raises:
        Refused: the engine does not take it.
    """
    container = await find(client, placement, hook.name)
    if container is not None and await _cut_off(client, container):
        await unless_gone(client, "DELETE", "containers", container.id, query={"force": True, "v": True})
        container = None
    if container is None:
        container = await _create(client, placement, stack, hook, options)
    if container is not None and (container.status != "created" or container.unstartable):
        return judge_hook(hook.name, container, now=now)
    if container is not None:
        try:
            if hook.task.service.files and not hook.task.service.read_only:
                archive = pack(hook.task.service.files)
                await client.call("PUT", "containers", container.id, "archive", query={"path": "/"}, body=archive)
            await client.call("POST", "containers", container.id, "start")
        except DockerAnswered as error:
            if error.status not in {BAD_REQUEST, BROKEN} or out_of_room(error.message):
                raise
            words = plain_words(error.message)
            return Observed(key=hook.name, state=ServiceState.FAILED, exit_code=_CANNOT_RUN, words=words)
    return Observed(key=hook.name, state=ServiceState.STARTING)


async def _cut_off(client: DockerClient, container: Container) -> bool:
    """Whether it failed before this engine began, and nobody saw that: whoever sees a hook fail asks no more of it."""
    if not container.ended or container.exit_code == 0:
        return False
    started = await engine_started(client)
    return started is not None and container.finished < started


async def _create(
    client: DockerClient, placement: Placement, stack: ResolvedStack, hook: ResolvedHook, options: EngineOptions
) -> Container | None:
    await networks.ensure(client, placement, options)
    body = render.hook_container(placement, stack, hook, options)
    if hook.task.service.files and hook.task.service.read_only:
        body["Image"] = await filled(client, placement, hook.task)
    name = Names(placement).container(hook.name)
    query = {"name": name, "platform": hook.task.service.platform}
    try:
        await client.call("POST", "containers", "create", query=query, body=body)
    except DockerAnswered as error:
        if error.status == ABSENT:
            raise await images.missing(client, hook.task, error) from error
        if error.status == BAD_REQUEST:
            raise Refused(f"Docker does not take the hook {hook.name}: {error}") from error
        if error.status != CONFLICT:
            raise
    return await inspect(client, name)
