"""The count by which a database from a backup is known, and what becomes of its environments; on every database."""

from functools import partial

from revieee.model.phases import Verdict
from revieee.store import beats, environments, leases
from revieee.store.database import Database
from revieee.store.schema import EnvironmentRow
from support.storing import NOW, facts, go_live, lease, record


def test_it_goes_up_by_one_each_time(database: Database) -> None:
    assert database.run_here(beats.last) == 0
    assert [database.run_here(beats.count) for _ in range(3)] == [1, 2, 3]
    assert database.run_here(beats.last) == 3


def test_what_is_there_or_should_be_is_to_go_whoever_works_on_it(database: Database) -> None:
    live, there, absent = (record(database, facts(number=number)) for number in (1, 2, 3))
    held = lease(database)
    database.run_here(lambda session: go_live(session, held))
    database.run_here(lambda session: beats.begin_anew(session, {live: 4, there: 2, 99: 1}, beat=70, now=NOW))
    found = {one.id: one for one in database.run_here(environments.everything)}
    assert [(found[one].removing, found[one].incarnation) for one in (live, there)] == [(True, 4), (True, 2)]
    assert not found[absent].removing
    assert [one.verdict for one in found[live].releases] == [Verdict.REMOVED]
    assert not database.run_here(lambda session: leases.renew(session, held, until=NOW + 60))
    assert database.run_here(beats.count) == 71


def test_of_an_environment_that_nobody_heard_of_nothing_can_be_there(database: Database) -> None:
    assert first_incarnation(database, 1) == 1
    restores: list[tuple[dict[int, int], int]] = [({}, 1), ({70: 4}, 5), ({70: 2}, 5)]
    for number, (there, first) in enumerate(restores, start=2):
        database.run_here(partial(beats.begin_anew, there=there, beat=number, now=NOW))
        assert first_incarnation(database, number) == first


def first_incarnation(database: Database, number: int) -> int:
    id_ = record(database, facts(number=number))
    return database.run_here(lambda session: session.get_one(EnvironmentRow, id_).incarnation)
