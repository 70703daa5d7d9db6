"""A clock that was set back moves what is waited for, once."""

from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from revieee.store import releases, reports, setback
from revieee.store.database import Database
from revieee.store.schema import EnvironmentRow, ReportRow
from support.storing import NOW, facts, record

HOUR = 3600.0


def due(database: Database, id_: int) -> tuple[float | None, float]:
    return database.run_here(lambda session: (releases.due_at(session, id_), session.get_one(ReportRow, id_).due_at))


def waiting(database: Database) -> int:
    """An environment that waits for a minute, with a report that waits for an hour."""
    id_ = record(database, facts())

    def work(session: Session) -> None:
        session.get_one(EnvironmentRow, id_).due_at = NOW + 60
        (one,) = reports.claim(session, "us", now=NOW, until=NOW + 120)
        reports.put_off(session, one.environment, "us", "down", until=NOW + HOUR)

    database.run_here(work)
    return id_


def note(database: Database, now: float) -> float:
    return database.run_here(partial(setback.note, clock=lambda: now))


def test_what_waits_waits_as_long_as_it_would_have(database: Database) -> None:
    id_ = waiting(database)
    assert note(database, NOW) == 0
    assert note(database, NOW - HOUR) == HOUR
    assert due(database, id_) == (NOW + 60 - HOUR, NOW)
    assert note(database, NOW - HOUR + 1) == 0, "another process looks as well"
    assert due(database, id_) == (NOW + 60 - HOUR, NOW)


def test_who_waits_for_a_place_keeps_it_in_the_line(database: Database) -> None:
    first, second = (record(database, facts(number=number)) for number in (1, 2))

    def queue(id_: int, now: float) -> None:
        def work(session: Session) -> None:
            session.get_one(EnvironmentRow, id_).queued_at = now

        database.run_here(work)

    queue(first, NOW)
    note(database, NOW + 10)
    note(database, NOW + 10 - HOUR)
    queue(second, NOW + 20 - HOUR)
    line = select(EnvironmentRow.id).order_by(EnvironmentRow.queued_at)
    assert database.run_here(lambda session: session.scalars(line).all()) == [first, second]


def test_a_clock_that_goes_on_or_is_set_forward_moves_nothing(database: Database) -> None:
    id_ = waiting(database)
    for now in (NOW, NOW + 10, NOW + HOUR / 2):
        assert note(database, now) == 0
    assert due(database, id_) == (NOW + 60, NOW + HOUR)


def test_the_claim_of_who_tells_just_now_stays_as_it_is(database: Database) -> None:
    id_ = waiting(database)
    note(database, NOW)
    database.run_here(lambda session: reports.claim(session, "us", now=NOW + HOUR, until=NOW + HOUR + 120))
    note(database, NOW - HOUR)
    assert due(database, id_)[1] == NOW + HOUR + 120


def test_when_it_was_set_back_while_nobody_ran_it_is_noticed_all_the_same(database: Database) -> None:
    id_ = waiting(database)
    note(database, NOW)
    assert note(database, NOW - 86_400) == 86_400
    assert due(database, id_) == (NOW + 60 - 86_400, NOW + HOUR - 86_400)
