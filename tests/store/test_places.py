"""Places among the environments, on every database."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sqlalchemy.orm import Session

from revieee.model.places import Queued
from revieee.model.policy import AdmissionPolicy
from revieee.store import leases, places, releases
from revieee.store.database import Database
from revieee.store.leases import Lease
from revieee.store.schema import EnvironmentRow
from support.storing import NOW, SHOP, all_free, many


def begin(session: Session, lease: Lease, limit: int, now: float) -> Queued | None:
    queued = places.ask(session, lease, AdmissionPolicy(environments=limit), now=now)
    if queued is None:
        releases.begin(session, lease, slot=None, now=now)
    return queued


def held(database: Database, count: int) -> list[Lease]:
    """Open pull requests and lease all their environments."""
    many(database, count)
    return list(database.run_here(lambda session: leases.claim(session, "us", all_free(100), now=NOW, until=NOW + 30)))


def ask(database: Database, lease: Lease, limit: int, now: float = NOW) -> int | None:
    """Tell how many are before it, or None where it began."""
    queued = database.run_here(partial(begin, lease=lease, limit=limit, now=now))
    return queued.before if queued else None


def test_of_many_that_ask_at_once_as_many_begin_as_there_are_places(database: Database) -> None:
    all_ = held(database, 8)
    start = threading.Barrier(len(all_))

    def work(lease: Lease) -> int | None:
        start.wait()
        return ask(database, lease, 3)

    with ThreadPoolExecutor(len(all_)) as threads:
        got = list(threads.map(work, all_))
    assert got.count(None) == 3
    assert database.run_here(places.placed) == {SHOP.id: 3}


def test_who_waits_is_woken_by_who_goes_and_begins_in_the_order_of_asking(database: Database) -> None:
    there, first, second = held(database, 3)
    assert [ask(database, one, 1, NOW + at) for at, one in enumerate((there, first, second))] == [None, 0, 1]
    revision = database.run_here(lambda session: session.get_one(EnvironmentRow, second.environment).revision)
    rest = partial(leases.release, seen_revision=revision, due_at=NOW + 10, now=NOW + 3)
    database.run_here(partial(rest, lease=first))
    database.run_here(partial(releases.removed, lease=there, now=NOW + 3))
    database.run_here(partial(rest, lease=second))  # it asked before that, and its turn ends after it

    again = database.run_here(lambda session: leases.claim(session, "us", all_free(9), now=NOW + 3, until=NOW + 30))
    later = {one.environment: one for one in again}
    assert {first.environment, second.environment} <= set(later)
    assert ask(database, later[second.environment], 1, NOW + 4) == 1
    assert ask(database, later[first.environment], 1, NOW + 4) is None
    queued = database.run_here(lambda session: session.get_one(EnvironmentRow, first.environment).queued_at)
    assert queued is None
