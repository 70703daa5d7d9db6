import os
import subprocess
import sys

import pytest

from revieee.reconcile.owner import is_dead, own_name
from revieee.store import leases
from support.reconciling import Plane, facts


def ended() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def named(pid: int, host: str | None = None) -> str:
    own = own_name()
    return f"{host or own.rsplit('-', 2)[0]}-{pid}-0badcafe"


def test_two_names_of_one_process_differ() -> None:
    assert own_name() != own_name()


def test_a_process_that_ended_on_this_host_is_dead() -> None:
    assert is_dead(named(ended()), own_name())


def test_a_process_that_runs_or_is_elsewhere_may_be_alive() -> None:
    own = own_name()
    assert not is_dead(named(os.getppid()), own)
    assert not is_dead(named(ended(), "another-host"), own)
    assert not is_dead(own, own)


def test_the_former_life_of_a_container_is_dead() -> None:
    assert is_dead(named(os.getpid()), own_name())


@pytest.mark.parametrize("owner", ["", "-", "test", "host-x-1"])
def test_a_name_of_another_form_is_left_alone(owner: str) -> None:
    assert not is_dead(owner, own_name())


async def test_what_a_killed_process_was_at_is_taken_up_at_once(control: Plane) -> None:
    control.wish(facts())
    now, killed = control.clock.now(), named(ended())
    control.database.run_here(lambda session: leases.claim(session, killed, now=now, until=now + 30, limit=9))
    assert await control.reconciler.claim() == 0
    await control.reconciler.free_the_dead()
    assert control.database.run_here(leases.owners) == frozenset()
    await control.reconciler.settle()
    assert control.environment().live is not None
