"""Two control planes on one store: leases share the work, a dead one's is taken over, a late one writes nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from revieee.model.policy import Policy
from support.invariants import when_calm
from support.outside import PACE, Outside, Process, commit, files, pull_request
from support.settling import calm
from support.stage import Stalling, on_stage

pytestmark = pytest.mark.slow

SERVERS = {"mariadb": "mariadb_server", "postgresql": "postgresql_server"}


@pytest.fixture(params=["sqlite", *(pytest.param(name, marks=pytest.mark.slow) for name in SERVERS)])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind; nothing for a file in the test's folder."""
    if request.param not in SERVERS:
        return ""
    make: Callable[[], str] = request.getfixturevalue(SERVERS[request.param]).fresh
    return make()


async def paused_in_a_build(around: Outside) -> None:
    around.source.commits |= {commit(1): files(1), commit(2): files(2)}
    late = Stalling()
    paused = Process(around, late)
    late.choose = lambda act: "builder.build" in late.acts and act.startswith("store.")
    around.hear(pull_request())
    paused.start()
    await late.reached.wait()
    owner = paused.parts.owner

    second = Stalling()
    other = Process(around, second)
    other.start()
    assert await calm(around)
    live = around.everything()[1].live
    assert live is not None, "the other one took over"
    assert around.loop.time() < 60 + PACE.lease
    pushed = pull_request(head=2, after=1)
    around.hear(pushed)
    other.bell.hint()
    assert await calm(around)

    before, done = len(late.acts), len(around.world.acts())
    late.choose = lambda _: False
    late.go.set()
    assert await calm(around)
    assert not {"builder.build", "source.fetch"} & set(late.acts[before:]), f"{owner} was late and went on"
    assert len(around.world.acts()) == done, "nothing was made, started, stopped or removed"
    assert await when_calm(around, {1: pushed}) == []
    await paused.stop()
    await other.stop()


def test_a_paused_process_whose_lease_is_over_writes_nothing(url: str, tmp_path: Path) -> None:
    on_stage(tmp_path, paused_in_a_build, url)


def test_two_processes_share_the_work_and_do_nothing_twice(url: str, tmp_path: Path) -> None:
    async def play(around: Outside) -> None:
        said = {n: pull_request(n, head=n) for n in range(1, 13)}
        around.source.commits |= {one.head_commit: files(n) for n, one in said.items()}
        around.policy = Policy(pace=PACE, turns=4)  # so few at once that the other one finds work
        fates = (Stalling(), Stalling())
        processes = [Process(around, fate) for fate in fates]
        for process in processes:
            process.start()
        for one in said.values():
            around.hear(one)
        for process in processes:
            process.bell.hint()
        assert await calm(around)
        assert await when_calm(around, said) == []
        assert around.builder.asked == len(said)
        assert all("builder.build" in fate.acts for fate in fates), "both worked"
        for process in processes:
            await process.stop()

    on_stage(tmp_path, play, url)


def test_the_work_of_a_killed_process_is_taken_over_within_the_lease_time(url: str, tmp_path: Path) -> None:
    async def play(around: Outside) -> None:
        around.source.commits[commit(1)] = files(1)
        dead = Stalling()
        killed = Process(around, dead)
        around.hear(pull_request())
        dead.choose = lambda act: act == "builder.build"
        killed.start()
        await dead.reached.wait()
        dead.die()
        began = around.loop.time()
        other = Process(around)
        other.start()
        while around.everything()[1].live is None:
            assert around.loop.time() - began < PACE.lease + 2 * PACE.poll + 10
            await asyncio.sleep(1.0)
        await other.stop()
        await killed.stop()

    on_stage(tmp_path, play, url)
