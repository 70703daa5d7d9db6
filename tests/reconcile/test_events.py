"""What the engine says by itself is acted on long before the tick; and what nobody thought of ends nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from revieee.engines.memory import Behaviour, MemoryEngine, World
from revieee.model.policy import Pace, Policy
from revieee.store import leases
from revieee.store.schema import EnvironmentRow
from support.outside import Outside, Process, commit, files, outside, pull_request
from support.virtual import HereDatabase, LoopClock, VirtualLoop, play

PATIENT = Policy(pace=Pace(tick=36_000.0, poll=1.0))
"""The tick comes once, at the start."""
SAID = 4.0
"""Seconds until the memory engine has said something, and it was gathered."""

ENDLESS = 1000
"""Streams after which it is let be, so that the test ends."""

Story = Callable[[Outside, LoopClock], Awaitable[None]]


def told(folder: Path, story: Story) -> None:
    """Let one environment become live under a control plane, and tell the story from there."""

    async def main(loop: VirtualLoop) -> None:
        database = HereDatabase("sqlite://")
        database.open()
        around = outside(folder, loop, database, World(now=loop.unix))
        around.policy = PATIENT
        around.source.commits[commit(1)] = files(1)
        clock = LoopClock(loop)
        process = Process(around)
        process.start()
        around.hear(pull_request())
        await clock.sleep(60)
        assert not process.ended
        assert around.everything()[1].live is not None
        await story(around, clock)
        assert not process.ended
        await process.stop()
        database.close()

    play(main)


async def running(around: Outside) -> int:
    return len(around.world.read("SELECT 1 FROM containers WHERE status = 'running'"))


def key(around: Outside, service: str) -> str:
    live = around.everything()[1].live
    assert live is not None
    assert live.stack is not None
    return live.stack.task_of(service).key


def turns(around: Outside) -> int:
    """Tell how often the environment's lease was taken or given back."""
    return around.database.run_here(lambda session: session.get_one(EnvironmentRow, 1).lease_token)


@pytest.mark.slow
def test_a_container_killed_by_hand_is_back_at_once(tmp_path: Path) -> None:
    async def story(around: Outside, clock: LoopClock) -> None:
        before = await running(around)
        around.world.end(1, key(around, "web"))
        await clock.sleep(SAID + PATIENT.pace.first_retry + 1)
        assert await running(around) == before
        around.world.lose(1, key(around, "web"))
        await clock.sleep(SAID + 1)
        assert await running(around) == before

    told(tmp_path, story)


@pytest.mark.slow
def test_what_turns_do_themselves_leads_to_no_endless_turns(tmp_path: Path) -> None:
    async def story(around: Outside, clock: LoopClock) -> None:
        around.world.lose(1, key(around, "web"))
        await clock.sleep(60)
        settled = turns(around)
        await clock.sleep(600)
        assert turns(around) == settled

    told(tmp_path, story)


@pytest.mark.slow
def test_a_crash_loop_is_left_to_its_backoff(tmp_path: Path) -> None:
    async def story(around: Outside, clock: LoopClock) -> None:
        around.world.script("postgres:16", Behaviour(exits=1))
        around.world.end(1, key(around, "db"))
        before = len(around.world.acts("start"))
        await clock.sleep(250)
        assert 1 < len(around.world.acts("start")) - before < 10

    told(tmp_path, story)


@pytest.mark.slow
def test_an_error_that_nobody_thought_of_ends_no_control_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, met = leases.claim, list[bool]()

    def once(session: Session, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- handed on as it came
        if not met:
            met.append(True)
            raise ZeroDivisionError
        return claim(session, *arguments, **named)

    monkeypatch.setattr(leases, "claim", once)

    async def story(around: Outside, clock: LoopClock) -> None:
        del around, clock
        assert met

    told(tmp_path, story)


@pytest.mark.slow
def test_a_stream_of_events_that_ends_is_begun_again_after_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def ends(_: MemoryEngine, instance: str) -> AsyncIterator[int]:
        asked.append(instance)
        if len(asked) > ENDLESS:
            await asyncio.Event().wait()
        for environment in (1,) * (len(asked) == 1):
            yield environment

    monkeypatch.setattr(MemoryEngine, "events", ends)

    async def story(around: Outside, clock: LoopClock) -> None:
        del around
        before = len(asked)
        await clock.sleep(60)
        assert 0 < len(asked) - before <= 60 / PATIENT.pace.first_retry

    told(tmp_path, story)
