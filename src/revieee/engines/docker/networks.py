"""The environment's network: made once, made again where somebody removed it."""

from revieee.clients.docker import DockerAnswered, DockerClient, Json
from revieee.engines.docker import render
from revieee.engines.docker.calls import ABSENT, CONFLICT, is_ours, unless_gone
from revieee.engines.docker.names import Names
from revieee.model.policy import EngineOptions
from revieee.ports import AddressTaken, Fault, Placement, RetryLater

_FORBIDDEN = 403
"""The engine's answer where a network cannot be made beside another one, or at all (Engine API, NetworkCreate)."""
_BESIDE = ("overlap", "conflicts with network")
"""What it says where another one is in the way (moby: ``ipamapi.ErrPoolOverlap``, bridge's ``networkConflict``)."""


async def ensure(client: DockerClient, placement: Placement, options: EngineOptions) -> str:
    """Have the network and give its id.

    Raises:
        Fault: something that is not ours has its name.
        AddressTaken: another network of the engine has the subnet, or the name of the interface.
        RetryLater: one with another subnet is still in use.
    """
    found = await _find(client, placement)
    if found is not None and not _fits(found, placement):
        if found.get("Containers"):
            raise RetryLater("The environment's network has another subnet and is still in use.")
        await unless_gone(client, "DELETE", "networks", str(found["Id"]))
        found = None
    if found is not None:
        return str(found["Id"])
    try:
        made = await client.call("POST", "networks", "create", body=render.network(placement, options))
    except DockerAnswered as error:
        if placement.subnet is not None and _is_taken(error):
            words = f"The subnet {placement.subnet} is another network's on this host ({error.message})."
            raise AddressTaken(words, delay=0) from error
        other = await _find(client, placement) if error.status == CONFLICT else None
        if other is None:
            raise
        return str(other["Id"])
    return str(made["Id"])


async def _find(client: DockerClient, placement: Placement) -> Json:
    name = Names(placement).network
    try:
        found = await client.call("GET", "networks", name)
    except DockerAnswered as error:
        if error.status == ABSENT:
            return None
        raise
    if not is_ours(placement, found.get("Labels")):
        raise Fault(f"A network that is not ours is called {name}. Remove it: docker network rm {name}.")
    return found


def _is_taken(error: DockerAnswered) -> bool:
    """Whether another subnet helps: an engine that forbids networks altogether would go through all there are."""
    return error.status == _FORBIDDEN and any(words in error.message for words in _BESIDE)


def _fits(network: Json, placement: Placement) -> bool:
    pools = (network.get("IPAM") or {}).get("Config") or []
    return placement.subnet is None or any(pool.get("Subnet") == placement.subnet for pool in pools)
