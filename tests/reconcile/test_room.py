"""Disks that fill up are cleaned in time; while one is nearly full nothing new is begun, and what runs goes on."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from revieee.engines.memory import MemoryEngine
from revieee.model.environment import Environment
from revieee.model.facts import PullRequestFacts
from revieee.model.policy import DiskPolicy, Policy
from revieee.model.telling import view_of
from revieee.model.view import State
from revieee.ports import RetryLater, Severity
from revieee.reconcile import room
from revieee.reconcile.room import keep_bounds, keep_room
from revieee.store import logs
from revieee.store.schema import EnvironmentRow
from support.outside import Outside, Process
from support.reconciling import Plane, facts
from support.stage import Stalling, on_stage

GIB = 2**30
HOUR = 3600.0


async def state(control: Plane) -> State:
    return view_of(await control.settle(), instance="x", base_url="http://localhost").state


async def waiting(control: Plane, happened: PullRequestFacts | None = None) -> Environment:
    """Let one turn happen, and give the environment as it waits then."""
    if happened:
        control.wish(happened)
    await control.reconciler.settle()
    return control.environment()


async def look(control: Plane, *, free: float, after: float = 0.0) -> None:
    """Let time pass, and the disks be looked at and walked; that of the engine has so many GiB free."""
    control.clock.time += after
    control.world.free = int(free * GIB)
    await keep_room(control.parts)
    await keep_bounds(control.parts)


async def test_while_there_is_no_room_a_new_one_waits_with_the_reason_and_begins_when_there_is(control: Plane) -> None:
    await look(control, free=1.5)
    late = await waiting(control, facts(1))
    assert late.live is None
    assert "images and containers has less than 2 GiB free" in late.waiting_for
    assert not control.builder.built
    await look(control, free=30, after=60)
    assert (await control.settle()).live is not None


async def test_what_is_live_stays_and_a_push_waits(control: Plane) -> None:
    first = await control.settle(facts(1))
    await look(control, free=0.1)
    second = await waiting(control, facts(2, minute=1))
    assert second.live == first.live
    assert "less than 2 GiB free" in second.waiting_for
    await look(control, free=3, after=60)
    environment = await control.settle()
    assert environment.live is not None
    assert environment.live.commit == facts(2).head_commit
    assert environment.waiting_for == ""


async def test_a_disk_whose_free_space_moves_tells_nothing_new(
    control: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    await look(control, free=1.5)
    words, version = (late := await waiting(control, facts(1))).waiting_for, late.version
    for free in (1.4, 0.3, 1.9):
        await look(control, free=free, after=11)
        late = await waiting(control)
        assert (late.waiting_for, late.version) == (words, version)
    assert "1.5 GiB free on the disk of images and containers" in caplog.text, "who runs it finds it in the log"


@pytest.mark.parametrize("failures", [0, 1])
async def test_what_goes_on_when_there_is_room_is_not_said_to_wait_for_it(control: Plane, failures: int) -> None:
    control.source.fault = RetryLater("The forge did not answer.")
    control.wish(facts(1))
    await control.reconciler.settle()
    control.database.run_here(lambda session: _fails(session, failures))
    await look(control, free=1, after=60)
    assert "less than 2 GiB free" in (await waiting(control)).waiting_for
    control.source.fault, control.source.gate = None, asyncio.Event()
    await look(control, free=30, after=60)
    settling = asyncio.create_task(control.reconciler.settle())
    while not control.parts.queued:  # noqa: ASYNC110 -- the stand-in has no event, and a test has patience
        await asyncio.sleep(0.005)
    assert control.environment().waiting_for == ""
    control.source.gate.set()
    await settling


def _fails(session: Session, times: int) -> None:
    session.get_one(EnvironmentRow, 1).attempts = times


async def test_a_close_needs_no_room(control: Plane) -> None:
    await control.settle(facts(1))
    await look(control, free=0)
    await control.settle(facts(1, minute=1, open=False))
    assert await control.keys() == set()


async def test_what_can_be_made_again_goes_before_it_is_too_late_and_not_all_the_time(control: Plane) -> None:
    await look(control, free=50)
    assert control.builder.emptied == 0
    await look(control, free=9)
    await look(control, free=9, after=10)
    assert control.builder.emptied == 1
    await look(control, free=9, after=HOUR)
    assert control.builder.emptied == 2
    await look(control, free=1, after=10)
    await look(control, free=1, after=10)
    assert control.builder.emptied == 4, "with no room left it is tried each time"


async def test_logs_of_past_days_go_and_those_of_today_stay(control: Plane) -> None:
    release = (await control.settle(facts(1))).releases[-1].id
    assert control.database.run_here(lambda session: logs.size(session, release)) > 0
    await look(control, free=9, after=12 * HOUR)
    assert control.database.run_here(lambda session: logs.size(session, release)) > 0
    await look(control, free=9, after=13 * HOUR)
    assert control.database.run_here(lambda session: logs.size(session, release)) == 0


async def test_an_environment_that_wrote_too_much_is_put_away_with_the_reason_and_a_push_brings_it_back(
    control: Plane,
) -> None:
    environment = await control.settle(facts(1))
    control.world.usage[environment.id] = 10 * GIB
    await look(control, free=50)
    assert await state(control) is State.LIVE, "as much as it may"
    control.world.usage[environment.id] = 10 * GIB + 1
    await look(control, free=50, after=60)
    assert await state(control) is State.LIVE, "the disk is not walked all the time"
    await look(control, free=50, after=HOUR)
    assert await state(control) is State.NONE
    assert "wrote 10 GiB" in control.environment().wanted_reason
    assert await control.keys() == set()
    control.world.usage.clear()
    assert (await control.settle(facts(2, minute=1))).live is not None


async def test_what_no_row_names_keeps_no_other_within_its_bound(control: Plane) -> None:
    environment = await control.settle(facts(1))
    control.world.usage = {4711: 20 * GIB, environment.id: 20 * GIB}
    await look(control, free=50)
    assert await state(control) is State.NONE


async def test_a_reopened_one_is_not_put_away_for_what_its_former_one_wrote(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = await control.settle(facts(1))
    control.world.usage[environment.id] = 20 * GIB
    usage = control.parts.engine.usage

    async def slow(_: object, instance: str) -> Mapping[int, int]:
        walked = await usage(instance)
        monkeypatch.undo()
        await control.settle(facts(1, minute=1, open=False))
        await control.settle(facts(1, minute=2))
        return walked

    monkeypatch.setattr(MemoryEngine, "usage", slow)
    await look(control, free=50)
    assert await state(control) is State.LIVE


async def test_when_the_disk_is_nearly_full_it_is_looked_for_sooner(control: Plane) -> None:
    environment = await control.settle(facts(1))
    await look(control, free=50)
    control.world.usage[environment.id] = 20 * GIB
    await look(control, free=1, after=31)
    assert await state(control) is State.NONE


async def test_no_limit_is_a_choice(control: Plane) -> None:
    environment = await control.settle(facts(1))
    control.world.usage[environment.id] = 1000 * GIB
    policy = Policy(disk=DiskPolicy(environment=0, keep_free=0))
    control.world.free = 0
    await keep_room(replace(control.parts, policy=policy))
    await keep_bounds(replace(control.parts, policy=policy))
    assert await state(control) is State.LIVE


async def test_the_disk_of_our_own_data_counts_where_the_engine_does_not_say(control: Plane) -> None:
    policy = Policy(disk=DiskPolicy(keep_free=2**60))
    await keep_room(replace(control.parts, policy=policy))
    late = await waiting(control, facts(1))
    assert "The disk of Revieee's own data has" in late.waiting_for


def test_while_the_disk_is_walked_it_is_looked_at_all_the_same(tmp_path: Path) -> None:
    async def play(around: Outside) -> None:
        fate = Stalling()
        fate.choose = lambda act: act == "engine.usage"
        process = Process(around, fate)
        process.start()
        await asyncio.wait_for(fate.reached.wait(), 60)
        around.world.free = GIB
        await asyncio.sleep(around.policy.pace.tick + 1)
        assert "less than 2 GiB free" in process.parts.room.short
        assert fate.acts.count("engine.free") > 1
        await process.stop()
        assert fate.cancelled == ["engine.usage"]

    on_stage(tmp_path, play)


async def test_an_operator_is_told_how_much_there_is(control: Plane) -> None:
    async def told(free: float, **policy: int) -> tuple[Severity, str]:
        control.world.free = int(free * GIB)
        disk = DiskPolicy(**{"clean_below": 10, "keep_free": 2, **policy})
        (finding,) = await room.look(control.parts.data, control.parts.engine, disk)
        return finding.severity, finding.words

    severity, words = await told(5)
    assert severity is Severity.GOOD
    assert "5 GiB free on the disk of images and containers" in words
    severity, words = await told(5, clean_below=6 * GIB)
    assert severity is Severity.WARNING
    assert "builds are slower" in words
    severity, words = await told(5, clean_below=7 * GIB, keep_free=6 * GIB)
    assert severity is Severity.BAD
    assert "no new release begins" in words


def test_a_process_that_only_just_began_walks_no_disk(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        fate = Stalling()
        process = Process(around, fate)
        process.start()
        await asyncio.sleep(around.policy.pace.tick - 1)
        assert "engine.free" in fate.acts
        assert "engine.usage" not in fate.acts
        await asyncio.sleep(2)
        assert "engine.usage" in fate.acts
        await process.stop()

    on_stage(tmp_path, main)
