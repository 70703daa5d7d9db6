"""Reports: what the forge has been told, and what it has still to be told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from revieee.ports import Posted
from revieee.store import reports
from revieee.store.database import Database
from revieee.store.reports import Pending
from revieee.store.schema import ReportRow
from support.interleaving import interleaved
from support.storing import NOW, facts, many, record

POSTED = Posted(comment=12, comment_digest="ab", deployment=3, status="0000 success")


def claim(database: Database, *, now: float = NOW, limit: int = 50) -> list[Pending]:
    return list(database.run_here(lambda session: reports.claim(session, "us", now=now, until=now + 120, limit=limit)))


def told(database: Database, one: Pending) -> None:
    database.run_here(
        lambda session: reports.told(
            session, one.environment, "us", version=one.version, digest="d" * 64, posted=POSTED
        )
    )


def test_what_changed_is_told_once(database: Database) -> None:
    id_ = record(database, facts())
    (one,) = claim(database)
    assert (one.environment, one.posted, one.digest, one.attempts) == (id_, Posted(), "", 0)
    told(database, one)
    assert claim(database) == []


def test_the_next_change_finds_what_stands_there(database: Database) -> None:
    record(database, facts())
    told(database, claim(database)[0])
    record(database, facts(2, after=9))
    (one,) = claim(database)
    assert (one.posted, one.digest) == (POSTED, "d" * 64)


def test_a_change_while_it_was_told_is_told_after_it(database: Database) -> None:
    record(database, facts())
    (one,) = claim(database)
    record(database, facts(2, after=9))
    assert claim(database) == []
    told(database, one)
    (again,) = claim(database)
    assert again.version > one.version


def test_a_process_that_died_while_telling_is_followed_by_another(database: Database) -> None:
    record(database, facts())
    claim(database)
    assert claim(database, now=NOW + 119) == []
    assert len(claim(database, now=NOW + 121)) == 1


def test_what_did_not_get_through_is_tried_later(database: Database) -> None:
    id_ = record(database, facts())
    claim(database)
    database.run_here(lambda session: reports.put_off(session, id_, "us", "GitHub is down \x00", until=NOW + 60))
    assert claim(database, now=NOW + 59) == []
    assert database.run_here(reports.problems) == [(id_, "GitHub is down \ufffd")]
    (one,) = claim(database, now=NOW + 60)
    assert (one.attempts, one.posted) == (1, Posted())

    told(database, one)
    assert database.run_here(reports.problems) == []


def test_what_got_through_in_part_is_kept(database: Database) -> None:
    id_ = record(database, facts())
    claim(database)
    database.run_here(lambda session: reports.put_off(session, id_, "us", "limited", until=NOW + 60, posted=POSTED))
    claim(database, now=NOW + 60)
    database.run_here(lambda session: reports.put_off(session, id_, "us", "limited", until=NOW + 61))
    (one,) = claim(database, now=NOW + 61)
    assert (one.posted, one.attempts) == (POSTED, 2)


def test_no_more_are_claimed_than_asked_for(database: Database) -> None:
    many(database, 5)
    assert len(claim(database, limit=2)) == 2
    assert len(claim(database, limit=9)) == 3


def test_two_processes_never_tell_the_same(database: Database) -> None:
    ids = many(database, 30)
    old = record(database, facts(number=31))
    for one in claim(database):
        if one.environment == old:
            told(database, one)
    record(database, facts(2, after=9, number=31))
    start = threading.Barrier(3)

    def work(_: int) -> list[int]:
        start.wait()
        got: list[int] = []
        while some := claim(database, now=NOW + 500, limit=4):
            got += [one.environment for one in some]
        return got

    with ThreadPoolExecutor(3) as threads:
        got = [one for some in threads.map(work, range(3)) for one in some]
    got += [one.environment for one in claim(database, now=NOW + 500)]
    assert sorted(got) == sorted([*ids, old])


def test_first_reports_are_claimed_once_by_two_processes(database: Database) -> None:
    ids = many(database, 12)
    start = threading.Barrier(2)

    def work(_: int) -> list[int]:
        start.wait()
        return [one.environment for one in claim(database)]

    with ThreadPoolExecutor(2) as threads:
        got = [one for some in threads.map(work, range(2)) for one in some]
    assert sorted(got) == ids


def test_a_first_report_that_another_process_claims_meanwhile_is_not_taken_from_it(database: Database) -> None:
    ids = many(database, 3)
    mine, theirs = interleaved(
        database,
        partial(reports.claim, owner="us", now=NOW, until=NOW + 120),
        lambda: database.run_here(partial(reports.claim, owner="them", now=NOW, until=NOW + 120)),
    )
    assert sorted(one.environment for one in (*mine, *theirs)) == ids


def test_what_another_process_told_since_it_was_found_is_known_to_be_told(database: Database) -> None:
    id_ = record(database, facts())

    def tell(owner: str, version: int) -> None:
        if database.run_here(partial(reports.claim, owner=owner, now=NOW, until=NOW + 120)):
            posted = Posted(comment=version)
            database.run_here(
                lambda session: reports.told(session, id_, owner, version=version, digest="d", posted=posted)
            )

    tell("us", 1)
    record(database, facts(2, after=9))
    late = partial(reports.claim, owner="us", now=NOW, until=NOW + 120)
    pending, _ = interleaved(database, late, lambda: tell("them", 2), after="FROM environment")
    # Where one waits for the other, the second one finds nothing to be told.
    told = database.run_here(lambda session: session.get_one(ReportRow, id_).version)
    assert [one.posted.comment for one in pending] == [told][: len(pending)]


def test_what_was_never_told_comes_before_what_was_put_off(database: Database) -> None:
    later, fresh = many(database, 2)
    claim(database, limit=1)
    database.run_here(lambda session: reports.put_off(session, later, "us", "down", until=NOW + 1))
    assert [one.environment for one in claim(database, now=NOW + 2, limit=1)] == [fresh]


def test_who_comes_late_with_a_report_writes_nothing(database: Database) -> None:
    record(database, facts())
    (one,) = claim(database)
    (again,) = database.run_here(lambda session: reports.claim(session, "them", now=NOW + 121, until=NOW + 241))
    for late in (
        lambda session: reports.begin(session, one.environment, "us", posted=POSTED),
        lambda session: reports.told(session, one.environment, "us", version=1, digest="", posted=POSTED),
        lambda session: reports.put_off(session, one.environment, "us", "late", until=NOW, posted=POSTED),
    ):
        with pytest.raises(reports.NotOurs):
            database.run_here(late)
    assert (again.posted, database.run_here(reports.problems)) == (Posted(), [])


def test_only_what_the_dead_had_claimed_is_freed(database: Database) -> None:
    mine, theirs = many(database, 2)
    claim(database, limit=1)
    database.run_here(lambda session: reports.claim(session, "them", now=NOW, until=NOW + 120))
    database.run_here(lambda session: reports.free_claims(session, lambda owner: owner == "us", now=NOW))
    assert [one.environment for one in claim(database)] == [mine]
    assert mine != theirs


def test_what_the_dead_tried_again_is_freed_and_what_was_put_off_is_not(database: Database) -> None:
    tried, put_off = many(database, 2)
    claim(database)
    for environment, seconds in ((tried, 1), (put_off, 60)):
        database.run_here(
            partial(reports.put_off, environment_id=environment, owner="us", problem="down", until=NOW + seconds)
        )
    claim(database, now=NOW + 2)
    database.run_here(lambda session: reports.free_claims(session, lambda owner: owner == "us", now=NOW + 3))
    assert [one.environment for one in claim(database, now=NOW + 3)] == [tried]
