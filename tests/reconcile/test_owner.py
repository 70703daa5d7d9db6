import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.ports import Fault
from revieee.reconcile.loop import Reconciler
from revieee.reconcile.owner import Place, holders, take_place
from revieee.store import leases
from support.reconciling import Plane, facts
from support.storing import all_free

HOLD = """
import sys, time
from pathlib import Path
from revieee.reconcile.owner import take_place
with take_place(Path(sys.argv[1])) as place:
    print(place.owner, flush=True)
    time.sleep(60)
"""


class Other:
    """A process of its own that holds a place."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.owner = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def test_two_take_places_and_a_third_is_refused(tmp_path: Path) -> None:
    with take_place(tmp_path) as first, take_place(tmp_path) as second:
        assert (first.number, second.number) == (1, 2)
        assert first.owner != second.owner
        assert not first.alone
        with pytest.raises(Fault, match="2 `revieee serve` work in"), take_place(tmp_path):
            pass
    with take_place(tmp_path) as again:
        assert again.alone
        assert again.number == 1


def test_whoever_runs_is_alive_and_whoever_was_killed_is_dead_at_once(tmp_path: Path) -> None:
    other = Other(tmp_path)
    try:
        with take_place(tmp_path) as place:
            assert place.number == 2
            assert not place.is_dead(other.owner)
            assert not place.is_dead(place.owner)
            other.kill()
            assert place.is_dead(other.owner)
    finally:
        other.kill()


def test_those_who_serve_are_named_by_their_processes_until_they_end(tmp_path: Path) -> None:
    assert holders(tmp_path) == []
    assert list(tmp_path.iterdir()) == [], "a look leaves nothing"
    other = Other(tmp_path)
    try:
        with take_place(tmp_path):
            assert holders(tmp_path) == [str(other.process.pid), str(os.getpid())]
        assert holders(tmp_path) == [str(other.process.pid)]
    finally:
        other.kill()
    assert holders(tmp_path) == []


def test_whoever_had_our_place_before_is_dead(tmp_path: Path) -> None:
    with take_place(tmp_path) as former:
        pass
    with take_place(tmp_path) as place:
        assert place.is_dead(former.owner)


def test_nothing_is_known_of_another_folder(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    with take_place(tmp_path / "there") as former:
        pass
    with take_place(tmp_path / "here") as place:
        assert not place.is_dead(former.owner)


@pytest.mark.parametrize("owner", ["", "-", "test", "command", "host-x-1", "a-b-c-d", "---", "x-9-1-0badcafe"])
def test_a_name_of_another_form_is_left_alone(tmp_path: Path, owner: str) -> None:
    with take_place(tmp_path) as place:
        assert not place.is_dead(owner)


async def test_what_a_killed_process_was_at_is_taken_up_at_once(control: Plane, tmp_path: Path) -> None:
    control.wish(facts())
    now = control.clock.now()
    with take_place(tmp_path) as killed:
        control.database.run_here(
            lambda session: leases.claim(session, killed.owner, all_free(9), now=now, until=now + 30)
        )
    with take_place(tmp_path) as place:
        assert await control.reconciler.claim() == 0
        reconciler = serving(control, place)
        await reconciler.free_the_dead()
        assert control.database.run_here(leases.owners) == frozenset()
        await control.reconciler.settle()
    assert control.environment().live is not None


def serving(control: Plane, place: Place) -> Reconciler:
    """Make a reconciler that serves from a place."""
    return Reconciler(replace(control.parts, owner=place.owner, is_dead=place.is_dead))
