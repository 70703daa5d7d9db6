"""The few questions and orders that several parts of this engine need, and its errors in words."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from revieee.clients.docker import DockerAnswered, DockerClient, DockerForbidden, DockerSilent, Json
from revieee.clients.wording import out_of_room
from revieee.engines.docker.container import Container, moment, read
from revieee.engines.docker.names import ENVIRONMENT, INSTANCE, Names
from revieee.ports import Fault, Placement, RetryLater, RetryWithinTime

BAD_REQUEST = 400
ABSENT = 404
CONFLICT = 409
BROKEN = 500
"""The engine's word for whatever its parts could not do; of a start, mostly what the runtime refused."""
_SOON = 2.0
_LATER = 5.0


@contextmanager
def told(doing: str, *, soon: float | None = _SOON) -> Iterator[None]:
    """Turn the client's errors into those of the ports.

    Args:
        doing: what was tried, to follow "could not".
        soon: seconds until it is to be tried again; None where that may go on for ever, with growing pauses.
    """
    try:
        yield
    except DockerSilent as error:
        words = f"The Docker engine does not answer ({error}). Start it, or see why it hangs: systemctl status docker."
        raise RetryLater(words, delay=_LATER) from error
    except DockerForbidden as error:
        words = "The Docker engine's socket is closed to this user: run Revieee as root or in the group docker."
        raise Fault(words) from error
    except DockerAnswered as error:
        words = f"The Docker engine could not {doing}: {error.message}"
        raise (RetryLater(words) if out_of_room(error.message) else RetryWithinTime(words, delay=soon)) from error


def by_labels(*labels: str) -> dict[str, str]:
    """Render the filter for things that carry all these labels."""
    return {"filters": json.dumps({"label": list(labels)})}


def of_environment(placement: Placement) -> dict[str, str]:
    """Render the filter for all that is of one environment, whatever the incarnation."""
    return by_labels(f"{INSTANCE}={placement.instance}", f"{ENVIRONMENT}={placement.environment}")


def is_ours(placement: Placement, labels: Mapping[str, str] | None) -> bool:
    """Whether a thing carries this environment's labels."""
    mine = Names(placement).shared_labels()
    return labels is not None and all(labels.get(name) == mine[name] for name in (INSTANCE, ENVIRONMENT))


async def inspect(client: DockerClient, name: str) -> Container | None:
    """Give a container by name, or None where there is none."""
    found = await inspected(client, name)
    return None if found is None else read(found)


async def inspected(client: DockerClient, name: str, *, patience: float | None = None) -> Json:
    """Give what the engine says of a container, or None where there is none; ``patience`` is in seconds."""
    try:
        return await client.call("GET", "containers", name, "json", timeout=patience)
    except DockerAnswered as error:
        if error.status == ABSENT:
            return None
        raise


async def find(client: DockerClient, placement: Placement, key: str) -> Container | None:
    """Give a task's or hook's container, also one that we stopped.

    Raises:
        Fault: something that is not ours has its name.
    """
    names = Names(placement)
    found = await inspect(client, names.container(key)) or await inspect(client, names.stopped(key))
    if found is not None and not is_ours(placement, found.labels):
        raise Fault(f"A container that is not ours is called {found.name}. Rename it: docker rename.")
    return found


async def unless_gone(client: DockerClient, method: str, *path: str, query: Mapping[str, Json] | None = None) -> None:
    """Send an order about a thing that may be gone already."""
    try:
        await client.call(method, *path, query=query)
    except DockerAnswered as error:
        if error.status != ABSENT:
            raise


async def engine_started(client: DockerClient) -> float | None:
    """Tell since when this engine runs: it makes its default bridge anew at every start. None where it has none."""
    try:
        bridge = await client.call("GET", "networks", "bridge")
    except DockerAnswered:
        return None
    return moment(bridge.get("Created"))
