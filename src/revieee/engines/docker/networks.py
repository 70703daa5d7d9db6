"""The environment's network: made once, made again where somebody removed it, one where there are several."""

import asyncio
import json

from revieee.clients.docker import DockerAnswered, DockerClient, Json
from revieee.engines.docker import render
from revieee.engines.docker.calls import ABSENT, BAD_REQUEST, CONFLICT, is_ours, unless_gone
from revieee.engines.docker.names import Names
from revieee.model.policy import EngineOptions
from revieee.ports import AddressTaken, Fault, Placement, RetryLater

_FORBIDDEN = 403
"""The engine's answer where a network cannot be made beside another one, or at all (Engine API, NetworkCreate)."""
_BESIDE = ("overlap", "conflicts with network")
"""What it says where another one is in the way (moby: ``ipamapi.ErrPoolOverlap``, bridge's ``networkConflict``)."""
_ORDERED = 20.0
"""Seconds for which an order that was given is waited for by who does not want it any more."""


async def ensure(client: DockerClient, placement: Placement, options: EngineOptions) -> str:
    """Have the network and give its id.

    Raises:
        Fault: something that is not ours has its name.
        AddressTaken: another network of the engine has the subnet, or the name of the interface.
        RetryLater: one with another subnet is still in use.
    """
    found = await _find(client, placement)
    if found is not None and not _fits(found, placement):
        await _remove(client, found)
        found = None
    if found is not None:
        return str(found["Id"])
    try:
        made = await _create(client, render.network(placement, options))
    except DockerAnswered as error:
        if placement.subnet is not None and _is_taken(error):
            words = f"The subnet {placement.subnet} is another network's on this host ({error.message})."
            raise AddressTaken(words, delay=0) from error
        other = await _find(client, placement) if error.status == CONFLICT else None
        if other is None or not _fits(other, placement):
            raise
        return str(other["Id"])
    return str(made["Id"])


async def _create(client: DockerClient, body: render.Value) -> Json:
    """Make it. Whoever is cancelled waits for its end all the same: the engine goes on, and may make two."""
    order = asyncio.ensure_future(client.call("POST", "networks", "create", body=body))
    try:
        return await asyncio.shield(order)
    except asyncio.CancelledError:
        await asyncio.wait({order}, timeout=_ORDERED)
        order.cancel()
        await asyncio.gather(order, return_exceptions=True)
        raise


async def _find(client: DockerClient, placement: Placement) -> Json:
    name = Names(placement).network
    try:
        found = await client.call("GET", "networks", name)
    except DockerAnswered as error:
        if error.status == ABSENT:
            return None
        if error.status != BAD_REQUEST:
            raise
        return await _one_of_several(client, placement)
    return _checked(found, placement)


async def _one_of_several(client: DockerClient, placement: Placement) -> Json:
    """Leave one of those that have the name: of two orders at once, as after a kill, the engine carries out both."""
    name = Names(placement).network
    listed = await client.call("GET", "networks", query={"filters": json.dumps({"name": [name]})})
    found = [_checked(one, placement) for one in listed if one["Name"] == name]
    found.sort(key=lambda one: not _fits(one, placement))
    for one in found[1:]:
        await _remove(client, one)
    return found[0] if found else None


def _checked(network: Json, placement: Placement) -> Json:
    if not is_ours(placement, network.get("Labels")):
        name = Names(placement).network
        raise Fault(f"A network that is not ours is called {name}. Remove it: docker network rm {name}.")
    return network


async def _remove(client: DockerClient, network: Json) -> None:
    in_use = RetryLater("The environment's network has another subnet and is still in use.")
    if network.get("Containers"):
        raise in_use
    try:
        await unless_gone(client, "DELETE", "networks", str(network["Id"]))
    except DockerAnswered as error:
        raise (in_use if error.status == _FORBIDDEN else error) from error


def _is_taken(error: DockerAnswered) -> bool:
    """Whether another subnet helps: an engine that forbids networks altogether would go through all there are."""
    return error.status == _FORBIDDEN and any(words in error.message for words in _BESIDE)


def _fits(network: Json, placement: Placement) -> bool:
    pools = (network.get("IPAM") or {}).get("Config") or []
    return placement.subnet is None or any(pool.get("Subnet") == placement.subnet for pool in pools)
