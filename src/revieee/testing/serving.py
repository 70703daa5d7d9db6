"""A control plane of one's own: `revieee serve` as a child process, with real nginx and engine, apart from any other.

    plane = ControlPlane(folder, Given(port=…, github_url=…, github_api_url=…, token=…))
    await plane.start()
    …
    await plane.end()

It has its data, ports, addresses and instance to itself, ends with whoever started it, and `end` takes away what
outlives it by design: nginx, the firewall tables, the address lent to the host, whatever is left on the engine.
"""

import asyncio
import contextlib
import ipaddress
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from revieee.testing.images import docker_client

LOOPBACK = "127.0.0.1"
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_PROGRAM = Path(sys.executable).with_name("revieee")
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_LOOK = 0.02
_LOG_LINES = 25
_POOLS = "10.128.0.0/9"
_POOL_PREFIX = 20
Value = TypeVar("Value")
_INSTANCE = re.compile(r"\(instance ([\w-]+)\)")


class ServingError(Exception):
    """The control plane did not do as it should; the words hold the end of its log."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 -- what a command printed
        """Read what it printed as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a control plane is given: its place, its GitHub, and settings (names without ``REVIEEE_``) over those."""

    port: int
    github_url: str
    github_api_url: str
    token: str
    secret: str = "practice"  # noqa: S105 -- for the practice GitHub, which anyone may read
    domain: str = "localhost"
    settings: Mapping[str, str] = field(default_factory=dict)


def free_port(*preferred: int) -> int:
    """Give the first of the preferred ports that nothing listens on, else any free one."""
    for port in (*preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise ServingError("no port of this machine is free")


async def free_pool() -> str:
    """Give a pool of addresses that no network of this machine overlaps."""
    routes = await call("ip", "-json", "-4", "route", "show", "table", "all")
    taken: list[ipaddress.IPv4Network] = []
    for route in json.loads(routes.out or "[]"):
        with contextlib.suppress(ValueError):
            network = ipaddress.IPv4Network(route["dst"], strict=False)
            taken += [network] if network.prefixlen else []
    pools = list(ipaddress.IPv4Network(_POOLS).subnets(new_prefix=_POOL_PREFIX))
    random.shuffle(pools)  # two that begin at once hardly choose alike
    return str(next(pool for pool in pools if not any(pool.overlaps(one) for one in taken)))


async def call(
    program: str, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, said: bytes = b""
) -> Ended:
    """Run a program to its end, with what is said on its standard input; one that is not there ends with 127."""
    try:
        child = await asyncio.create_subprocess_exec(
            program, *arguments, env={**(os.environ if env is None else env), "PATH": _PATH}, cwd=cwd,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        return Ended(127, "", f"there is no program {program}")
    try:
        out, err = await child.communicate(said)
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    return Ended(child.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


async def docker(*arguments: str) -> list[str]:
    """Run the docker command line and give its lines.

    Raises:
        ServingError: it failed.
    """
    ended = await call(docker_client(), *arguments)
    if ended.code:
        raise ServingError(f"docker {' '.join(arguments)} failed: {ended.err.strip()}")
    return ended.out.split("\n")[:-1]


LEFT: Mapping[str, Sequence[str]] = {
    "containers": ("container", "ls", "--all", "--format={{.Names}}"),
    "networks": ("network", "ls", "--format={{.Name}}"),
    "volumes": ("volume", "ls", "--format={{.Name}}"),
    "images": ("image", "ls", "--no-trunc", "--format={{.ID}}"),
}
"""How to list each kind of thing that an engine makes."""


class ControlPlane:
    """One `revieee serve` and what belongs to it.

    Args:
        data: its data folder; made if need be. A log of what it says is kept beside it.
        given: what it is told.
    """

    def __init__(self, data: Path, given: Given) -> None:
        self.data, self.given = data, given
        self.log = data.with_name(f"{data.name}.log")
        self.program: Sequence[str] = (str(_PROGRAM), "serve")  # a test may have it run in a program of its own
        self.pool = given.settings.get("network_pool", "")
        self.instance = ""
        self._begin = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def base_url(self) -> str:
        """Where people reach it."""
        return f"http://{self.given.domain}:{self.given.port}"

    @property
    def webhook(self) -> str:
        """Where deliveries go."""
        return f"{self.base_url}/webhooks/github"

    @property
    def pid(self) -> int | None:
        """The process, if it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def environment(self) -> dict[str, str]:
        """Give the environment variables that every command of this control plane gets."""
        given = self.given
        settings = {
            "data": str(self.data),
            "domain": given.domain,
            "listen": f"{LOOPBACK}:{given.port}",
            "network_pool": self.pool,
            "webhook_secret": given.secret,
            "github_token": given.token,
            "github_url": given.github_url,
            "github_api_url": given.github_api_url,
            **given.settings,
        }
        plain = {name: value for name, value in os.environ.items() if not name.startswith("REVIEEE_")}
        return plain | {f"REVIEEE_{name.upper()}": value for name, value in settings.items()} | {"PATH": _PATH}

    async def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            ServingError: it ended, or does not answer in time.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self.pool = self.pool or await free_pool()
        # The kernel ends it with us, also when we are killed; a terminal's Ctrl-C is ours alone.
        command = ["setpriv", "--pdeathsig=TERM", "--", *self.program]
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *command, cwd=self.data, env=self.environment(),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise ServingError(f"`revieee serve` ended with {self._process.returncode}:\n{self.tail()}")
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            raise ServingError(f"`revieee serve` does not answer at {self.base_url}:\n{self.tail()}") from None

    async def _answers(self) -> bool:
        """Tell whether this very process is ready: nginx may have been up before."""
        found = _INSTANCE.search(self.log.read_bytes()[self._begin :].decode(errors="replace"))
        if self.pid is None or found is None:
            return False
        self.instance = found[1]
        try:
            return (await self.get(self.given.domain, "/readyz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def get(self, host: str, path: str = "/") -> httpx.Response:
        """Fetch a page of a host by nginx, without asking any name server."""
        async with self.client() as client:
            return await client.get(f"http://{LOOPBACK}:{self.given.port}{path}", headers={"Host": self.at(host)})

    def at(self, host: str) -> str:
        """Write a host as a browser does in its request."""
        return f"{host}:{self.given.port}"

    def client(self, *, timeout: float = 10) -> httpx.AsyncClient:
        """Make an HTTP client that goes nowhere but here."""
        return httpx.AsyncClient(timeout=timeout, trust_env=False, verify=False)  # noqa: S501 -- plain HTTP only; reading certificates takes longer than the request

    def tail(self, lines: int = _LOG_LINES) -> str:
        """Give the last lines that it said."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    async def command(self, *arguments: str, said: bytes = b"") -> Ended:
        """Run one of its commands: `await plane.command("list", "--json")`."""
        return await call(str(_PROGRAM), *arguments, env=self.environment(), cwd=self.data, said=said)

    # ---- ending

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> int:
        """End it as an operator would; nginx and environments go on. Gives the exit code, -9 where it was killed."""
        if self._process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        return await self._process.wait()

    async def end(self) -> None:
        """End it and all that outlives it, and remove its data."""
        await self.stop()
        await self.end_router()
        if self.instance:
            await self.sweep()
        if self.pool:
            first = ipaddress.ip_network(self.pool).network_address + 1
            for table in tables_naming(str(first), (await call("nft", "list", "ruleset")).out):
                for family in ("inet", "bridge"):
                    await call("nft", "delete", "table", family, table)
            await call("ip", "address", "del", f"{first}/32", "dev", "lo")
        shutil.rmtree(self.data, ignore_errors=True)

    async def end_router(self) -> None:
        """End nginx: the processes that work in its folder."""
        folder = str(self.data.absolute() / "router")
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in (found := _working_in(folder)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if not found or await until(lambda: _none_works_in(folder), seconds=5):
                return

    # ---- what there is

    def on_engine(self, *arguments: str) -> tuple[str, ...]:
        """Give the arguments with which the docker command line asks the engine that this control plane uses."""
        host = self.given.settings.get("docker_host", "")
        return (*(("--host", host) if host else ()), *arguments)

    async def docker(self, *arguments: str) -> list[str]:
        """Run the docker command line on its engine and give its lines."""
        return await docker(*self.on_engine(*arguments))

    async def left(self) -> dict[str, list[str]]:
        """List all that the engine has with the label of this instance, by kind."""
        label = f"--filter=label=revieee.instance={self.instance}"
        lists = await asyncio.gather(*(self.docker(*listing, label) for listing in LEFT.values()))
        return {kind: sorted(set(found)) for kind, found in zip(LEFT, lists, strict=True)}

    async def sweep(self) -> bool:
        """Remove all that carries the label of this instance; gives whether there was anything."""
        left = await self.left()
        removals = {
            "containers": ("container", "rm", "--force", "--volumes", "--"),
            "networks": ("network", "rm", "--"),
            "volumes": ("volume", "rm", "--force", "--"),
            "images": ("image", "rm", "--force", "--"),
        }
        for kind, removal in removals.items():
            if left[kind]:
                await call(docker_client(), *self.on_engine(*removal, *left[kind]))
        return any(left.values())

    async def routes(self) -> list[str]:
        """Give what nginx itself routes: one line for each host that is not gone."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.data / "router" / "private" / "router.sock"))
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            answer = await client.get("http://nginx/routes")
        return [line for line in answer.text.splitlines() if line.split(" ")[1] != "gone"]


async def until(ask: Callable[[], Awaitable[Value]], *, seconds: float = 30.0, pause: float = 0.05) -> Value:
    """Ask until the answer is true, and give it; after ``seconds`` give the last one, whatever it is."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not (answer := await ask()) and loop.time() < deadline:  # noqa: ASYNC110 -- what is asked has no event
        await asyncio.sleep(pause)
    return answer


def tables_naming(address: str, ruleset: str) -> list[str]:
    """Find the tables of ours that open an address: whose they are is known even where nobody said its instance."""
    blocks = re.split(r"^table ", ruleset, flags=re.MULTILINE)
    return [
        found[1]
        for block in blocks
        if (found := re.match(r"inet (revieee_\w+) ", block)) and f"daddr {address} " in block
    ]


def _working_in(folder: str) -> list[int]:
    """Find the nginx processes whose working directory is that folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with contextlib.suppress(OSError):
                title = (process / "cmdline").read_bytes()
                if title.startswith(b"nginx: ") and str((process / "cwd").readlink()) == folder:
                    found.append(int(process.name))
    return found


async def _none_works_in(folder: str) -> bool:
    return not _working_in(folder)
