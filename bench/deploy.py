"""Deployments beside a plain script, in pairs and in one run: first release, update, and updates under requests.

    .venv/bin/python bench/deploy.py [ROUNDS] [UPDATES]

The script does what one would do by hand on the same machine: git fetch, docker build, docker run, curl until it
answers. Revieee's time is from the delivery being sent to the URL answering with the change. Needs root and a Docker
engine (`bin/engine run …` brings one); everything is served from a practice GitHub on the loopback address.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from revieee.testing import images
from revieee.testing.demo.traffic import requests
from revieee.testing.github import DefaultHook, NewRepository, PracticeGitHub, PullRequest
from revieee.testing.serving import ControlPlane, Given, call, docker, free_port, until

SCRIPT = Path(__file__).with_name("deploy.sh")
DOCKERFILE = (
    "FROM busybox\nCOPY {file} /www/index.html\nEXPOSE 80\nSTOPSIGNAL SIGKILL\n"
    'CMD ["httpd", "-f", "-p", "80", "-h", "/www"]\n'
)
ONE = {"Dockerfile": DOCKERFILE.format(file="index.html"), "index.html": "0\n"}
TWO = {
    "compose.yaml": "services:\n  web: {build: web, ports: ['80']}\n  api: {build: api, ports: ['80']}\n",
    "web/Dockerfile": DOCKERFILE.format(file="index.html"),
    "web/index.html": "0\n",
    "api/Dockerfile": DOCKERFILE.format(file="index.html"),
    "api/index.html": "api\n",
}
PAUSE = 0.005
PATIENCE = 60.0
console = Console()
Pair = tuple[float, float]
"""Seconds by the script, and by Revieee."""


@dataclass
class Bench:
    """What both ways are measured with."""

    github: PracticeGitHub
    plane: ControlPlane
    folder: Path

    @property
    def hook(self) -> DefaultHook:
        """Where deliveries go."""
        return DefaultHook(url=self.plane.webhook, secret=self.plane.given.secret)

    async def gone(self) -> None:
        """Return when the engine has nothing of Revieee's any more, so that it disturbs nothing."""
        await until(self._nothing_left, seconds=PATIENCE)

    async def _nothing_left(self) -> bool:
        return not any((await self.plane.left()).values())

    def host(self, pull: PullRequest) -> str:
        """Give an environment's host."""
        return f"{pull.repository.name}-pr-{pull.number}.localhost"

    async def answers(self, host: str, text: str) -> None:
        """Return when a host answers with that text."""
        until = time.perf_counter() + PATIENCE
        async with self.plane.client() as client:
            url = f"http://127.0.0.1:{self.plane.given.port}/"
            while time.perf_counter() < until:
                answer = await client.get(url, headers={"Host": self.plane.at(host)})
                if answer.status_code == 200 and answer.text == f"{text}\n":
                    return
                await asyncio.sleep(PAUSE)
        sys.exit(f"{host} did not answer {text!r}:\n{self.plane.tail()}")

    async def script(self, repository: str, number: int, text: str, *services: str) -> float:
        """Do it by hand; gives seconds."""
        port = free_port()
        begun = time.perf_counter()
        ended = await call(
            "bash", str(SCRIPT), f"{self.github.web}/{repository}.git", str(self.folder / repository), str(number),
            str(port), text, images.docker_client(), *services,
        )  # fmt: skip
        taken = time.perf_counter() - begun
        if ended.code:
            sys.exit(f"the script failed:\n{ended.out}{ended.err}")
        return taken

    async def release(self, host: str, text: str) -> float:
        """Let Revieee do what the held delivery says; gives seconds from its being sent."""
        begun = time.perf_counter()
        self.github.webhooks.release()
        await self.answers(host, text)
        return time.perf_counter() - begun


async def in_turn(number: int, by_hand: Awaitable[float], ours: Awaitable[float]) -> Pair:
    """Take both ways, beginning with the one and the other in turn."""
    if number % 2:
        first = await by_hand
        pair = (first, await ours)
    else:
        first = await ours
        pair = (await by_hand, first)
    console.print(f"  {number}: script {pair[0]:.2f} s, Revieee {pair[1]:.2f} s", style="dim")
    return pair


async def first_releases(bench: Bench, rounds: int) -> list[Pair]:
    """Open pull requests of a trivial app, each deployed both ways."""
    console.print("first release of a trivial app")
    await bench.github.create_repository(NewRepository("acme/shop", ONE))
    bench.github.add_hook("acme/shop", bench.hook)
    pairs = []
    for number in range(1, rounds + 1):
        text, branch = f"first {number}", f"change-{number}"
        await bench.github.commit("acme/shop", branch, {"index.html": f"{text}\n"})
        await bench.github.settled()
        bench.github.webhooks.hold()
        pull = await bench.github.open_pull_request("acme/shop", branch, "A change")
        hand = bench.script("acme/shop", pull.number, text, ".")
        pairs.append(await in_turn(number, hand, bench.release(bench.host(pull), text)))
        await bench.github.close(pull)
        await bench.gone()
    return pairs


async def updates(bench: Bench, rounds: int) -> list[Pair]:
    """Push changes of one of two services; the script builds both anew."""
    console.print("update of one of two services")
    await bench.github.create_repository(NewRepository("acme/two", TWO))
    bench.github.add_hook("acme/two", bench.hook)
    await bench.github.commit("acme/two", "change", {"web/index.html": "update 0\n"})
    pull = await bench.github.open_pull_request("acme/two", "change", "A change")
    await bench.answers(bench.host(pull), "update 0")
    pairs = []
    for number in range(1, rounds + 1):
        await bench.github.settled()
        bench.github.webhooks.hold()
        text = f"update {number}"
        await bench.github.push(pull, {"web/index.html": f"{text}\n"})
        hand = bench.script("acme/two", pull.number, text, "web", "api")
        pairs.append(await in_turn(number, hand, bench.release(bench.host(pull), text)))
    await bench.github.close(pull)
    await bench.gone()
    return pairs


async def under_requests(bench: Bench, count: int) -> tuple[int, int]:
    """Push again and again while visitors ask all the time; gives requests and failures."""
    console.print(f"{count} updates in a row under constant requests")
    await bench.github.create_repository(NewRepository("acme/busy", ONE))
    bench.github.add_hook("acme/busy", bench.hook)
    await bench.github.commit("acme/busy", "change", {"index.html": "busy 0\n"})
    pull = await bench.github.open_pull_request("acme/busy", "change", "A change")
    host = bench.host(pull)
    await bench.answers(host, "busy 0")
    url = f"http://127.0.0.1:{bench.plane.given.port}/"
    async with bench.plane.client() as client, requests(client, url, bench.plane.at(host), ["busy"]) as traffic:
        for number in range(1, count + 1):
            await bench.github.push(pull, {"index.html": f"busy {number}\n"})
            await bench.answers(host, f"busy {number}")
    await bench.github.close(pull)
    await bench.gone()
    return traffic.requests, traffic.failed


def row(table: Table, name: str, pairs: list[Pair], target: str, good: Callable[[float, float], bool]) -> None:
    """Add medians, the ratio, and whether the target is met."""
    by_hand, ours = (statistics.median(one) for one in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for theirs, mine in pairs)
    mark = "✓" if good(by_hand, ours) else "✗"
    table.add_row(name, f"{by_hand:.2f} s", f"{ours:.2f} s", f"{ratio:.2f}", target, mark)


async def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    images.ensure(images.BUSYBOX)
    folder = Path(tempfile.mkdtemp(prefix="revieee-bench-"))
    async with PracticeGitHub(folder / "github") as github:
        token = github.personal_token("acme")
        given = Given(port=free_port(), github_url=github.web, github_api_url=github.api, token=token)
        plane = ControlPlane(folder / "data", given)
        try:
            await plane.start()
            bench = Bench(github, plane, folder)
            first = await first_releases(bench, rounds)
            update = await updates(bench, rounds)
            total, failed = await under_requests(bench, count)
        finally:
            await plane.end()
            await bench_sweep()
            shutil.rmtree(folder, ignore_errors=True)
    table = Table("", "script", "Revieee", "ratio", "target", "", title=f"Deployments, medians of {rounds} pairs")
    row(table, "first release", first, "≤ 1.25 or +0.3 s", lambda hand, ours: ours <= max(1.25 * hand, hand + 0.3))
    row(table, "update, one of two services", update, "≤ 1.0", lambda hand, ours: ours <= hand)
    mark = "✓" if failed == 0 else "✗"
    table.add_row(f"{count} updates under {total:,} requests", "", f"{failed} failed", "", "0 failed", mark)
    console.print(table)


async def bench_sweep() -> None:
    """Remove what the script made."""
    for container in await docker("container", "ls", "--all", "--quiet", "--filter=label=revieee.bench"):
        await docker("container", "rm", "--force", container)
    for image in set(await docker("image", "ls", "--quiet", "--filter=label=revieee.bench")):
        await docker("image", "rm", "--force", image)


if __name__ == "__main__":
    asyncio.run(main())
