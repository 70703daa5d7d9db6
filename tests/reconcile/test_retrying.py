"""What failed is tried again when its time has come: not with every look at a live service that is in trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from revieee.engines.memory import Behaviour, MemoryEngine
from revieee.model.lifecycle import Act
from revieee.model.policy import Policy
from revieee.ports import Placement, RetryLater
from revieee.reconcile.remembered import Retry, Spell
from revieee.store import wishes
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import first_live
from support.stage import Stalling, on_stage

pytestmark = pytest.mark.slow

AN_HOUR = 3600.0
AWAY = 140.0
SOON = 5.0


def told_to_wait(folder: Path, story: Callable[[Outside, Process, Stalling], Awaitable[None]]) -> None:
    """The forge said "in an hour" of a newer commit, and what is live crashes again and again."""

    async def play(around: Outside) -> None:
        around.policy = Policy()
        fate = Stalling()
        process = await first_live(around, fate)
        around.source.fault = RetryLater("The forge has enough of us.", delay=AN_HOUR)
        around.source.commits[commit(2)] = files(2)
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        await asyncio.sleep(SOON)
        around.world.script("postgres:16", Behaviour(exits=3, exits_after=0.5))
        fate.acts.clear()
        around.world.end(1, key(around, "db"), 3)
        await asyncio.sleep(AN_HOUR / 4)
        await story(around, process, fate)
        await process.stop()

    on_stage(folder, play, "sqlite://")


def key(around: Outside, service: str) -> str:
    live = around.everything()[1].live
    assert live is not None
    assert live.stack is not None
    return live.stack.task_of(service).key


def fetches(fate: Stalling) -> int:
    return fate.acts.count("source.fetch")


def test_a_forge_is_not_asked_before_its_time_and_what_is_live_is_looked_after_meanwhile(tmp_path: Path) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        del process
        assert fetches(fate) == 0
        assert around.everything()[1].attempts == 1
        assert 5 <= around.everything()[1].crashes.count <= 12
        around.world.script("postgres:16", Behaviour())
        await asyncio.sleep(AN_HOUR / 6)
        assert around.world.read("SELECT 1 FROM containers WHERE service = 'db' AND status = 'running'")
        assert fetches(fate) == 0
        around.source.fault = None
        await asyncio.sleep(AN_HOUR * 7 / 12)
        assert fetches(fate) > 0
        assert around.reporter.comments["acme/shop#1"].live_commit == commit(2)

    told_to_wait(tmp_path, story)


def push(around: Outside) -> None:
    around.source.commits[commit(3)] = files(3)
    around.hear(pull_request(head=3, after=AN_HOUR))


def ask_for_a_deployment(around: Outside) -> None:
    now = around.loop.unix()
    around.database.run_here(lambda session: wishes.deploy(session, 1, around.decide, now=now))


@pytest.mark.parametrize("wish", [push, ask_for_a_deployment])
def test_a_newer_wish_waits_for_nothing(tmp_path: Path, wish: Callable[[Outside], None]) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        wish(around)
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert fetches(fate) == 1

    told_to_wait(tmp_path, story)


def test_nor_does_a_close(tmp_path: Path) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        del fate
        around.hear(pull_request(head=2, after=AN_HOUR, open=False))
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert not around.everything()[1].placed

    told_to_wait(tmp_path, story)


def test_a_new_process_asks_again(tmp_path: Path) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        await process.stop()
        again = Process(around, fate)
        again.start()
        await asyncio.sleep(30)
        assert fetches(fate) == 1
        await again.stop()

    told_to_wait(tmp_path, story)


def test_what_the_live_release_was_stopped_for_goes_on_as_soon_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database is replaced in place, and the engine is away for some minutes when the new one is to start."""
    apply, away = MemoryEngine.apply, list[float]()

    async def play(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)

        async def fails(self: MemoryEngine, placement: Placement, *more: Any, **named: Any) -> Any:  # noqa: ANN401 -- handed through
            if placement.release == commit(2):
                away[:] = away or [around.loop.time()]
                if around.loop.time() < away[0] + AWAY:
                    raise RetryLater("The engine does not answer.")
            return await apply(self, placement, *more, **named)

        monkeypatch.setattr(MemoryEngine, "apply", fails)
        around.source.commits[commit(2)] = files(2, db="17")
        around.hear(pull_request(head=2, after=1))
        process.bell.hint()
        await asyncio.sleep(AWAY + 3 * around.policy.pace.tick)
        live = around.everything()[1].live
        assert away
        assert live is not None
        assert live.commit == commit(2)
        await process.stop()

    on_stage(tmp_path, play)


@pytest.mark.parametrize(("loop", "unix", "left"), [(5.0, 105.0, 15.0), (20.0, 0.0, 0.0), (0.0, 120.0, 0.0)])
def test_whichever_clock_comes_to_it_first_counts(loop: float, unix: float, left: float) -> None:
    retry = Retry(act=Act.FETCH, revision=1, loop=20.0, unix=120.0)
    assert retry.left(Act.FETCH, 1, loop=loop, unix=unix) == left
    assert retry.left(Act.BUILD, 1, loop=loop, unix=unix) == 0
    assert retry.left(Act.FETCH, 2, loop=loop, unix=unix) == 0


def test_a_spell_that_nobody_saw_going_on_counts_anew() -> None:
    spell = Spell()
    assert [spell.lasts(now, gap=20) for now in (100.0, 101.0, 121.0, 142.0, 143.0)] == [0, 1, 21, 0, 1]
    spell.end()
    assert spell.lasts(144.0, gap=20) == 0
