"""A clock that is set back: what waits does not wait the longer for it."""

import asyncio
from pathlib import Path

import pytest

from revieee.model.policy import Policy
from revieee.model.telling import view_of
from revieee.ports import RetryLater
from revieee.reconcile.idle import NOTE_VISITS
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import first_live
from support.stage import on_stage

pytestmark = pytest.mark.slow

HOUR = 3600.0


@pytest.fixture
def set_back(monkeypatch: pytest.MonkeyPatch) -> "SetBack":
    return SetBack(monkeypatch)


class SetBack:
    """Sets the clock on the wall back, by so many hours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, around: Outside, hours: float) -> None:
        unix = around.loop.unix
        self._monkeypatch.setattr(around.loop, "unix", lambda: unix() - hours * HOUR)


def push(around: Outside, process: Process, head: int) -> None:
    around.source.commits[commit(head)] = files(head)
    around.hear(pull_request(head=head, after=head))
    process.bell.hint()


def test_what_waits_for_the_forge_goes_on(tmp_path: Path, set_back: SetBack) -> None:
    async def main(around: Outside) -> None:
        process = await first_live(around)
        around.source.fault = RetryLater("The forge did not answer.")
        push(around, process, 2)
        await asyncio.sleep(30)
        set_back(around, 2)
        around.source.fault = None
        await asyncio.sleep(60)
        live = around.everything()[1].live
        assert live is not None
        assert live.commit == commit(2)
        await process.stop()

    on_stage(tmp_path, main)


def test_when_the_forge_said_for_how_long_it_is_left_alone_for_as_long(tmp_path: Path, set_back: SetBack) -> None:
    async def main(around: Outside) -> None:
        process = await first_live(around)
        around.source.fault = RetryLater("Too many requests.", delay=600.0)
        push(around, process, 2)
        await asyncio.sleep(30)
        attempts = around.everything()[1].attempts
        set_back(around, 2)
        await asyncio.sleep(500)
        assert around.everything()[1].attempts == attempts
        await asyncio.sleep(120)
        assert around.everything()[1].attempts == attempts + 1
        await process.stop()

    on_stage(tmp_path, main)


def test_ten_minutes_after_its_last_crash_nothing_is_wrong_any_more(tmp_path: Path, set_back: SetBack) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        (web,) = (str(row["key"]) for row in around.world.read("SELECT key FROM containers WHERE key LIKE 'web-%'"))
        for _ in range(3):
            around.world.end(1, web, 3)
            await asyncio.sleep(15)
        assert "started again each time" in around.everything()[1].waiting_for
        set_back(around, 24)
        await asyncio.sleep(HOUR / 6)
        environment = around.everything()[1]
        assert environment.waiting_for == ""
        assert view_of(environment, instance="x", base_url="http://localhost").reason == ""
        await process.stop()

    on_stage(tmp_path, main)


def test_a_drain_ends_at_its_limit(tmp_path: Path, set_back: SetBack) -> None:
    async def main(around: Outside) -> None:
        process = await first_live(around)
        live = around.everything()[1].live
        assert live is not None
        around.router.requests = {endpoint: 1 for _, endpoint in live.endpoints}
        push(around, process, 2)
        for _ in range(300):
            await asyncio.sleep(0.1)
            if around.everything()[1].draining:
                break
        assert around.everything()[1].draining
        set_back(around, 2)
        await asyncio.sleep(2 * around.policy.pace.drain_limit)
        assert not around.everything()[1].draining
        await process.stop()

    on_stage(tmp_path, main)


@pytest.mark.slow
def test_disks_are_walked_and_visits_are_written_down_as_often_as_before(tmp_path: Path, set_back: SetBack) -> None:
    async def main(around: Outside) -> None:
        process = await first_live(around)
        set_back(around, 24)
        around.world.usage[1] = 10**12
        await asyncio.sleep(NOTE_VISITS + 60)
        assert around.everything()[1].wanted_reason.startswith("Its containers and volumes wrote")
        assert around.loop.unix() - process.parts.visits.noted_at < NOTE_VISITS
        await process.stop()

    on_stage(tmp_path, main)
