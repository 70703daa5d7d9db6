"""Keeps the walls up, and the address behind them: puts both there, and looks now and then whether they still are."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from revieee.clients.docker import DockerClient, DockerError
from revieee.clients.process import Command, TimedOut, run
from revieee.engines.docker.bridged import FOREIGN, WATCHED, Bridged
from revieee.engines.docker.foreign import PATH, Bridge, Unseen, arrivals, look
from revieee.engines.docker.host import lend_address
from revieee.engines.docker.names import bridge_prefix
from revieee.engines.docker.tables import Table
from revieee.engines.docker.walls import BUILDS, Walls, resolvers_of
from revieee.model.policy import EngineOptions
from revieee.ports import Fault

log = logging.getLogger(__name__)

LOOK = 10.0
"""Seconds between two looks."""

_NFT = "nft"
_TIMEOUT = 10.0
_RESOLV = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
_STUB = "127.0.0.53"


class Watch:
    """The walls of one instance on this host.

    Args:
        options: what may be reached.
        client: of the engine, which knows whose containers are on the bridge of builds.
        elapsed: a clock that only goes forward, in seconds.
    """

    def __init__(
        self, options: EngineOptions, client: DockerClient, *, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._client = client
        self._elapsed = elapsed
        self._looked: float | None = None
        self._known: Bridge | None = None
        """The bridge of builds as it was when all that tells of it last did; None where it never did."""
        self._alone = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._lends = False
        """Commands look at the walls, too; the address is the affair of who serves."""

    async def open(self) -> None:
        """Begin to serve: the router's address is kept as well, and foreign containers are known as they start.

        Raises:
            Fault: walls or address cannot be had.
        """
        self._lends, self._looked = True, None
        await self.keep()
        if self._options.walls and is_here(self._options) and self._following is None:
            self._following = asyncio.create_task(self._follow())

    async def keep(self) -> None:
        """Have the walls up, and once opened the router's address there; looks again at most once per :data:`LOOK`.

        Raises:
            Fault: nftables is missing, or not ours to change; or the address is not ours to give.
        """
        if not self._options.walls:
            return
        async with self._alone:
            if self._looked is not None and self._elapsed() - self._looked < LOOK:
                return
            walls = await asyncio.to_thread(planned, self._options)
            if not await standing(walls):
                await _nft("-f", "-", stdin=walls.script())
            if self._lends:
                await lend_address(self._options)
            await self._part()
            self._looked = self._elapsed()

    async def leave(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None

    async def end(self) -> None:
        """Take the tables away, and follow no more."""
        await self.leave()
        if self._options.walls:
            async with self._alone:
                await _nft("-f", "-", stdin=planned(self._options).removal())
                await _run("-f", "-", stdin=parted(self._options).removal())
                self._lends, self._looked = False, None

    async def _follow(self) -> None:
        """Look when something started; what starts during a look is seen by one more, however much it is."""
        came = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear(came))
            while True:
                await came.wait()
                came.clear()
                try:
                    async with self._alone:
                        await self._part()
                except Exception:
                    log.exception("the table between neighbours could not be loaded; the next look does it again")

    async def _hear(self, came: asyncio.Event) -> None:
        async for _ in arrivals(self._client):
            came.set()

    async def _part(self) -> None:
        """Keep the neighbours on the bridge of builds apart, as far as this kernel can.

        Where it cannot be told who they are, the table is loaded as it was, or it would let all pass in the end.
        """
        if not is_here(self._options):
            return
        try:
            known = self._known or Bridge(foreign=await _loaded(parted(self._options)))
            self._known = await look(self._client, known)
        except (DockerError, Unseen) as error:
            log.warning("who is on %s cannot be told, so its table stays as it was: %s", BUILDS, error)
        except Exception:
            log.exception("who is on %s cannot be told, so its table stays as it was", BUILDS)
        if self._known is None:
            return
        for named in (True, False):
            if await _run("-f", "-", stdin=parted(self._options, self._known, named=named).script()) is not None:
                break


def is_here(options: EngineOptions) -> bool:
    """Whether the engine's bridges are this host's."""
    return options.host.startswith("unix://")


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


def parted(options: EngineOptions, bridge: Bridge | None = None, *, named: bool = True) -> Bridged:
    """Say what the table between neighbours should be."""
    bridge = bridge or Bridge()
    return Bridged(
        instance=options.instance,
        named=named,
        addresses=bridge.addresses,
        foreign=bridge.foreign,
        allowed=options.allow_addresses,
    )


async def standing(table: Table) -> bool:
    """Whether exactly these rules are loaded, and hold: a table that nobody renews lets everything pass."""
    ended = await _run("-j", "list", "table", table.family, table.table)
    if ended is None:
        return False
    listed = json.loads(ended)["nftables"]
    rules = [one["rule"] for one in listed if "rule" in one]
    marked = [rule for rule in rules if rule.get("comment") == table.mark]
    lapsed = any(one["set"]["name"] == WATCHED and not one["set"].get("elem") for one in listed if "set" in one)
    return len(rules) == table.rules and len(marked) == table.marks and not lapsed


async def _loaded(table: Bridged) -> tuple[str, ...]:
    """Give the foreign ports of a table that stands, whoever loaded it; Docker makes their names up at random."""
    ended = await _run("-j", "list", "set", table.family, table.table, FOREIGN)
    if ended is None:
        return ()
    return tuple(str(one) for part in json.loads(ended)["nftables"] for one in part.get("set", {}).get("elem", ()))


async def loadable(table: Table) -> bool:
    """Whether this kernel would take the table."""
    return await _run("--check", "-f", "-", stdin=table.script()) is not None


async def _nft(*arguments: str, stdin: str = "") -> None:
    problem: list[str] = []
    if await _run(*arguments, stdin=stdin, problem=problem) is None:
        words = f"The firewall table cannot be set up: {' '.join(problem)}"
        raise Fault(f"{words}. Run Revieee as root with nftables installed, or turn the walls off in its settings.")


async def _run(*arguments: str, stdin: str = "", problem: list[str] | None = None) -> Any:  # noqa: ANN401 - its output
    """Run nft; None where it failed, the reason in ``problem``."""
    command = Command(arguments=(_NFT, *arguments), environment={"PATH": PATH}, stdin=stdin.encode(), timeout=_TIMEOUT)
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
