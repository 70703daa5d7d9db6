"""The router beside stock nginx, in one run: a table of ratios against the targets (docs/router.md).

    .venv/bin/python bench/router.py [--quick]

Both proxies have one worker on the same processor and take turns; load and upstream share the other one. The upstream
answers a few bytes at once, so what is measured is the proxy. Traffic stays on the loopback addresses.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from revieee.model.route import Endpoint, Route, RouteState
from revieee.routers.nginx import NginxRouter, RouterOptions

PROXY_CPU, LOAD_CPU = "0", "1"
CONNECTIONS = 32
ENDPOINTS = 16
HOSTS = [f"web-shop-pr-{n}.localhost" for n in range(10_000)]

UPSTREAM = """
worker_processes 1; pid nginx.pid; error_log stderr error; daemon off;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 10000000; keepalive_timeout 1h; {temporary}
  server {{ listen {old}; location / {{ return 200 old; }} location = /status {{ stub_status; }} }}
  server {{ listen {new}; location / {{ return 200 new; }} }}
}}
"""
STATIC = """
worker_processes 1; pid nginx.pid; error_log stderr error; daemon off;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000; {temporary}
  upstream one {{ server 127.0.0.1:{old}; keepalive 512; keepalive_requests 100000; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://one; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host $http_host; }} }}
}}
"""
TEMPORARY = " ".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
SCRIPT = """
local requests = {}
for host in io.lines("%s") do requests[#requests + 1] = "GET / HTTP/1.1\\r\\nHost: " .. host .. "\\r\\n\\r\\n" end
math.randomseed(%d)
request = function() return requests[math.random(#requests)] end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%%d,"seconds":%%f,"errors":%%d,"p50":%%f,"p99":%%f,"longest":%%f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""
CONTROL_PLANE = """
import sys, uvicorn
from revieee.web import create_app
class Questions:
    async def route(self, hostname): return None
    async def view(self, hostname): return None
    async def environments(self): return 0
    async def figures(self): return {}
    async def ready(self): return []
uvicorn.run(create_app(Questions()), uds=sys.argv[1], log_level="warning")
"""


@dataclasses.dataclass(frozen=True)
class Load:
    """What wrk saw; times in milliseconds."""

    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float
    longest: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


@dataclasses.dataclass(frozen=True)
class Bench:
    """The parts of one run."""

    router: NginxRouter
    folder: Path
    static: int
    static_processes: Sequence[int]
    old: int
    new: int
    quick: bool

    @property
    def port(self) -> int:
        """Where the router listens."""
        return self.router.options.listen[1]

    @property
    def seconds(self) -> int:
        """How long a turn is."""
        return 1 if self.quick else 3

    def route(self, hostname: str, port: int, version: int = 1) -> Route:
        """One of a few endpoints: all are the same server, which listens on every loopback address."""
        endpoint = Endpoint(f"127.0.0.{2 + hash(hostname) % ENDPOINTS}", port)
        return Route(hostname=hostname, state=RouteState.UP, endpoint=endpoint, version=version)

    def upstream_connections(self) -> int:
        """Connections that the upstream accepted so far."""
        with socket.create_connection(("127.0.0.1", self.old)) as connection:
            connection.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            text = connection.makefile().read()
        return int(text.split("requests\n")[1].split()[0])


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def nginx(folder: Path, configuration: str, cpu: str, port: int) -> Iterator[None]:
    folder.mkdir()
    (folder / "nginx.conf").write_text(configuration)
    command = ["taskset", "-c", cpu, "nginx", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield
        finally:
            process.terminate()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    sys.exit(f"Nothing listens on port {port}.")


@asynccontextmanager
async def everything(folder: Path, *, quick: bool) -> AsyncIterator[Bench]:
    """Start upstream, static nginx and the router, each with one worker on its processor."""
    old, new, static, port = free_ports(4)
    upstream = UPSTREAM.format(old=old, new=new, temporary=TEMPORARY)
    other = STATIC.format(old=old, port=static, temporary=TEMPORARY)
    router = NginxRouter(RouterOptions(data=folder / "data", listen=("127.0.0.1", port), workers=1))
    with nginx(folder / "upstream", upstream, LOAD_CPU, old), nginx(folder / "static", other, PROXY_CPU, static):
        try:
            await router.ensure()
            for pid in processes(router.options.folder):
                os.sched_setaffinity(pid, {int(PROXY_CPU)})
            yield Bench(router, folder, static, processes(folder / "static"), old, new, quick)
        finally:
            await router.stop()


def processor_seconds(pids: Sequence[int]) -> float:
    """User and system time of processes (proc(5))."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in pids]
    return sum(int(columns[11]) + int(columns[12]) for columns in fields) / os.sysconf("SC_CLK_TCK")


def processes(folder: Path) -> list[int]:
    """Master and workers of the nginx in a folder."""
    master = int((folder / "nginx.pid").read_text())
    return [master, *(int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split())]


async def wrk(bench: Bench, port: int, hosts: Sequence[str], seconds: int) -> Load:
    """Load a proxy with requests to random ones of these hosts."""
    names, script = bench.folder / "hosts", bench.folder / "load.lua"
    names.write_text("\n".join(hosts) + "\n")
    script.write_text(SCRIPT % (names, random.randrange(10**6)))  # noqa: S311 - not a secret
    command = ["taskset", "-c", LOAD_CPU, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    process = await asyncio.create_subprocess_exec(
        *command, "-s", str(script), f"http://127.0.0.1:{port}/", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return Load(**json.loads(output.splitlines()[-1]))


def verdict(name: str, value: str, target: str, *, good: bool) -> None:
    print(f"| {name:<44} | {value:>22} | {target:>12} | {'yes' if good else 'NO':<3} |", flush=True)


async def throughput(bench: Bench, name: str, hosts: Sequence[str], target: float) -> None:
    """Turns of both proxies; the median of the turns' ratios."""
    rates, middles, tails, efforts = [], [], [], []
    router_processes = processes(bench.router.options.folder)
    connections = requests = 0
    for _ in range(2 if bench.quick else 5):
        begin = processor_seconds(bench.static_processes), processor_seconds(router_processes)
        static = await wrk(bench, bench.static, hosts, bench.seconds)
        before = bench.upstream_connections()
        ours = await wrk(bench, bench.port, hosts, bench.seconds)
        theirs_per_request = (processor_seconds(bench.static_processes) - begin[0]) / static.requests
        efforts.append((processor_seconds(router_processes) - begin[1]) / ours.requests / theirs_per_request)
        connections += bench.upstream_connections() - before - 1
        requests += ours.requests
        assert ours.errors == 0, ours
        rates.append(ours.rate / static.rate)
        middles.append(ours.p50 / static.p50)
        tails.append(ours.p99 / static.p99)
    rate, middle, tail, effort = (statistics.median(values) for values in (rates, middles, tails, efforts))
    verdict(f"throughput, {name}", f"{rate:.2f}x ({ours.rate:,.0f}/s)", f"≥ {target:.2f}x", good=rate >= target)
    verdict(f"p50, {name}", f"{middle:.2f}x ({ours.p50:.2f} ms)", "≤ 1.60x", good=middle <= 1.6)
    verdict(f"p99, {name}", f"{tail:.2f}x ({ours.p99:.2f} ms)", "≤ 1.60x", good=tail <= 1.6)
    print(f"| {f'processor time each, {name}':<44} | {f'{effort:.2f}x':>22} | {'-':>12} |     |")
    share = connections / requests
    verdict(f"new upstream connections, {name}", f"{share:.3%}", "< 1%", good=share < 0.01)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> bytes:
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(3)


async def changes(bench: Bench) -> None:
    """From the push to the first answer of the new endpoint, with all hosts known."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    times = []
    for version in range(2, 52):
        port, body = ((bench.old, b"old"), (bench.new, b"new"))[version % 2]
        begin = time.perf_counter()
        await bench.router.push([bench.route(HOSTS[0], port, version)])
        while await ask(reader, writer, HOSTS[0]) != body:
            pass
        times.append((time.perf_counter() - begin) * 1000)
    writer.close()
    longest = max(times)
    verdict(
        "a change, push to first answer",
        f"{statistics.median(times):.1f}, max {longest:.1f} ms",
        "≤ 10 ms",
        good=longest <= 10,
    )


async def changes_under_load(bench: Bench) -> None:
    """A hundred changes while all requests go to the hosts that change."""
    seconds = 4 if bench.quick else 8
    load = asyncio.create_task(wrk(bench, bench.port, HOSTS[:10], seconds))
    await asyncio.sleep(0.5)
    for version in range(100, 200):
        port = (bench.old, bench.new)[version % 2]
        await bench.router.push([bench.route(host, port, version) for host in HOSTS[:10]])
        await asyncio.sleep((seconds - 1.5) / 100)
    seen = await load
    verdict("errors in 100 changes under load", f"{seen.errors} of {seen.requests:,}", "0", good=seen.errors == 0)


async def pushes(bench: Bench) -> None:
    routes = [bench.route(f"push-{n}.localhost", bench.old) for n in range(1000)]
    begin = time.perf_counter()
    await bench.router.push(routes)
    taken = (time.perf_counter() - begin) * 1000
    verdict("1,000 routes pushed", f"{taken:.0f} ms", "< 100 ms", good=taken < 100)
    table = [bench.route(host, bench.old, 1000) for host in HOSTS]
    begin = time.perf_counter()
    await bench.router.push_all(table)
    taken = (time.perf_counter() - begin) * 1000
    print(f"| {'10,000 routes compared and pushed':<44} | {f'{taken:.0f} ms':>22} | {'-':>12} |     |")


async def without_control_plane(bench: Bench) -> None:
    """Known hosts under load while strangers' questions meet a control plane that is there, hung, and killed."""
    command = [sys.executable, "-c", CONTROL_PLANE, str(bench.router.options.control_sockets[0])]
    control_plane = await asyncio.create_subprocess_exec(*command)
    try:
        while not bench.router.options.control_sockets[0].exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.05)
        there = await with_strangers(bench)
        control_plane.send_signal(signal.SIGSTOP)
        hung = await with_strangers(bench)
        control_plane.kill()
        await control_plane.wait()
        killed = await with_strangers(bench)
    finally:
        if control_plane.returncode is None:
            control_plane.kill()
            await control_plane.wait()
    for name, seen in {"hung": hung, "killed": killed}.items():
        verdict(f"errors, control plane {name}", f"{seen.errors} of {seen.requests:,}", "0", good=seen.errors == 0)
        ratio = seen.p99 / there.p99
        words = f"{ratio:.2f}x, max {seen.longest:.0f} ms"
        verdict(f"p99, control plane {name}", words, "≤ 1.6x", good=ratio <= 1.6 and seen.longest < 500)


async def with_strangers(bench: Bench) -> Load:
    async def stranger(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        writer.write(f"GET / HTTP/1.0\r\nHost: nobody-{number}-{random.random()}.localhost\r\n\r\n".encode())  # noqa: S311 - not a secret
        await reader.read()
        writer.close()

    load = asyncio.create_task(wrk(bench, bench.port, HOSTS[:100], 2 * bench.seconds))
    await asyncio.gather(load, *(stranger(number) for number in range(20)))
    return await load


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short turns: under a minute, and noisy")
    return parser.parse_args()


async def main(*, quick: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="revieee-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # stock nginx's workers are another user's
        async with everything(folder, quick=quick) as bench:
            await bench.router.push([bench.route(host, bench.old) for host in HOSTS])
            print("Ratios (x) are to stock nginx with one static proxy_pass, in turns on the same processor.\n")
            print(
                f"| {'what':<44} | {'measured':>22} | {'target':>12} | met |\n|{'-' * 46}|{'-' * 24}|{'-' * 14}|-----|"
            )
            await throughput(bench, "100 hot of 10,000", random.sample(HOSTS, 100), 0.75)
            await throughput(bench, "1,000 even", HOSTS[:1000], 0.70)
            await throughput(bench, "10,000 even", HOSTS, 0.65)
            await changes(bench)
            await changes_under_load(bench)
            await pushes(bench)
            await without_control_plane(bench)


if __name__ == "__main__":
    asyncio.run(main(quick=arguments().quick))
