"""Locks between processes: a killed holder's is free at once, a stopped one's after a while, and it finds out."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from revieee.clients.lock import SILENCE, Seeker, holding

HOLD = """
import asyncio, sys
from pathlib import Path
from revieee.clients import lock
from revieee.clients.lock import holding

lock.TOUCH = 0.1

async def hold():
    async with holding(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


class Later:
    """A clock that goes on by hand."""

    time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_a_living_process_holds_is_left_to_it(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    later = Later()
    seeker = Seeker(tmp_path / "lock", elapsed=later)
    for _ in range(25):
        assert seeker.take() is None
        later.time += SILENCE / 20
        time.sleep(0.03)  # the holder is a process of its own, and touches its file meanwhile
    assert holder.poll() is None


def test_what_a_killed_process_held_is_free_at_once(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    holder.kill()
    holder.wait()
    lock = Seeker(tmp_path / "lock").take()
    assert lock is not None
    lock.close()


def test_what_a_stopped_process_holds_goes_to_who_waits(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    later = Later()
    seeker, other = (Seeker(tmp_path / "lock", elapsed=later) for _ in range(2))
    holder.send_signal(signal.SIGSTOP)
    assert seeker.take() is None
    later.time = SILENCE
    assert seeker.take() is None
    later.time += 0.1
    lock = seeker.take()
    assert lock is not None
    assert lock.ours
    assert other.take() is None
    lock.close()
    again = other.take()
    assert again is not None
    again.close()


def test_who_was_silent_finds_out_that_it_is_not_ours_any_more(tmp_path: Path) -> None:
    later = Later()
    silent, seeker = Seeker(tmp_path / "lock").take(), Seeker(tmp_path / "lock", elapsed=later)
    assert silent is not None
    assert seeker.take() is None
    later.time = SILENCE + 1
    lock = seeker.take()
    assert lock is not None
    assert (silent.ours, lock.ours) == (False, True)
    silent.close()
    assert lock.ours
    lock.close()


async def test_who_waits_gets_it_next_or_goes_on_without(tmp_path: Path) -> None:
    async with holding(tmp_path / "lock") as (first, waited):
        assert first is not None
        assert not waited
        async with holding(tmp_path / "lock", patience=0.1) as (none, again):
            assert none is None
            assert again
        second = asyncio.create_task(_wait(lambda: tmp_path / "lock"))
        await asyncio.sleep(0.1)
        assert not second.done()
    assert await asyncio.wait_for(second, 5)


async def _wait(path: Callable[[], Path]) -> bool:
    async with holding(path()) as (lock, waited):
        return lock is not None and waited
