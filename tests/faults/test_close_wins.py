"""A close wins over whatever is under way; a reopened pull request ends live; pushes in a storm coalesce."""

import asyncio
import random
from pathlib import Path

import pytest

from revieee.model.environment import Environment
from revieee.model.phases import Phase
from support.invariants import when_calm
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import calm, first_live
from support.stage import Stalling, on_stage

pytestmark = pytest.mark.slow

PHASES = [phase for phase in Phase if phase is not Phase.ENDED]
OUTSIDE = ("source.", "builder.", "engine.", "router.")
SOON = 15.0
"""Seconds in which a close has taken everything away, whatever hung."""


def is_in(phase: Phase, environment: Environment) -> bool:
    """Whether the environment's next step is that phase's."""
    if phase is Phase.LIVE:
        return all(one.phase is Phase.LIVE for one in environment.releases if one.ended_at is None)
    if phase is Phase.DRAINING:
        return bool(environment.draining) and environment.next is None
    return environment.next is not None and environment.next.phase is phase


async def close_in(phase: Phase, around: Outside) -> None:
    around.source.commits |= {
        commit(1): files(1),
        commit(2): files(2, db="sick" if phase is Phase.UNDOING else "17"),
    }
    around.hear(pull_request(head=1))
    fate = Stalling()
    process = Process(around, fate)
    process.start()
    assert await calm(around)
    fate.choose = lambda act: act.startswith(OUTSIDE) and is_in(phase, around.everything()[1])
    if phase is Phase.LIVE:
        around.world.lose(1, next(row["key"] for row in around.world.read("SELECT key FROM containers")))
    else:
        around.hear(pull_request(head=2, after=1))
    process.bell.hint()
    await asyncio.wait_for(fate.reached.wait(), 200)
    await asyncio.sleep(5)
    closed = pull_request(head=2, after=2, open=False)
    fate.choose = lambda _: False  # what hangs, hangs on
    around.hear(closed)
    process.bell.hint(1)
    began = around.loop.time()
    while around.everything()[1].placed:
        assert around.loop.time() - began < SOON, f"it hangs in {phase}"
        await asyncio.sleep(0.5)
    fate.go.set()
    assert await calm(around)
    assert await when_calm(around, {1: closed}) == []
    assert fate.cancelled
    await process.stop()


@pytest.mark.parametrize("phase", PHASES)
def test_a_close_wins_against_each_phase(phase: Phase, tmp_path: Path) -> None:
    on_stage(tmp_path, lambda around: close_in(phase, around))


def test_reopened_during_removal_it_ends_live(tmp_path: Path) -> None:
    async def play(around: Outside) -> None:
        fate = Stalling()
        process = await first_live(around, fate)
        fate.choose = lambda act: act == "engine.remove"
        around.hear(pull_request(after=1, open=False))
        process.bell.hint()
        await fate.reached.wait()
        reopened = pull_request(after=2)
        around.hear(reopened)
        process.bell.hint()
        await asyncio.sleep(5)
        assert around.everything()[1].removing, "a removal that has begun is finished"
        fate.go.set()
        assert await calm(around)
        assert await when_calm(around, {1: reopened}) == []
        assert around.everything()[1].incarnation == 2
        assert around.everything()[1].live is not None
        await process.stop()

    on_stage(tmp_path, play)


def test_a_storm_of_pushes_ends_on_the_last_commit_with_two_builds_at_most(tmp_path: Path) -> None:
    async def play(around: Outside) -> None:
        around.builder.seconds = 5.0
        process = Process(around)
        process.start()
        for number in range(1, 51):
            around.source.commits[commit(number)] = files(number)
            around.hear(pull_request(head=number, after=number))
            process.bell.hint(1)
            await asyncio.sleep(0.2)
        assert await calm(around)
        assert await when_calm(around, {1: pull_request(head=50, after=50)}) == []
        live = around.everything()[1].live
        assert live is not None
        assert live.commit == commit(50)
        assert around.builder.ended <= 2
        assert around.builder.running == 0
        await process.stop()

    on_stage(tmp_path, play)


def test_a_burst_of_deliveries_builds_the_newest_commit_of_each_pull_request_only(tmp_path: Path) -> None:
    async def play(around: Outside) -> None:
        newest = {n: pull_request(n, head=1000 * n + 19, after=19) for n in range(1, 51)}
        burst = [pull_request(n, head=1000 * n + one, after=one) for n in newest for one in range(20)]
        around.source.commits |= {one.head_commit: files(one.head_commit) for one in burst}
        random.Random(1).shuffle(burst)  # noqa: S311 -- any order, the same each time
        for said in burst:
            around.hear(said)
        process = Process(around)
        process.start()
        assert await calm(around)
        assert await when_calm(around, newest) == []
        assert around.builder.asked == 50
        await process.stop()

    on_stage(tmp_path, play)
