"""Who else is on the bridge of builds: the ports that lead to foreign containers, told by what the kernel says of them.

Their addresses would tell less: a step of a build may forge any.
"""

import asyncio
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from revieee.clients.docker import DockerClient, DockerError, Json, lines
from revieee.clients.process import Command, TimedOut, TooMuchOutput, run
from revieee.engines.docker.calls import inspected
from revieee.engines.docker.names import INSTANCE
from revieee.engines.docker.namespaces import number
from revieee.engines.docker.walls import BUILDS

log = logging.getLogger(__name__)

_NETWORK = "bridge"
"""What the engine calls the network that builds get."""

PATH = f"/usr/sbin:/sbin:{os.defpath}"
_PATIENCE = 5.0
"""Seconds that each answer may take, the engine's and the host's: the walls wait for it."""
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


class Unseen(Exception):
    """This host does not say what is on the bridge; that is not the same as nobody."""


async def look(client: DockerClient, known: Bridge) -> Bridge:
    """Look at the bridge.

    A container that the engine does not tell of in time is as it was: a port that is there yet and was known is so
    still, and one that came since is nobody's.

    The links come first: one that has gone meanwhile may have left its namespace's number to somebody else's.

    Args:
        client: of the engine.
        known: how it was at the last look.

    Raises:
        DockerError: the engine does not say which containers there are.
        Unseen: the host does not tell.
    """
    links = await _links()
    ports = [link for link in links if link.get("master") == BUILDS and _PORT.fullmatch(str(link["ifname"]))]
    processes = await _processes(client)
    numbers = {_number(one) for one in processes if one} - {None}
    theirs = {str(port["ifname"]) for port in ports if port.get("link_netnsid") in numbers}
    if None in processes:
        theirs |= {str(port["ifname"]) for port in ports} & set(known.foreign)
    return Bridge(addresses=tuple(_addresses(links)), foreign=tuple(sorted(theirs)))


async def arrivals(client: DockerClient) -> AsyncIterator[None]:
    """Say, for ever, that a container which is no instance's own started, or may have while the engine was away."""
    query = {"filters": {"type": ["container"], "event": ["start"]}}
    while True:
        try:
            async with client.stream("GET", "events", query=query) as pieces:
                yield
                async for event in lines(pieces):
                    if INSTANCE not in ((event.get("Actor") or {}).get("Attributes") or {}):
                        yield
        except DockerError:
            pass
        except Exception:
            log.exception("what the engine tells of its containers cannot be read; it is asked again")
        await asyncio.sleep(_AGAIN)


def _addresses(links: Iterable[Json]) -> Iterable[str]:
    """Give the bridge's own."""
    found = [address for link in links if link["ifname"] == BUILDS for address in link.get("addr_info") or ()]
    return [f"{one['local']}/{one['prefixlen']}" for one in found if one.get("scope") == "global"]


async def _processes(client: DockerClient) -> Sequence[int | None]:
    """List a process of each container that the engine has on the bridge; steps of builds are none."""
    query = {"filters": {"network": [_NETWORK], "status": ["running", "paused"]}}
    listed = await client.call("GET", "containers", "json", query=query, timeout=_PATIENCE)
    return await asyncio.gather(*(_process(client, str(one["Id"])) for one in listed or ()))


async def _process(client: DockerClient, container: str) -> int | None:
    """Give a container's process, 0 where it has ended; None where the engine does not tell."""
    try:
        found = await inspected(client, container, patience=_PATIENCE)
        return 0 if found is None else int(found["State"]["Pid"])
    except DockerError as error:
        words = "the engine does not tell of container %s on %s, whose place there stays as it was: %s"
        log.warning(words, container[:12], BUILDS, error)
        return None


def _number(process: int) -> int | None:
    """Give the number of a process's network namespace; None where it has ended, or no link leads there."""
    try:
        return number(process)
    except OSError as error:
        raise Unseen(f"the kernel names no network namespace: {error}") from error


async def _links() -> Sequence[Json]:
    """List this host's links with their addresses."""
    arguments = ("ip", "-json", "address", "show")
    try:
        ended = await run(Command(arguments=arguments, environment={"PATH": PATH}, timeout=_PATIENCE))
        listed = json.loads(ended.output) if ended.good else None
    except (OSError, TimedOut, TooMuchOutput, ValueError) as error:
        raise Unseen(f"{' '.join(arguments)}: {error}") from error
    if listed is None:
        raise Unseen(f"{' '.join(arguments)}: {ended.errors.decode(errors='replace').strip()}")
    return [link for link in listed if link]
