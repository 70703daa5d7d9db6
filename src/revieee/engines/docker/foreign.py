"""Who else is on the bridge of builds: the ports that lead to foreign containers, told by what the kernel says of them.

Their addresses would tell less: a step of a build may forge any.
"""

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from revieee.clients.docker import DockerClient, DockerError, Json, lines
from revieee.clients.process import Command, TimedOut, run
from revieee.engines.docker.calls import inspected
from revieee.engines.docker.names import INSTANCE
from revieee.engines.docker.walls import BUILDS

_NETWORK = "bridge"
"""What the engine calls the network that builds get."""

PATH = f"/usr/sbin:/sbin:{os.defpath}"
_TIMEOUT = 10.0
_PATIENCE = 5.0
"""Seconds that the engine may take for an answer: the walls wait for it."""
_AGAIN = 5.0
"""Seconds until events are asked for again."""
_PORT = re.compile(r"[\w.@-]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """The bridge of builds, as it is now."""

    addresses: tuple[str, ...] = ()
    """The host's, with the lengths of their networks; no link-local ones, which every bridge has."""
    foreign: tuple[str, ...] = ()
    """The ports of containers that are no step of a build."""


async def look(client: DockerClient) -> Bridge:
    """Look at the bridge.

    The ports come first: one that has gone meanwhile may have left its namespace's numbers to somebody else's.

    Raises:
        DockerError: the engine does not say which containers there are.
    """
    addresses = await _tell("ip", "-json", "address", "show", "dev", BUILDS)
    ports = await _tell("ip", "-json", "link", "show", "master", BUILDS)
    spaces = await _namespaces(client)
    numbers = await _tell("lsns", "--json", "--type", "net", "--output", "NS,NETNSID") if spaces else {}
    return Bridge(addresses=tuple(_addresses(addresses)), foreign=tuple(_foreign(ports, numbers, spaces)))


async def arrivals(client: DockerClient) -> AsyncIterator[None]:
    """Say, for ever, that a container which is no instance's own started, or may have while the engine was away."""
    query = {"filters": {"type": ["container"], "event": ["start"]}}
    while True:
        with contextlib.suppress(DockerError):
            async with client.stream("GET", "events", query=query) as pieces:
                yield
                async for event in lines(pieces):
                    if INSTANCE not in ((event.get("Actor") or {}).get("Attributes") or {}):
                        yield
        await asyncio.sleep(_AGAIN)


def _addresses(found: Json) -> Iterable[str]:
    """Read ``ip address``."""
    of_device = [address for device in found or () for address in device.get("addr_info") or ()]
    return [f"{one['local']}/{one['prefixlen']}" for one in of_device if one.get("scope") == "global"]


def _foreign(ports: Json, numbers: Json, spaces: Collection[int]) -> Iterable[str]:
    """Match the ports' namespaces, by the numbers that this one has for them, with those of containers."""
    listed = (numbers or {}).get("namespaces") or ()
    theirs = {str(one["netnsid"]) for one in listed if int(one["ns"]) in spaces}
    of_bridge = [one for one in ports or () if str(one.get("link_netnsid", "")) in theirs]
    return sorted(str(one["ifname"]) for one in of_bridge if _PORT.fullmatch(str(one["ifname"])))


async def _namespaces(client: DockerClient) -> Collection[int]:
    """List the network namespaces of the containers that the engine has on the bridge; steps of builds are none."""
    query = {"filters": {"network": [_NETWORK], "status": ["running", "paused"]}}
    listed = await client.call("GET", "containers", "json", query=query, timeout=_PATIENCE)
    found = await asyncio.gather(*(inspected(client, str(one["Id"])) for one in listed or ()))
    return {space for one in found if one is not None and (space := _namespace(one["State"]["Pid"]))}


def _namespace(process: int) -> int | None:
    """Give the number of a process's network namespace; None where it has ended."""
    try:
        return Path(f"/proc/{int(process)}/ns/net").stat().st_ino if process else None
    except OSError:
        return None


async def _tell(*arguments: str) -> Json:
    """Run a program that tells something as JSON; None where it cannot."""
    try:
        ended = await run(Command(arguments=arguments, environment={"PATH": PATH}, timeout=_TIMEOUT))
        return json.loads(ended.output) if ended.good else None
    except (OSError, TimedOut, ValueError):
        return None
