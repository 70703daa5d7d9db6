"""Removal, until nothing is there. Only what carries the environment's labels is touched."""

import asyncio
from collections.abc import Collection, Mapping

from revieee.clients.docker import DockerAnswered, DockerClient, Json
from revieee.engines.docker import images
from revieee.engines.docker.calls import ABSENT, CONFLICT, of_environment
from revieee.engines.docker.names import KEY, incarnation_of
from revieee.ports import Placement, RetryLater

_ROUNDS = 20
_PAUSE = 0.1
_STOP_TIME = 30.0
"""Seconds that an order to stop may take beyond the grace period."""
_LONGEST_GRACE = 600.0
_BUSY = frozenset({ABSENT, CONFLICT})
_LOST_COUNT = ", which no container uses (Docker counts one all the same, until it is started anew)"
"""Seen of Docker 20.10; to disconnect by force finds nothing to be disconnected."""


async def remove_keys(client: DockerClient, placement: Placement, keys: Collection[str], grace: float | None) -> None:
    """Remove containers by key, with the volumes and images made for each."""
    for _ in range(_ROUNDS):
        left = await _of_keys(client, placement, frozenset(keys))
        if not any(left):
            return
        containers, volumes, made = left
        await asyncio.gather(*(_end(client, one, grace) for one in containers))
        await asyncio.gather(*(_drop(client, "volumes", str(one["Name"])) for one in volumes))
        await asyncio.gather(*(images.remove(client, one, force=True) for one in made))
        await asyncio.sleep(_PAUSE if containers and await _lingers(client, placement, keys) else 0)
    raise RetryLater("Docker has not removed all containers yet.")


async def remove_all(client: DockerClient, placement: Placement, grace: float | None) -> None:
    """Remove everything of an environment, and return when the engine shows nothing of it any more."""
    for attempt in range(_ROUNDS):
        containers, networks, volumes, made = await _of_environment(client, placement)
        if not (containers or networks or volumes or made):
            return
        await asyncio.sleep(_PAUSE if attempt > 1 else 0)
        for container in containers:  # not at once: Docker before 23 may hang where two leave a network (moby #46661)
            await _end(client, container, grace)
        names = [str(one["Name"]) for one in volumes]
        # Not while a container is there: Docker may lose count of those on a network that it is to remove meanwhile.
        empty = [] if containers else [str(one["Id"]) for one in networks]
        await asyncio.gather(
            *(_drop(client, "networks", one) for one in empty), *(_drop(client, "volumes", name) for name in names)
        )
        for image in sorted(made, key=lambda one: -int(one["Created"])):  # one made from another goes first
            await images.remove(client, image, force=True)
    if obstacles := await _obstacles(client, placement):
        words = f"Docker cannot remove {'; '.join(obstacles)}."
        raise RetryLater(f"{words} It is tried again after growing pauses, until nothing uses it.")


async def _obstacles(client: DockerClient, placement: Placement) -> list[str]:
    """Say what is still there, and whose containers use it: where they are not ours, we leave them alone."""
    containers, networks, volumes, made = await _of_environment(client, placement)
    found = [f"the container {_named(one)}" for one in containers]
    things = [
        *(("network", str(one["Name"]), str(one["Id"])) for one in networks),
        *(("volume", str(one["Name"]), str(one["Name"])) for one in volumes),
        *(("image", str(one["Id"]), str(one["Id"])) for one in made),
    ]
    for kind, name, id_ in things:
        filters = {"ancestor" if kind == "image" else kind: [id_]}
        users = await client.call("GET", "containers", "json", query={"all": True, "filters": filters})
        unused = _LOST_COUNT if kind == "network" and not containers else ""
        used = f", which the container {', '.join(_named(one) for one in users)} uses" if users else unused
        found.append(f"the {kind} {name}{used}")
    return found


def _named(container: Json) -> str:
    return str((container.get("Names") or [container["Id"]])[0]).lstrip("/")


async def remove_images(client: DockerClient, placement: Placement, keep: Collection[str]) -> None:
    """Remove the environment's images that are not to be kept and that no container uses."""
    for image in await client.call("GET", "images", "json", query=of_environment(placement)):
        if image["Id"] not in keep and KEY not in (image.get("Labels") or {}):
            await images.remove(client, image)


async def _end(client: DockerClient, container: Json, grace: float | None) -> None:
    """Stop and remove a container."""
    name = str(container["Id"])
    if container.get("State") in {"running", "restarting"} and grace != 0:
        await stop(client, name, grace)
    await _drop(client, "containers", name, force=True, v=True)


async def stop(client: DockerClient, name: str, grace: float | None) -> None:
    """Stop a container; one that is gone or has ended is stopped already.

    Args:
        client: of the engine.
        name: of the container, or its id.
        grace: seconds between stop signal and kill; None is the container's own.
    """
    seconds = None if grace is None else max(0, round(grace))
    limit = _STOP_TIME + (_LONGEST_GRACE if seconds is None else seconds)
    try:
        await client.call("POST", "containers", name, "stop", query={"t": seconds}, timeout=limit)
    except DockerAnswered as error:
        if error.status not in _BUSY:
            raise


async def _drop(client: DockerClient, kind: str, name: str, **query: bool) -> None:
    """Remove one thing; one that is gone, or still in use or on its way out, is looked at again in the next round."""
    try:
        await client.call("DELETE", kind, name, query=query)
    except DockerAnswered as error:
        in_use = kind == "networks" and error.status == 403  # noqa: PLR2004 - the API's word for active endpoints
        if error.status not in _BUSY and not in_use:
            raise


async def _of_environment(
    client: DockerClient, placement: Placement
) -> tuple[list[Json], list[Json], list[Json], list[Json]]:
    query = of_environment(placement)
    containers, networks, volumes, made = await asyncio.gather(
        client.call("GET", "containers", "json", query={"all": True, **query}),
        client.call("GET", "networks", query=query),
        client.call("GET", "volumes", query=query),
        client.call("GET", "images", "json", query=query),
    )
    found = containers, networks, (volumes or {}).get("Volumes") or []
    of_ours, of_networks, of_volumes = ([one for one in some if _ours(one, placement)] for some in found)
    return of_ours, of_networks, of_volumes, made


def _ours(thing: Mapping[str, Json], placement: Placement) -> bool:
    """Whether it is of this incarnation or an earlier one: who comes late removes nothing of what came after.

    An image is of none: its label may be the author's, and one that is used is not removed.
    """
    return not (placement.incarnation and incarnation_of(thing.get("Labels")) > placement.incarnation)


async def _of_keys(
    client: DockerClient, placement: Placement, keys: Collection[str]
) -> tuple[list[Json], list[Json], list[Json]]:
    containers, _, volumes, made = await _of_environment(client, placement)

    def mine(things: Collection[Json]) -> list[Json]:
        return [one for one in things if _key(one) in keys]

    return mine(containers), mine(volumes), mine(made)


async def _lingers(client: DockerClient, placement: Placement, keys: Collection[str]) -> bool:
    query = {"all": True, **of_environment(placement)}
    return any(_key(one) in keys for one in await client.call("GET", "containers", "json", query=query))


def _key(thing: Mapping[str, Json]) -> str:
    return str((thing.get("Labels") or {}).get(KEY, ""))
