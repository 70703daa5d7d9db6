"""Keeps the walls up: loads the table, and looks now and then whether it still stands."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from revieee.clients.process import Command, TimedOut, run
from revieee.engines.docker.names import bridge_prefix
from revieee.engines.docker.walls import Walls, resolvers_of
from revieee.model.policy import EngineOptions
from revieee.ports import Fault

LOOK = 10.0
"""Seconds between two looks."""

_NFT = "nft"
_PATH = f"/usr/sbin:/sbin:{os.defpath}"
_TIMEOUT = 10.0
_RESOLV = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
_STUB = "127.0.0.53"


class Watch:
    """The walls of one instance on this host.

    Args:
        options: what may be reached.
        elapsed: a clock that only goes forward, in seconds.
    """

    def __init__(self, options: EngineOptions, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._elapsed = elapsed
        self._looked: float | None = None
        self._alone = asyncio.Lock()

    async def keep(self) -> None:
        """Have the walls up; looks again at most once per :data:`LOOK`.

        Raises:
            Fault: nftables is missing, or not ours to change.
        """
        if not self._options.walls:
            return
        async with self._alone:
            if self._looked is not None and self._elapsed() - self._looked < LOOK:
                return
            walls = await asyncio.to_thread(planned, self._options)
            if not await standing(walls):
                await _nft("-f", "-", stdin=walls.script())
            self._looked = self._elapsed()

    async def end(self) -> None:
        """Take the table away."""
        if self._options.walls:
            async with self._alone:
                await _nft("-f", "-", stdin=planned(self._options).removal())
                self._looked = None


def planned(options: EngineOptions) -> Walls:
    """Say what the table should be, the host's name servers included."""
    router = options.router
    return Walls(
        instance=options.instance,
        bridges=bridge_prefix(options.network_prefix, options.instance),
        resolvers=options.resolvers or _host_resolvers(),
        internet=options.internet,
        stranger_internet=options.stranger_internet,
        allowed=options.allow_addresses,
        router=(router.host, router.port) if router else None,
    )


async def standing(walls: Walls) -> bool:
    """Whether exactly these rules are loaded."""
    ended = await _run("-j", "list", "table", "inet", walls.table)
    if ended is None:
        return False
    rules = [one["rule"] for one in json.loads(ended)["nftables"] if "rule" in one]
    marked = [rule for rule in rules if rule.get("comment") == walls.mark]
    return len(rules) == walls.rules and len(marked) == walls.marks


async def _nft(*arguments: str, stdin: str = "") -> None:
    problem: list[str] = []
    if await _run(*arguments, stdin=stdin, problem=problem) is None:
        words = f"The firewall table cannot be set up: {' '.join(problem)}"
        raise Fault(f"{words}. Run Revieee as root with nftables installed, or turn the walls off in its settings.")


async def _run(*arguments: str, stdin: str = "", problem: list[str] | None = None) -> Any:  # noqa: ANN401 - its output
    """Run nft; None where it failed, the reason in ``problem``."""
    command = Command(arguments=(_NFT, *arguments), environment={"PATH": _PATH}, stdin=stdin.encode(), timeout=_TIMEOUT)
    try:
        ended = await run(command)
    except FileNotFoundError:
        words = "there is no program nft"
    except TimedOut:
        words = "nft does not end"
    else:
        if ended.good:
            return ended.output
        words = ended.errors.decode(errors="replace").strip()
    if problem is not None:
        problem.append(words)
    return None


def _host_resolvers() -> tuple[str, ...]:
    """Read the servers that Docker hands to containers: systemd's list where only its stub stands in the usual file."""
    real, usual = _RESOLV
    text = usual.read_text() if usual.exists() else ""
    if _STUB in text and real.exists():
        text = real.read_text()
    return resolvers_of(text)
