"""Secrets of repositories, sealed, on each database."""

from collections.abc import Sequence

import pytest

from revieee.model.facts import RepositoryFacts
from revieee.model.secrets import MOST_IN_ALL
from revieee.ports import Refused
from revieee.store import releases, secrets, wishes
from revieee.store.database import Database
from revieee.store.secrets import Sealed
from support.storing import NOW, SHOP, facts, lease, record


def put(database: Database, name: str, data: bytes, *, now: float = NOW) -> None:
    database.run_here(lambda session: secrets.put(session, SHOP.id, name, data, now=now))


def stored(database: Database) -> Sequence[Sealed]:
    return database.read_here(lambda session: secrets.sealed(session, SHOP.id))


def test_the_newest_of_a_name_counts_and_the_former_is_kept_as_retired(database: Database) -> None:
    record(database, facts())
    put(database, "B", b"one")
    put(database, "A", b"\x00\xff")
    put(database, "B", b"two", now=NOW + 1)
    found = [(one.name, one.data, one.retired) for one in stored(database)]
    assert found == [("A", b"\x00\xff", False), ("B", b"one", True), ("B", b"two", False)]
    assert len({one.token for one in stored(database)}) == 3


def test_what_was_taken_away_is_dropped_in_time(database: Database) -> None:
    record(database, facts())
    put(database, "A", b"one")
    assert database.run_here(lambda session: secrets.take_away(session, SHOP.id, "A", now=NOW + 5))
    assert not database.run_here(lambda session: secrets.take_away(session, SHOP.id, "A", now=NOW + 5))
    assert [one.retired for one in stored(database)] == [True]
    database.run_here(lambda session: secrets.forget(session, before=NOW + 5))
    assert len(stored(database)) == 1
    database.run_here(lambda session: secrets.forget(session, before=NOW + 6))
    assert stored(database) == []


def test_a_repository_is_found_by_its_name_however_it_is_written(database: Database) -> None:
    record(database, facts())
    assert database.read_here(lambda session: secrets.repository(session, "ACME/Shop")) == SHOP.id
    with pytest.raises(Refused, match="does not know acme/other"):
        database.read_here(lambda session: secrets.repository(session, "acme/other"))


def remove(database: Database, *, now: float) -> None:
    database.run_here(lambda session: wishes.remove_repository(session, SHOP.id, "it was deleted", now=now))


def forget(database: Database, *, before: float) -> None:
    database.run_here(lambda session: secrets.forget(session, before=before))


def test_one_that_was_removed_long_ago_loses_its_secrets_and_no_other_does(database: Database) -> None:
    other = RepositoryFacts(id=8, name="acme/other")
    record(database, facts())
    record(database, facts(repository=other))
    put(database, "A", b"one")
    database.run_here(lambda session: secrets.put(session, other.id, "A", b"other", now=NOW))
    remove(database, now=NOW + 5)
    forget(database, before=NOW + 5)
    assert len(stored(database)) == 1
    forget(database, before=NOW + 6)
    assert stored(database) == []
    assert database.read_here(lambda session: secrets.sealed(session, other.id))[0].data == b"other"


def test_one_that_comes_back_has_its_secrets(database: Database) -> None:
    record(database, facts())
    put(database, "A", b"one")
    before = stored(database)
    remove(database, now=NOW + 5)
    database.run_here(lambda session: wishes.record_repository(session, SHOP, now=NOW + 9, settled=True))
    forget(database, before=NOW + 100)
    assert stored(database) == before


def test_secrets_stay_while_something_runs_with_them(database: Database) -> None:
    record(database, facts())
    held = lease(database)
    database.run_here(lambda session: releases.begin(session, held, slot=None, now=NOW))
    put(database, "A", b"one")
    remove(database, now=NOW + 5)
    forget(database, before=NOW + 100)
    assert len(stored(database)) == 1, "a hook may need them, and its output is masked"


def test_more_than_the_most_are_refused(database: Database) -> None:
    record(database, facts())
    for number in range(MOST_IN_ALL):
        put(database, f"A{number}", b"x")
    put(database, "A0", b"replaced")
    with pytest.raises(Refused, match=str(MOST_IN_ALL)):
        put(database, "B", b"x")


def test_all_are_sealed_again_or_none(database: Database) -> None:
    record(database, facts())
    put(database, "A", b"one")
    put(database, "B", b"two")

    def broken(data: bytes) -> bytes:
        if data == b"two":
            raise ValueError("broken")
        return b"changed"

    with pytest.raises(ValueError, match="broken"):
        database.run_here(lambda session: secrets.seal_again(session, broken))
    assert [one.data for one in stored(database)] == [b"one", b"two"]
    assert database.run_here(lambda session: secrets.seal_again(session, bytes.upper)) == 2
    assert [one.data for one in stored(database)] == [b"ONE", b"TWO"]
