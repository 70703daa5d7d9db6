"""What the engine has of all environments, in five calls, and hints that something changed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping

from revieee.clients.docker import DockerClient, DockerError, Json, lines
from revieee.engines.docker.calls import by_labels, engine_started
from revieee.engines.docker.names import INSTANCE, KEY, PORT, STOPPED, environment_of, incarnation_of
from revieee.ports import Presence

_EVENTS = ("create", "start", "die", "oom", "kill", "stop", "destroy", "pause", "unpause", "health_status")
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_UNKNOWN: float | None = -1.0
"""Stands for when the engine began, before it was asked."""


async def observe_all(client: DockerClient, instance: str) -> Mapping[int, Presence]:
    """Tell what there is of each environment of an instance."""
    query = by_labels(f"{INSTANCE}={instance}")
    ended_well = {"filters": {"label": [f"{INSTANCE}={instance}"], "exited": ["0"]}}
    containers, completed, networks, volumes, images = await asyncio.gather(
        client.call("GET", "containers", "json", query={"all": True, **query}),
        client.call("GET", "containers", "json", query={"all": True, **ended_well}),
        client.call("GET", "networks", query=query),
        client.call("GET", "volumes", query=query),
        client.call("GET", "images", "json", query=query),
    )
    done = {str(one["Id"]) for one in completed if _counts_as_completed(one)}
    return sort_out(containers, networks, (volumes or {}).get("Volumes") or [], images, done)


def sort_out(
    containers: Json, networks: Json, volumes: Json, images: Json, done: Collection[str] = ()
) -> Mapping[int, Presence]:
    """Sort the engine's lists by environment. What carries no readable environment is nobody's and left out.

    Args:
        containers: as listed; so are the others.
        networks: …
        volumes: …
        images: …
        done: ids of the containers that did all they had to do.
    """
    sorted_ = [_by_environment(things) for things in (containers, networks, volumes, images)]
    return {
        whose: Presence(
            keys=frozenset(_key(one) for one in mine),
            running=frozenset(_key(one) for one in mine if _serves(one)),
            completed=frozenset(_key(one) for one in mine if one["Id"] in done),
            networks=frozenset(str(one["Name"]) for one in sorted_[1].get(whose, ())),
            volumes=frozenset(str(one["Name"]) for one in sorted_[2].get(whose, ())),
            images=frozenset(str(one["Id"]) for one in sorted_[3].get(whose, ())),
            incarnation=max(
                (incarnation_of(one.get("Labels")) for some in sorted_[:3] for one in some.get(whose, ())), default=0
            ),
        )
        for whose in set().union(*sorted_)
        for mine in [sorted_[0].get(whose, ())]
    }


def _by_environment(things: Json) -> Mapping[int, list[Json]]:
    found: defaultdict[int, list[Json]] = defaultdict(list)
    for one in things:
        if (whose := environment_of(one.get("Labels"))) is not None:
            found[whose].append(one)
    return found


def _key(container: Json) -> str:
    return str(container["Labels"].get(KEY) or container["Id"])


def _serves(container: Json) -> bool:
    """What somebody paused, or took off its network, runs on and answers nobody."""
    networks = (container.get("NetworkSettings") or {}).get("Networks")
    return container.get("State") == "running" and bool(networks)


def _counts_as_completed(container: Json) -> bool:
    """A task with a URL never completes, and one that we stopped did not end by itself."""
    exposed = (container.get("Labels") or {}).get(PORT)
    return not exposed and not any(str(name).endswith(STOPPED) for name in container.get("Names") or ())


async def events(client: DockerClient, instance: str) -> AsyncIterator[int]:
    """Give the ids of environments whose containers change, for ever; while the engine is away, nothing.

    When it began anew, all that have something which ended have changed: it may look as if it had done all it had to.
    """
    query = {"filters": {"label": [f"{INSTANCE}={instance}"], "type": ["container"], "event": list(_EVENTS)}}
    pause, known = _FIRST_PAUSE, _UNKNOWN
    while True:
        try:
            async with client.stream("GET", "events", query=query) as pieces:
                if (started := await engine_started(client)) != known:
                    for one in await _with_ended(client, instance):
                        yield one
                    known = started
                async for event in lines(pieces):
                    pause = _FIRST_PAUSE
                    whose = environment_of((event.get("Actor") or {}).get("Attributes"))
                    if whose is not None:
                        yield whose
        except DockerError:
            pass
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _with_ended(client: DockerClient, instance: str) -> Collection[int]:
    query = {"filters": {"label": [f"{INSTANCE}={instance}"], "status": ["exited"]}}
    return _by_environment(await client.call("GET", "containers", "json", query={"all": True, **query})).keys()
