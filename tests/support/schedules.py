"""Random schedules: pull requests, faults, kills and two processes, on time that jumps; then everything calms down.

    PYTHONHASHSEED=0 PYTHONPATH=tests .venv/bin/python -m support.schedules FIRST COUNT
    PYTHONHASHSEED=0 PYTHONPATH=tests .venv/bin/python -m support.schedules --replay SEED

A schedule follows from its seed alone. Own seeds, not Hypothesis: shrinking would play a schedule hundreds of times,
and what is shrunk is another interleaving. A trace of some ten events with every phase change in it is read faster.
"""

import argparse
import asyncio
import gc
import hashlib
import json
import logging
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from revieee.model.facts import PullRequestFacts
from revieee.store import wishes
from revieee.store.schema import Base, MetaRow
from support.invariants import at_every_instant, when_calm
from support.lives import Life, Weather
from support.mortal import LooseWorld
from support.outside import SKIP, Outside, Process, commit, files, outside, pull_request
from support.settling import calm
from support.virtual import HereDatabase, VirtualLoop, play

PULL_REQUESTS = 3
_KINDS: tuple[tuple[dict[str, str], int], ...] = (
    ({}, 60),
    ({"db": "17"}, 12),
    ({"db": "slow"}, 6),
    ({"db": "sick"}, 5),
    ({"kind": "broken"}, 8),
    ({"deploy": "bad"}, 5),
)
_EVENTS = {
    "push": 24,
    "revert": 4,
    "close": 9,
    "reopen": 9,
    "retitle": 6,
    "deploy": 3,
    "destroy": 3,
    "wait": 18,
    "kill": 8,
    "pause": 5,
    "second": 4,
    "storm": 7,
    "clear": 9,
    "router": 3,
    "lose": 4,
    "end": 4,
    "restart": 3,
    "prune": 4,
    "drop": 6,
}


@dataclass(kw_only=True)
class Schedule:
    """One schedule as it is played."""

    seed: int
    around: Outside
    chance: random.Random
    weather: Weather
    trace: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    truth: dict[int, PullRequestFacts] = field(default_factory=dict)
    destroyed: dict[int, str] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    """Of these another commit was pushed since; whether it was heard of before the old one came back is open."""
    processes: list[tuple[Process, Life]] = field(default_factory=list)
    deliveries: list[asyncio.Task[None]] = field(default_factory=list)
    heads: int = 0
    disturbed: bool = False
    """Somebody's hand was on the engine: routes may lead nowhere for a moment."""

    def note(self, words: str) -> None:
        self.trace.append(f"{self.around.loop.time():8.2f} {words}")

    def blame(self, words: str) -> None:
        if words not in self.wrong:
            self.note(f"!! {words}")
            self.wrong.append(words)

    def watch(self, act: str) -> None:
        """Look at what must be true at every instant, after whatever may have changed it."""
        if act.startswith(("engine.", "router.")):
            for words in at_every_instant(self.around):
                if not (self.disturbed and "nothing runs" in words):
                    self.blame(f"after {act}: {words}")

    # What happens

    def start(self) -> None:
        assert isinstance(self.around.world, LooseWorld)
        life = Life(self.weather, self.around.world, self.watch)
        process = Process(self.around, life)
        self.note(f"{process.parts.owner} starts")
        process.start()
        self.processes.append((process, life))

    async def push(self) -> None:
        number = self.chance.randint(1, PULL_REQUESTS)
        self.heads += 1
        kind = self.chance.choices([one for one, _ in _KINDS], [weight for _, weight in _KINDS])[0]
        head = commit(self.heads)
        page = self.heads if self.chance.random() < 0.8 else 0
        self.around.source.commits[head] = files(page, **kind)
        before = self.truth.get(number)
        if before is not None and self.chance.random() < 0.2:
            self.around.source.commits.pop(before.head_commit, None)
            self.note(f"{before.head_commit[:8]} is gone")
        self.say(number, f"push {kind}", head_commit=head, before=before and before.head_commit)

    async def revert(self) -> None:
        """Push an earlier commit again."""
        number = self.chance.randint(1, PULL_REQUESTS)
        there = sorted(self.around.source.commits)
        if there:
            self.say(number, "push again", head_commit=self.chance.choice(there))

    async def close(self) -> None:
        self.say(self.chance.randint(1, PULL_REQUESTS), "close", open=False)

    async def reopen(self) -> None:
        self.say(self.chance.randint(1, PULL_REQUESTS), "reopen", open=True)

    async def retitle(self) -> None:
        title = self.chance.choice(["", "Other words", SKIP])
        self.say(self.chance.randint(1, PULL_REQUESTS), f"retitle {title!r}", title=title)

    async def deploy(self) -> None:
        self.command("deploy")

    async def destroy(self) -> None:
        self.command("destroy")

    async def wait(self) -> None:
        await asyncio.sleep(self.chance.choice([0.3, 2.0, 2.0, 10.0, 40.0]))

    async def kill(self) -> None:
        """Let a process die at one of its next acts, and start another one after a while."""
        if not self.processes:
            return
        process, life = self.chance.choice(self.processes)
        life.acts_left = self.chance.choice([1, 3, 10, 30])
        await asyncio.sleep(self.chance.choice([0.5, 3.0]))
        await self.bury(process, life)
        await asyncio.sleep(self.chance.choice([0.0, 1.0, 15.0, 60.0]))
        self.start()

    async def bury(self, process: Process, life: Life) -> None:
        life.dead = True
        if life.paused is not None:
            life.paused.set()
        await process.stop()
        self.note(f"{process.parts.owner} was killed")
        self.processes.remove((process, life))

    async def pause(self) -> None:
        if not self.processes:
            return
        process, life = self.chance.choice(self.processes)
        if life.paused is None:
            life.paused = asyncio.Event()
            self.note(f"{process.parts.owner} is paused")
            self.deliveries.append(asyncio.create_task(self._wake(life, self.chance.choice([1.0, 20.0, 90.0]))))
            if len(self.processes) == 1:
                self.start()

    async def _wake(self, life: Life, after: float) -> None:
        await asyncio.sleep(after)
        if life.paused is not None:
            self.note("a paused process goes on")
            life.paused.set()
            life.paused = None

    async def second(self) -> None:
        if len(self.processes) < 2:
            self.start()

    async def storm(self) -> None:
        self.weather.storm = self.chance.choice([0.02, 0.1, 0.4])
        self.note(f"storm {self.weather.storm}")

    async def clear(self) -> None:
        self.weather.storm, self.weather.router_down = 0.0, False
        self.note("clear")

    async def router(self) -> None:
        self.weather.router_down = not self.weather.router_down
        self.note(f"router {'down' if self.weather.router_down else 'up'}")

    async def lose(self) -> None:
        self.hand("lose")

    async def end(self) -> None:
        self.hand("end")

    async def restart(self) -> None:
        """Start the engine anew: everything ends."""
        self.disturbed = True
        self.around.world.restart()
        self.note("the engine starts anew")

    async def prune(self) -> None:
        """Remove the containers of an environment, and what nothing uses any more: networks, volumes or images."""
        rows = self.around.world.read("SELECT DISTINCT environment FROM containers ORDER BY environment")
        if rows:
            environment = self.chance.choice(rows)["environment"]
            kinds = self.chance.choice([["network"], ["volume"], ["image"], ["network", "volume", "image"]])
            self.disturbed = True
            self.around.world.prune(environment, kinds)
            self.note(f"by hand: prune {environment} {kinds}")

    async def drop(self) -> None:
        """Remove an image that no container uses, as people do to make room."""
        unused = (
            "SELECT name FROM things WHERE kind = 'image' AND name NOT IN (SELECT image FROM containers) ORDER BY name"
        )
        rows = self.around.world.read(unused)
        if rows:
            image = self.chance.choice(rows)["name"]
            self.around.world.lose_image(image)
            self.note(f"by hand: drop {image[:20]}")

    def hand(self, what: str) -> None:
        """Remove or kill a container behind everybody's back."""
        rows = self.around.world.read(
            "SELECT environment, key FROM containers WHERE key NOT LIKE 'hook-%' ORDER BY name"
        )
        if rows:
            row = self.chance.choice(rows)
            self.disturbed = True
            getattr(self.around.world, what)(row["environment"], row["key"])
            self.note(f"by hand: {what} {row['environment']} {row['key']}")

    def command(self, what: str) -> None:
        number = self.chance.randint(1, PULL_REQUESTS)
        id_ = next((one.id for one in self.around.everything().values() if one.name.number == number), None)
        if id_ is None:
            return
        work = wishes.deploy if what == "deploy" else wishes.destroy
        now, decide = self.around.loop.unix(), self.around.decide
        self.around.database.run_here(lambda session: work(session, id_, decide, now=now))
        self.destroyed.pop(number, None)
        self.doubtful.discard(number)
        if what == "destroy":
            head = self.destroyed[number] = self.around.everything()[id_].facts.head_commit
            if number in self.truth and self.truth[number].head_commit != head:
                self.doubtful.add(number)  # a push that was not heard of yet is newer
        self.note(f"#{number} {what}")

    # What GitHub says

    def say(self, number: int, words: str, **changes: object) -> None:
        """Something happens to a pull request; deliveries come once, twice, late, or never."""
        now = datetime.fromtimestamp(int(self.around.loop.unix()), UTC)
        known = self.truth.get(number) or pull_request(number, head=self.heads or 1)
        self.around.source.commits.setdefault(known.head_commit, files(0))
        changes = {"before": None, **changes}
        said = self.truth[number] = replace(known, updated_at=now, **changes)  # type: ignore[arg-type] # as above
        if self.destroyed.get(number, said.head_commit) != said.head_commit:
            self.doubtful.add(number)
        delays = self.chance.choice([[0.0], [0.0], [0.0, 0.1], [3.0], [0.0, 30.0], []])
        self.note(f"#{number} {words} {said.head_commit[:8]}, told after {delays}")
        self.deliveries += [asyncio.create_task(self._deliver(said, delay)) for delay in delays]

    async def _deliver(self, said: PullRequestFacts, delay: float) -> None:
        await asyncio.sleep(delay)
        self.around.hear(said)
        for process, _ in self.processes:
            if self.chance.random() < 0.9:
                process.bell.hint()

    # The end

    async def calm_down(self) -> None:
        """Let all faults end and GitHub be asked; then nothing may be wrong."""
        await self.clear()
        await asyncio.gather(*self.deliveries)
        now = datetime.fromtimestamp(int(self.around.loop.unix()) + 1, UTC)
        for number, said in self.truth.items():
            self.truth[number] = replace(said, updated_at=now)
            self.around.hear(self.truth[number], settled=True)
        if not self.processes:
            self.start()
        self.note("calm")
        if not await calm(self.around):
            self.blame("it never calms down")
        for environment in self.around.everything().values():
            if environment.name.number in self.doubtful and environment.wanted:
                self.destroyed.pop(environment.name.number, None)
        for words in await when_calm(self.around, self.truth, self.destroyed):
            self.blame(words)
        for process, life in self.processes:
            if process.ended and not life.dead:
                self.blame(f"a task of {process.parts.owner} ended")
            await process.stop()


class _Traced(logging.Handler):
    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule

    def emit(self, record: logging.LogRecord) -> None:
        self._schedule.note(f"    {record.getMessage()}")
        if record.exc_info:
            self._schedule.note(f"    {record.exc_info[1]!r}")


async def _play(loop: VirtualLoop, seed: int, database: HereDatabase, folder: Path) -> Schedule:
    chance = random.Random(seed)  # noqa: S311 -- a schedule is to come again
    around = outside(folder, loop, database, LooseWorld(now=loop.unix))
    schedule = Schedule(seed=seed, around=around, chance=chance, weather=Weather(chance))
    handler = _Traced(schedule)
    logging.getLogger("revieee").addHandler(handler)
    try:
        schedule.start()
        for name in chance.choices(list(_EVENTS), list(_EVENTS.values()), k=chance.randint(5, 25)):
            await getattr(schedule, name)()
            await asyncio.sleep(chance.choice([0.0, 0.0, 0.2, 1.0]))
        await schedule.calm_down()
    except Exception as error:  # noqa: BLE001 -- a schedule that cannot be played is to be looked at, too
        schedule.blame(f"{type(error).__name__}: {error}")
    finally:
        logging.getLogger("revieee").removeHandler(handler)
        around.world.close()
    return schedule


def _empty(session: Session) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        session.execute(table.delete())
    session.add(MetaRow(key="instance", value="0123abcd"))


def run(seed: int, database: HereDatabase, folder: Path) -> Schedule:
    """Play one schedule."""
    database.run_here(_empty)
    return play(partial(_play, seed=seed, database=database, folder=folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=int, metavar="SEED")
    parser.add_argument("numbers", type=int, nargs="*", metavar="FIRST COUNT")
    given = parser.parse_args()
    seeds = [given.replay] if given.replay is not None else range(given.numbers[0], sum(given.numbers))
    log = logging.getLogger("revieee")
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger("asyncio").disabled = True
    logging.getLogger("alembic").disabled = True
    with tempfile.TemporaryDirectory(prefix="revieee-schedules-") as name:
        database = HereDatabase("sqlite://")
        database.open()
        gc.disable()
        gc.freeze()
        for seed in seeds:
            gc.collect()  # here and not in the middle, where it would come at another moment each time
            begun = time.perf_counter()
            schedule = run(seed, database, Path(name))
            taken = time.perf_counter() - begun
            trace = schedule.trace if schedule.wrong or given.replay is not None else []
            digest = hashlib.sha256("\n".join(schedule.trace).encode()).hexdigest()[:8]
            line = {"seed": seed, "seconds": round(taken, 3), "digest": digest, "wrong": schedule.wrong, "trace": trace}
            if given.replay is not None:
                sys.stdout.write("\n".join(trace) + "\n")
            else:
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
