"""Leases: who works on an environment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy.orm import Session

from revieee.model.facts import RepositoryFacts
from revieee.store import leases, releases
from revieee.store.database import Database
from revieee.store.leases import Lease, Places, StaleLease
from revieee.store.schema import EnvironmentRow
from support.storing import NOW, all_free, facts, lease, many, record


def claim(database: Database, owner: str = "us", *, now: float = NOW, limit: int = 10) -> list[int]:
    return [
        one.environment
        for one in database.run_here(
            lambda session: leases.claim(session, owner, all_free(limit), now=now, until=now + 30)
        )
    ]


def row(database: Database, id_: int) -> EnvironmentRow:
    return database.run_here(lambda session: session.get_one(EnvironmentRow, id_))


def test_what_is_due_is_claimed_once(database: Database) -> None:
    id_ = record(database, facts())
    assert claim(database) == [id_]
    assert claim(database) == []


def test_what_is_not_due_is_left(database: Database) -> None:
    record(database, facts(), now=NOW + 10)
    assert claim(database, now=NOW) == []
    assert len(claim(database, now=NOW + 10)) == 1


def test_nothing_is_taken_where_there_is_no_place(database: Database) -> None:
    many(database, 3)
    assert claim(database, limit=0) == []
    assert len(claim(database, limit=2)) == 2


def test_a_lease_that_ran_out_goes_to_another(database: Database) -> None:
    id_ = record(database, facts())
    first = lease(database, "first", until=NOW + 30)
    assert claim(database, "second", now=NOW + 30) == []
    assert claim(database, "second", now=NOW + 30.5) == [id_]
    with pytest.raises(StaleLease):
        database.run_here(lambda session: leases.guard(session, first))
    assert row(database, id_).lease_owner == "second"


def test_a_renewed_lease_does_not_run_out(database: Database) -> None:
    record(database, facts())
    held = lease(database, until=NOW + 30)
    assert database.run_here(lambda session: leases.renew(session, held, until=NOW + 60))
    assert claim(database, "other", now=NOW + 45) == []


def test_a_stale_token_renews_and_writes_nothing(database: Database) -> None:
    id_ = record(database, facts())
    stale = lease(database, "late", until=NOW + 1)
    held = lease(database, "other", now=NOW + 2, until=NOW + 30)

    assert not database.run_here(lambda session: leases.renew(session, stale, until=NOW + 99))
    database.run_here(lambda session: leases.release(session, stale, seen_revision=1, due_at=None, now=NOW + 3))
    for write in _writes(stale):
        with pytest.raises(StaleLease):
            database.run_here(write)
    after = row(database, id_)
    assert (after.lease_owner, after.lease_token, after.lease_until) == ("other", held.token, NOW + 30)
    assert after.placed is False


def _writes(stale: Lease) -> list[Callable[[Session], object]]:
    return [
        lambda session: releases.begin(session, stale, slot=None, now=NOW),
        lambda session: releases.wait(session, stale, "words"),
        lambda session: releases.start_removal(session, stale, now=NOW),
        lambda session: releases.removed(session, stale, now=NOW),
        lambda session: releases.relabel(session, stale, "other"),
        lambda session: releases.hook_created(session, stale),
        lambda session: releases.recovered(session, stale),
        lambda session: releases.if_changed(session, stale, 0),
    ]


def test_a_lease_that_was_given_back_writes_nothing_any_more(database: Database) -> None:
    id_ = record(database, facts())
    held = lease(database)
    database.run_here(lambda session: leases.release(session, held, seen_revision=1, due_at=NOW + 5, now=NOW))
    assert not database.run_here(lambda session: leases.renew(session, held, until=NOW + 99))
    with pytest.raises(StaleLease):
        database.run_here(lambda session: leases.guard(session, held))
    assert row(database, id_).lease_until is None
    assert claim(database, now=NOW + 5) == [id_]


def test_an_environment_at_rest_is_not_due(database: Database) -> None:
    record(database, facts())
    held = lease(database)
    database.run_here(lambda session: leases.release(session, held, seen_revision=1, due_at=None, now=NOW))
    assert claim(database, now=NOW + 1e6) == []


def test_a_wish_during_a_turn_makes_it_due_at_once(database: Database) -> None:
    id_ = record(database, facts())
    seen = row(database, id_).revision
    held = lease(database)
    record(database, facts(2, after=60), now=NOW + 1)
    database.run_here(lambda session: leases.release(session, held, seen_revision=seen, due_at=None, now=NOW + 2))
    assert claim(database, now=NOW + 2) == [id_]


def test_a_process_that_ends_gives_back_all_it_has(database: Database) -> None:
    many(database, 3)
    mine = database.run_here(lambda session: leases.claim(session, "us", all_free(2), now=NOW, until=NOW + 30))
    other = lease(database, "other")
    database.run_here(lambda session: leases.free_of(session, "us"))

    assert sorted(claim(database, "next")) == sorted(one.environment for one in mine)
    with pytest.raises(StaleLease):
        database.run_here(lambda session: leases.guard(session, mine[0]))
    database.run_here(lambda session: leases.guard(session, other))


def test_what_the_tick_found_different_becomes_due(database: Database) -> None:
    ids = many(database, 2)
    for held in database.run_here(lambda session: leases.claim(session, "us", all_free(9), now=NOW, until=NOW + 30)):
        database.run_here(partial(leases.release, lease=held, seen_revision=1, due_at=None, now=NOW))
    database.run_here(lambda session: leases.make_due(session, ids[:1], now=NOW + 5))
    database.run_here(lambda session: leases.make_due(session, [], now=NOW + 5))
    assert claim(database, now=NOW + 5) == ids[:1]


def test_one_noisy_repository_does_not_starve_another(database: Database) -> None:
    noisy = many(database, 40)
    quiet = many(database, 2, repository=RepositoryFacts(id=8, name="acme/quiet"))
    taken = claim(database, limit=6)
    assert set(quiet) < set(taken)
    assert len(set(taken) & set(noisy)) == 4


def test_a_repository_with_turns_under_way_comes_later(database: Database) -> None:
    many(database, 5)
    quiet = many(database, 5, repository=RepositoryFacts(id=8, name="acme/quiet"))
    taken = database.run_here(
        lambda session: leases.claim(session, "us", Places(free=3, busy={7: 3}, share=4), now=NOW, until=NOW + 30)
    )
    assert {one.environment for one in taken} < set(quiet)


def test_the_longest_due_of_a_repository_is_first(database: Database) -> None:
    late = record(database, facts(number=1), now=NOW + 5)
    early = record(database, facts(number=2), now=NOW)
    assert claim(database, now=NOW + 9, limit=1) == [early]
    assert claim(database, now=NOW + 9, limit=1) == [late]


def test_owners_that_race_never_get_the_same(database: Database) -> None:
    ids = many(database, 30)
    start = threading.Barrier(4)

    def work(owner: str) -> list[int]:
        start.wait()
        got: list[int] = []
        while some := claim(database, owner, limit=3):
            got += some
        return got

    with ThreadPoolExecutor(4) as threads:
        got = [one for taken in threads.map(work, "abcd") for one in taken]
    # One that lost every race of a round goes home early; what is left is still there for the next.
    got += claim(database, "last", limit=50)
    assert sorted(got) == ids


def test_a_wish_and_a_turn_write_the_same_row_at_once(database: Database) -> None:
    id_ = record(database, facts())
    held = lease(database)
    start = threading.Barrier(2)

    def wishes_() -> None:
        start.wait()
        for one in range(2, 12):
            record(database, facts(one, after=one))

    def waits() -> None:
        start.wait()
        for one in range(10):
            database.run_here(partial(releases.wait, lease=held, words=str(one), failed=True))

    with ThreadPoolExecutor(2) as threads:
        for done in (threads.submit(wishes_), threads.submit(waits)):
            done.result()
    after = row(database, id_)
    assert after.revision == 11
    loaded = database.run_here(lambda session: releases.load(session, id_))
    assert loaded.facts == replace(facts(11, after=11), repository=loaded.facts.repository)


def test_one_process_at_a_time_looks_at_everything(database: Database) -> None:
    def claims(owner: str, now: float) -> bool:
        return database.run_here(lambda session: leases.claim_tick(session, owner, now=now, until=now + 30))

    def served(now: float) -> bool:
        return database.run_here(lambda session: leases.server(session, now=now) is not None)

    assert not served(NOW)
    assert claims("us", NOW)
    assert served(NOW + 30)
    assert not served(NOW + 31)
    assert not claims("them", NOW + 10)
    assert claims("us", NOW + 10)
    assert not claims("them", NOW + 39)
    assert database.run_here(leases.owners) == {"us"}
    assert claims("them", NOW + 41)
    assert not claims("us", NOW + 42)
    database.run_here(lambda session: leases.free_of(session, "us"))
    assert not claims("us", NOW + 42)
    database.run_here(lambda session: leases.free_of(session, "them"))
    assert not served(NOW + 42)
    assert claims("us", NOW + 43)
