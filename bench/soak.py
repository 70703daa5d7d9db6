"""Pull requests through random lives on the real engine: what grows, and what is left over.

    .venv/bin/python bench/soak.py [PULL_REQUESTS] [MINUTES] [SEED]

A real `revieee serve` with nginx, Docker and a practice GitHub, in rounds. In each, pull requests are opened, pushed
to, forced, broken, closed, reopened, killed by hand (what answered must soon answer again), and all closed at its end;
then the control plane is looked at while at rest. What is higher after the last round than after the second has leaked
(the first one still warms up). Visitors ask for live environments all the time. Ends with 1 if something leaked, was
left over or not healed, or a visitor was turned away.
"""

import asyncio
import contextlib
import itertools
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from revieee.testing.github import DefaultHook, FileContent, NewRepository, PracticeGitHub, PullRequest
from revieee.testing.images import BUSYBOX, ensure
from revieee.testing.serving import ControlPlane, Given, call, docker, free_port, until

ROUNDS = 5
REPOSITORIES = 10
BOT = "revieee-bot"
POOL = "10.100.0.0/16"
"""Large enough that no pull request waits for a freed subnet to have rested."""
WARM = 1
"""Rounds after which everything has been used once."""
LOOK = 5.0
"""Seconds between two looks."""
PATIENCE = 60.0
"""Seconds in which a pull request is told how it went; far more than it takes."""
REST, LOOKS = 5.0, 5
"""Seconds between looks at a control plane at rest, and how many: the lowest counts, as a tick may be under way."""
WEB = 'FROM busybox\nCOPY . /www\nEXPOSE 80\nCMD ["httpd", "-f", "-p", "80", "-h", "/www"]\n'
PAIR = (
    "services:\n  web:\n    build: .\n    ports: ['80']\n    depends_on: [stock]\n"
    "  stock:\n    image: busybox\n    command: sh -c 'date > /data/seen; sleep 100000'\n    volumes: [data:/data]\n"
    "volumes:\n  data: {}\n"
)
_PAGE_CACHES = 3 * 2.5
"""MB. Each of the store's connections keeps up to 2 MB of pages (`PRAGMA cache_size`), more of them as tables grow."""
GROWTH: Mapping[str, float] = {
    "memory, MB": 8.0 + _PAGE_CACHES,
    "file descriptors": 6,
    "sockets": 6,
    "threads": 3,
    "nginx, MB": 8.0,
}
"""How much higher the last round may end than the one after the warm-up; of all else nothing may be left at all.

A pool of threads makes the last of its few when as many are busy at once, which may be late. A pool of connections
drops those that it does not need any more with its next request, which at rest may not come.
"""
_STATE = re.compile(r"^Commit `(\w+)` .*state \*\*(\w+)\*\*", re.MULTILINE)
console = Console()


@dataclass
class Soak:
    """What runs, and what was seen of it."""

    github: PracticeGitHub
    plane: ControlPlane
    dice: random.Random
    acts: Counter[str] = field(default_factory=Counter)
    """What was done to pull requests, and how often."""
    up: dict[str, str] = field(default_factory=dict)
    """Hosts that must answer, and why one may say so."""
    visits: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    late: list[str] = field(default_factory=list)
    """Pull requests that were not told how they went."""
    highest: dict[str, float] = field(default_factory=dict)


# ---- one pull request


class Life:
    """One pull request, from its opening to its end."""

    def __init__(self, soak: Soak, number: int) -> None:
        self.soak = soak
        self.branch = f"feature-{number}"
        self.repository = f"acme/shop-{number % REPOSITORIES}"
        self.pair = soak.dice.random() < 0.25
        self.pull: PullRequest | None = None
        self.writes = itertools.count()
        self.done: list[str] = []

    def files(self, *, broken: str = "") -> dict[str, FileContent]:
        """Give what a push holds: never the same twice."""
        app: dict[str, FileContent] = {"Dockerfile": WEB + broken, "index.html": f"{self.branch} {next(self.writes)}\n"}
        return app | {"compose.yaml": PAIR} if self.pair else app

    @property
    def said(self) -> str:
        """The bot's words."""
        assert self.pull is not None
        return "\n".join(one.body for one in self.pull.comments if one.user.login == BOT)

    @property
    def state(self) -> str:
        """What the pull request was told of its head, once it was."""
        assert self.pull is not None
        found = _STATE.search(self.said)
        return found[2] if found and found[1] == self.pull.head_sha[:7] else ""

    async def told(self, *states: str, sure: bool = True) -> None:
        """Wait until the pull request was told one of these; ``sure`` that it was not told before."""

        async def reached() -> bool:
            return self.state in states

        if not await until(reached, seconds=PATIENCE, pause=0.25):
            assert self.pull is not None
            wanted, told = " or ".join(states), self.state or "nothing"
            self.soak.late.append(f"{self.repository}#{self.pull.number}: {told}, not {wanted}, after {self.done}")
        elif self.state == "live" and sure:
            self.soak.up[self.host] = self.repository

    @property
    def host(self) -> str:
        """Where it answers."""
        assert self.pull is not None
        return f"{self.pull.repository.name}-pr-{self.pull.number}.{self.soak.plane.given.domain}"

    def down(self) -> bool:
        """Expect no answers from here on; tells whether they were expected."""
        return self.soak.up.pop(self.host, None) is not None

    async def healed(self) -> None:
        """Wait until it answers again."""
        async with self.soak.plane.client() as client:

            async def answers() -> bool:
                return not await trouble(self.soak, client, self.host)

            if await until(answers, seconds=PATIENCE, pause=0.25):
                self.soak.up[self.host] = self.repository
            else:
                self.soak.late.append(f"{self.host} was not healed after {self.done}")

    async def play(self) -> None:
        """Live."""
        await self.soak.github.commit(self.repository, self.branch, self.files())
        self.pull = await self.soak.github.open_pull_request(self.repository, self.branch, f"Change {self.branch}")
        if self.soak.dice.random() < 0.8:
            self.done.append("waited")
            await self.told("live")
        for _ in range(self.soak.dice.randint(0, 4)):
            act = self.soak.dice.choice([self.push, self.push, self.storm, self.breaks, self.reopened, self.killed])
            self.soak.acts[act.__name__] += 1
            self.done.append(act.__name__)
            await act(self.pull)
            await asyncio.sleep(self.soak.dice.uniform(0, 2))
        self.down()
        spoken = bool(self.said)
        await self.soak.github.close(self.pull)
        if spoken and self.soak.dice.random() < 0.5:  # of an end where nothing was said before, nothing is said
            await self.told("gone")

    async def push(self, pull: PullRequest) -> None:
        """Push a change; half the time somebody waits for it."""
        await self.soak.github.push(pull, self.files())
        if self.soak.dice.random() < 0.5:
            await self.told("live")

    async def storm(self, pull: PullRequest) -> None:
        """Force several commits, one right after the other."""
        for _ in range(5):
            await self.soak.github.force_push(pull, self.files())
        await self.told("live")

    async def breaks(self, pull: PullRequest) -> None:
        """Push what cannot be built or does not start: the older release goes on."""
        broken = self.soak.dice.choice(["RUN echo no; false\n", 'CMD ["false"]\n'])
        await self.soak.github.push(pull, self.files(broken=broken))
        await self.told("failed")

    async def reopened(self, pull: PullRequest) -> None:
        """Close and reopen, at once or after a while."""
        self.down()
        await self.soak.github.close(pull)
        await asyncio.sleep(self.soak.dice.choice([0.0, 0.3, 2.0]))
        await self.soak.github.reopen(pull)
        await self.told("live", "failed", sure=False)

    async def killed(self, pull: PullRequest) -> None:
        """Remove its containers by hand: what answered is to answer again."""
        answered = self.down()
        labels = [f"--filter=label=revieee.instance={self.soak.plane.instance}"]
        labels.append(f"--filter=label=revieee.name={pull.repository.full_name}#{pull.number}")
        names = await docker("container", "ls", "--quiet", *labels)
        if names:
            await call("docker", "container", "rm", "--force", "--", *names)
        if answered:
            await self.healed()


async def lives(soak: Soak, numbers: Sequence[int], seconds: float) -> None:
    """Begin the lives of a round, spread over its time, and wait for all of them to end."""

    async def later(number: int, delay: float) -> None:
        await asyncio.sleep(delay)
        await Life(soak, number).play()

    delays = sorted(soak.dice.uniform(0, seconds) for _ in numbers)
    await asyncio.gather(*(later(number, delay) for number, delay in zip(numbers, delays, strict=True)))


async def visit(soak: Soak) -> None:
    """Ask for every host that must answer, round and round; a host that was to go meanwhile is not counted."""
    async with soak.plane.client() as client:
        while True:
            for host in list(soak.up):
                met = await trouble(soak, client, host)
                if host in soak.up:
                    soak.visits += 1
                    soak.failures.update([met] if met else [])
            await asyncio.sleep(0.05)


async def trouble(soak: Soak, client: httpx.AsyncClient, host: str) -> str:
    """Ask a host; gives what a visitor met in the place of an answer, or nothing."""
    try:
        answer = await client.get(f"http://127.0.0.1:{soak.plane.given.port}/", headers={"Host": soak.plane.at(host)})
    except httpx.HTTPError as error:
        return type(error).__name__
    return "" if answer.status_code == httpx.codes.OK else f"HTTP {answer.status_code}"


# ---- what is looked at


def process(pid: int) -> dict[str, float]:
    """Read of /proc (proc(5)): memory in MB, and what is open."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    links = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(one.readlink()))
    return {
        "memory, MB": pages * resource.getpagesize() / 1e6,
        "file descriptors": len(links),
        "sockets": sum(one.startswith("socket:") for one in links),
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
    }


def workers(plane: ControlPlane) -> list[int]:
    """List nginx's workers."""
    master = int((plane.data / "router" / "nginx.pid").read_text())
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


async def look(soak: Soak) -> dict[str, float]:
    """Look at the control plane, nginx and the engine."""
    plane = soak.plane
    assert plane.pid is not None
    seen = process(plane.pid)
    seen["nginx, MB"] = sum(process(pid)["memory, MB"] for pid in workers(plane))
    seen |= {kind: len(names) for kind, names in (await plane.left()).items()}
    seen["routes"] = len(await plane.routes())
    seen["checkouts"] = sum(1 for _ in (plane.data / "checkouts").glob("*"))
    seen["processes"] = len(await descendants(plane.pid))
    for name, value in seen.items():
        soak.highest[name] = max(value, soak.highest.get(name, 0))
    return seen


async def descendants(pid: int) -> list[str]:
    """List the processes that a process has made and that still run."""
    return (await call("pgrep", "--parent", str(pid))).out.split()


async def watch(soak: Soak) -> None:
    """Look again and again, for the highest figures."""
    while True:
        await look(soak)
        await asyncio.sleep(LOOK)


async def at_rest(soak: Soak) -> dict[str, float]:
    """Wait until nothing of any environment is there, then look."""

    async def nothing() -> bool:
        return not any((await soak.plane.left()).values()) and not await soak.plane.routes()

    await until(nothing, seconds=PATIENCE, pause=0.5)
    looks = []
    for _ in range(LOOKS):
        await asyncio.sleep(REST)
        looks.append(await look(soak))
    return {name: min(one[name] for one in looks) for name in looks[0]}


# ---- the run


@contextlib.asynccontextmanager
async def served(folder: Path, dice: random.Random) -> AsyncIterator[Soak]:
    """Start everything; afterwards nothing is left."""
    await asyncio.to_thread(ensure, BUSYBOX)
    async with PracticeGitHub(folder / "github") as github:
        given = Given(
            port=free_port(),
            github_url=github.web,
            github_api_url=github.api,
            token=github.personal_token(BOT),
            settings={"network_pool": POOL},
        )
        github.faults.rate_limit.limit = github.faults.rate_limit.remaining = 10**6  # a day's work in minutes
        plane = ControlPlane(folder / "data", given)
        for number in range(REPOSITORIES):
            name = f"acme/shop-{number}"
            await github.create_repository(NewRepository(name, {"README.md": f"{name}\n"}))
            github.set_permission(name, BOT, "write")
            github.add_hook(name, DefaultHook(url=plane.webhook, secret=given.secret))
        try:
            await plane.start()
            yield Soak(github, plane, dice)
        finally:
            await plane.end()


async def run(folder: Path, count: int, minutes: float, seed: int) -> bool:
    """Run all rounds and print what came of them; gives whether all was well."""
    async with served(folder, random.Random(seed)) as soak:  # noqa: S311 -- dice, not secrets
        rests = [await at_rest(soak)]
        watchers = [asyncio.create_task(visit(soak)), asyncio.create_task(watch(soak))]
        begun = time.monotonic()
        for number in range(ROUNDS):
            first, last = count * number // ROUNDS, count * (number + 1) // ROUNDS
            playing = asyncio.create_task(lives(soak, range(first, last), minutes * 60 / ROUNDS - REST))
            await asyncio.wait({playing, *watchers}, return_when=asyncio.FIRST_COMPLETED)
            for task in (playing, *watchers):
                if task.done():
                    task.result()
            rests.append(await at_rest(soak))
            console.print(f"round {number + 1} of {ROUNDS} after {time.monotonic() - begun:.0f} s", style="dim")
        for task in watchers:
            task.cancel()
        return told(soak, rests, count)


def told(soak: Soak, rests: Sequence[Mapping[str, float]], count: int) -> bool:
    """Print the figures; gives whether nothing leaked and nobody was turned away."""
    rounds = [f"rest {number}" for number in range(len(rests))]
    table = Table("figure", "highest", *rounds, "", title=f"{count} pull requests, {dict(soak.acts)}")
    good = True
    for name in rests[0]:
        growth = rests[-1][name] - rests[WARM + 1][name]
        leaked = growth > GROWTH[name] if name in GROWTH else bool(rests[-1][name] - rests[0][name])
        good = good and not leaked
        table.add_row(name, f"{soak.highest[name]:.0f}", *(f"{one[name]:.0f}" for one in rests), "✗" if leaked else "✓")
    console.print(table)
    console.print(f"visits: {soak.visits}, failed: {dict(soak.failures) or 0}; told late or never: {soak.late or 0}")
    return good and not soak.failures and not soak.late


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**6)  # noqa: S311 -- not a secret
    console.print(f"soak: {count} pull requests in {minutes:g} minutes, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="revieee-soak-") as name:
        sys.exit(not asyncio.run(run(Path(name), count, minutes, seed)))


if __name__ == "__main__":
    main()
