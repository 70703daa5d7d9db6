"""What is live and crashes is started again with growing pauses, and its pull request is not told back and forth."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from revieee.engines.memory import Behaviour
from revieee.model.policy import Pace, Policy
from revieee.model.view import View
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import first_live
from support.stage import Stalling, on_stage

pytestmark = pytest.mark.slow

USUAL = Policy(pace=Pace(poll=10.0))
"""As every day, but for looks at the rows: whoever writes here hints."""
LONG = 1200.0
AT_ONCE = Behaviour(exits=3)
SOON = Behaviour(exits=3, exits_after=0.5)
AFTER_A_WHILE = Behaviour(exits=3, exits_after=5.0)
NEVER_HEALTHY = Behaviour(exits=3, exits_after=5.0, healthy_after=20.0)


def live(folder: Path, story: Callable[[Outside, Process, Stalling], Awaitable[None]]) -> None:
    """Let one environment be live, and tell the story from there, with the pace of every day."""

    async def play(around: Outside) -> None:
        around.policy = USUAL
        fate = Stalling()
        process = await first_live(around, fate)
        await story(around, process, fate)
        assert not process.ended
        await process.stop()

    on_stage(folder, play, "sqlite://")


def key(around: Outside, service: str) -> str:
    stack = around.everything()[1].releases[-1].stack
    assert stack is not None
    return stack.task_of(service).key


def crash(around: Outside, behaviour: Behaviour, service: str = "db") -> None:
    """End a service; from now on it behaves so."""
    around.world.script("postgres:16", behaviour)
    around.world.end(1, key(around, service), 3)


def starts(around: Outside) -> int:
    return len(around.world.acts("start"))


def running(around: Outside) -> set[str]:
    return {row["service"] for row in around.world.read("SELECT service FROM containers WHERE status = 'running'")}


def comment(around: Outside) -> View:
    return around.reporter.comments["acme/shop#1"]


@pytest.mark.parametrize(
    "behaviour",
    [AT_ONCE, AFTER_A_WHILE, NEVER_HEALTHY],
    ids=["at once", "after it was healthy", "before it is"],
)
def test_a_crash_loop_has_growing_pauses_and_is_told_once(tmp_path: Path, behaviour: Behaviour) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        del process
        before, reports = starts(around), fate.acts.count("reporter.report")
        crash(around, behaviour)
        await asyncio.sleep(LONG)
        assert 5 < starts(around) - before < 20
        assert fate.acts.count("reporter.report") - reports <= 3
        assert comment(around).headline == "Live, but something of it is wrong."
        assert "Service db does not run: ended with exit code 3." in comment(around).reason
        assert "started again each time, after pauses that grow up to 300 s" in comment(around).reason

    live(tmp_path, story)


def test_what_crashed_once_is_back_at_once_and_nobody_hears_of_it(tmp_path: Path) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        del process
        for _ in range(5):
            reports = fate.acts.count("reporter.report")
            around.world.end(1, key(around, "db"), 3)
            await asyncio.sleep(10)
            assert running(around) == {"web", "db"}
            await asyncio.sleep(USUAL.pace.steady)
            assert fate.acts.count("reporter.report") == reports

    live(tmp_path, story)


def test_that_it_is_well_again_is_told_when_it_has_run_for_some_minutes(tmp_path: Path) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        del process, fate
        crash(around, AFTER_A_WHILE)
        await asyncio.sleep(60)
        around.world.script("postgres:16", Behaviour())
        await asyncio.sleep(200)
        assert running(around) == {"web", "db"}
        assert comment(around).headline == "Live, but something of it is wrong."
        await asyncio.sleep(USUAL.pace.steady)
        assert comment(around).headline == "Live."
        before = starts(around)
        crash(around, Behaviour())
        await asyncio.sleep(10)
        assert starts(around) == before + 1, "earlier crashes are forgotten"

    live(tmp_path, story)


def test_a_restart_of_the_engine_waits_for_no_crash_loop(tmp_path: Path) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        del process, fate
        crash(around, SOON)
        await asyncio.sleep(LONG)
        around.world.restart()
        assert running(around) == set()
        await asyncio.sleep(USUAL.pace.tick + 2)
        assert running(around) == {"web"}
        before = starts(around)
        await asyncio.sleep(USUAL.pace.last_retry / 2)
        assert starts(around) == before, "what crashes goes on with its pauses"

    live(tmp_path, story)


def test_a_push_that_mends_it_begins_with_no_crashes(tmp_path: Path) -> None:
    async def story(around: Outside, process: Process, fate: Stalling) -> None:
        del fate
        crash(around, AT_ONCE)
        await asyncio.sleep(LONG)
        around.source.commits[commit(2)] = files(2, db="17")
        around.hear(pull_request(head=2, after=LONG))
        process.bell.hint()
        await asyncio.sleep(120)
        assert comment(around).headline == "Live."
        around.world.end(1, key(around, "db"), 3)
        await asyncio.sleep(10)
        assert running(around) == {"web", "db"}

    live(tmp_path, story)
