"""The count by which a database from a backup is known, and what becomes of its environments; on every database."""

from revieee.model.phases import Verdict
from revieee.store import beats, environments, leases
from revieee.store.database import Database
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
