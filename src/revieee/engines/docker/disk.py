"""The disk: what is free in the engine's data folder, and what environments have written there.

Docker's storage drivers keep no container from filling the disk they share (a quota needs XFS with project quotas), so
what was written is counted.
"""

import asyncio
import collections
import shutil
from collections.abc import Mapping

from revieee.clients.docker import DockerClient, Json
from revieee.engines.docker.names import ENVIRONMENT, INSTANCE

_WALK = 300.0
"""Seconds that the engine may take to walk its disk."""


async def free(client: DockerClient) -> int | None:
    """Give the free bytes of the disk that the engine's data folder is on; None where that is not on this host."""
    if not client.host.startswith("unix:"):
        return None
    info = await client.call("GET", "info")
    try:
        return (await asyncio.to_thread(shutil.disk_usage, str(info["DockerRootDir"]))).free
    except OSError:  # the socket leads to another host
        return None


async def usage(client: DockerClient, instance: str) -> Mapping[int, int]:
    """Count what containers (beyond their images) and volumes take, by environment id (Engine API, SystemDataUsage)."""
    found = await client.call("GET", "system", "df", timeout=_WALK)
    sizes: collections.Counter[int] = collections.Counter()
    for container in found.get("Containers") or ():
        _count(sizes, container, instance, container.get("SizeRw"))
    for volume in found.get("Volumes") or ():
        _count(sizes, volume, instance, (volume.get("UsageData") or {}).get("Size"))
    return sizes


def _count(sizes: collections.Counter[int], thing: Json, instance: str, size: int | None) -> None:
    """Add what a thing takes to its environment; -1 stands for unknown."""
    labels = thing.get("Labels") or {}
    number = labels.get(ENVIRONMENT, "")
    if labels.get(INSTANCE) == instance and number.isdecimal():
        sizes[int(number)] += max(size or 0, 0)
