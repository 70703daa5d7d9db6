"""A thousand live environments on the memory engine: what the control plane costs at rest, and how fast routes go out.

    .venv/bin/python bench/scale.py [ENVIRONMENTS] [SECONDS]

The real reconciler makes the environments in a store of their own. Then a real `revieee serve` with a real nginx runs
on that store, beside one on an empty store: memory and processor time are read from /proc over the same seconds.
"""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from revieee.engines.memory import MemoryEngine, World
from revieee.model.desire import desire
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.policy import AdmissionPolicy, Policy
from revieee.model.route import Endpoint, Route, RouteState
from revieee.reconcile.loop import Reconciler
from revieee.reconcile.parts import Bell, Parts
from revieee.routers.nginx.options import RouterOptions
from revieee.routers.nginx.router import NginxRouter
from revieee.store import wishes
from revieee.store.database import Database
from revieee.testing.parts import MemoryBuilder, MemoryRouter, MemorySource

COMPOSE = b"services:\n  web:\n    image: nginx\n    ports: ['80']\n  db:\n    image: postgres\n"
COMMIT = "0123456789abcdef" * 2 + "01234567"
ADMISSION = AdmissionPolicy(environments=100_000, environments_per_repository=100_000)
OPENED = datetime(2026, 1, 1, tzinfo=UTC)
TARGETS = {"memory, MB": 200.0, "processor, % of one core": 2.0, "1,000 routes pushed, ms": 100.0}
SETTLE = 25.0
"""Seconds after its start in which a control plane has looked at everything once."""
console = Console()


class Now:
    """The system's time."""

    def now(self) -> float:
        """Give it."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def make(folder: Path, count: int) -> None:
    """Bring environments to life with the real store and reconciler."""
    database = Database(f"sqlite:///{folder}/revieee.db")
    database.open()
    source, clock, bell = MemorySource(), Now(), Bell()
    source.commits[COMMIT] = {"compose.yaml": COMPOSE}
    parts = Parts(
        instance=database.instance(),
        owner="bench",
        database=database,
        source=source,
        builder=MemoryBuilder(),
        engine=MemoryEngine(World(str(folder / "memory"))),
        router=MemoryRouter(),
        clock=clock,
        policy=Policy(admission=ADMISSION),
        data=folder,
        bell=bell,
    )
    for number in range(1, count + 1):
        facts = PullRequestFacts(
            repository=RepositoryFacts(id=1 + number % 20, name=f"acme/shop{number % 20}"),
            number=number,
            open=True,
            head_ref=f"feature-{number}",
            head_commit=COMMIT,
            head_repository=1 + number % 20,
            updated_at=OPENED,
        )
        await database.run(
            lambda session, one=facts: wishes.record_facts(  # type: ignore[misc] # a lambda cannot say its types
                session, one, lambda other, trust: desire(other, ADMISSION, trust), now=clock.now()
            )
        )
    await Reconciler(parts).settle()
    database.close()


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `revieee serve` on a store, with the forge away: reports wait, nothing else does."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("REVIEEE_")}
    environment = own | {
        "REVIEEE_DATA": str(folder),
        "REVIEEE_LISTEN": f"127.0.0.1:{free_port()}",
        "REVIEEE_ENGINE": "memory",
        "REVIEEE_WEBHOOK_SECRET": "bench",
        "REVIEEE_GITHUB_API_URL": f"http://127.0.0.1:{free_port()}",
        "REVIEEE_ENVIRONMENTS": "100000",
        "REVIEEE_ENVIRONMENTS_PER_REPOSITORY": "100000",
    }
    command = str(Path(sys.executable).parent / "revieee")
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen([command, "serve"], env=environment, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        subprocess.run(
            [command, "uninstall", "--environments"], env=environment, check=False, stdout=subprocess.DEVNULL
        )


def cost(process: int) -> tuple[float, float]:
    """Read (resident megabytes, processor seconds so far) from /proc (proc(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return int(fields[21]) * resource.getpagesize() / 1e6, seconds


def at_rest(folder: Path, empty: Path, seconds: float) -> tuple[list[float], list[float]]:
    """Measure both control planes over the same seconds: [megabytes, percent of a core] of each."""
    with serving(folder) as full, serving(empty) as idle:
        console.print("settling …", style="dim")
        time.sleep(SETTLE)
        for one, where in ((full, folder), (idle, empty)):
            if one.poll() is not None:
                sys.exit(f"revieee serve ended:\n{(where / 'serve.log').read_text()}")
        before = [cost(one.pid)[1] for one in (full, idle)]
        console.print(f"measuring {seconds:.0f} s …", style="dim")
        time.sleep(seconds)
        after = [cost(one.pid) for one in (full, idle)]
    figures = [[one[0], (one[1] - start) / seconds * 100] for one, start in zip(after, before, strict=True)]
    return figures[0], figures[1]


async def push(folder: Path, count: int) -> float:
    """Give the milliseconds in which nginx acknowledged that many routes, the median of five."""
    router = NginxRouter(RouterOptions(data=folder, listen=("127.0.0.1", free_port())))
    await router.ensure()
    try:
        taken = []
        for version in range(1, 6):
            routes = [
                Route(
                    hostname=f"web-shop-pr-{n}.localhost",
                    state=RouteState.UP,
                    endpoint=Endpoint("127.0.0.1", 1024 + n),
                    version=version,
                )
                for n in range(count)
            ]
            begun = time.perf_counter()
            await router.push(routes)
            taken.append((time.perf_counter() - begun) * 1000)
        return sorted(taken)[2]
    finally:
        await router.stop()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    with tempfile.TemporaryDirectory() as name:
        folder, empty, routes = (Path(name) / one for one in ("full", "empty", "routes"))
        for one in (folder, empty, routes):
            one.mkdir()
        begun = time.perf_counter()
        asyncio.run(make(folder, count))
        made = time.perf_counter() - begun
        console.print(f"{count} environments made live in {made:.1f} s ({made / count * 1000:.0f} ms each)")
        full, idle = at_rest(folder, empty, seconds)
        milliseconds = asyncio.run(push(routes, 1000))
    table = Table("figure", f"{count:,} environments", "none", "ratio", "target", "", title="Control plane at rest")
    rows = zip(TARGETS.items(), [*full, milliseconds], [*idle, float("nan")], strict=True)
    for (figure, target), ours, other in rows:
        good = "✓" if ours <= target else "✗"
        ratio = f"{ours / other:.2f}" if other else ""
        table.add_row(figure, f"{ours:.2f}", f"{other:.2f}", ratio, f"≤ {target}", good)
    console.print(table)


if __name__ == "__main__":
    main()
