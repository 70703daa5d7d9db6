"""Doubts: what only the forge can tell of a repository."""

from dataclasses import replace

from revieee.model.facts import RepositoryFacts
from revieee.store import doubts, environments, wishes
from revieee.store.database import Database
from revieee.store.doubts import Doubt
from support.storing import NOW, SHOP, facts, record

LATE = NOW + 5.123456789
"""With as many digits as a clock gives."""


def note(database: Database, *, now: float = LATE, repository: int = SHOP.id) -> None:
    database.run_here(lambda session: doubts.note(session, repository, "It was deleted.", now=now))


def waiting(database: Database, *, until: float = LATE) -> list[Doubt]:
    return list(database.read_here(lambda session: doubts.waiting(session, until=until)))


def settle(database: Database, doubt: Doubt, found: RepositoryFacts | None) -> bool:
    return database.run_here(lambda session: doubts.settle(session, doubt, found, now=NOW + 20))


def wanted(database: Database) -> list[bool]:
    return [one.wanted for one in database.read_here(environments.everything)]


def hear(database: Database, *, now: float) -> None:
    """Hear by a delivery that the repository is there."""
    database.run_here(lambda session: wishes.record_repository(session, SHOP, now=now))


def test_a_doubt_costs_nothing_until_it_is_settled(database: Database) -> None:
    record(database, facts())
    note(database)
    assert wanted(database) == [True]
    assert waiting(database, until=NOW) == []
    (doubt,) = waiting(database)
    assert (doubt.repository, doubt.reason) == (SHOP, "It was deleted.")
    assert settle(database, doubt, None)
    assert wanted(database) == [False]
    assert waiting(database, until=NOW + 99) == []
    assert not settle(database, doubt, None), "another process did"


def test_one_that_is_there_is_as_the_forge_says(database: Database) -> None:
    record(database, facts())
    note(database)
    (doubt,) = waiting(database)
    assert settle(database, doubt, replace(SHOP, name="acme/store", installation=3))
    assert wanted(database) == [True]
    assert waiting(database, until=NOW + 99) == []
    (there,) = database.read_here(environments.repositories)
    assert (there.name, there.installation) == ("acme/store", 3)


def test_an_answer_from_before_the_newest_delivery_settles_nothing(database: Database) -> None:
    record(database, facts())
    note(database)
    (doubt,) = waiting(database)
    hear(database, now=LATE + 1)
    assert not settle(database, doubt, None)
    assert wanted(database) == [True]
    (again,) = waiting(database, until=LATE + 1)
    assert again.reason == "It was deleted."


def test_one_that_was_removed_and_is_said_to_be_there_is_doubted(database: Database) -> None:
    record(database, facts())
    database.run_here(lambda session: wishes.remove_repository(session, SHOP.id, "Gone.", now=NOW))
    hear(database, now=LATE)
    (doubt,) = waiting(database)
    assert settle(database, doubt, None)
    (one,) = database.read_here(environments.everything)
    assert one.repository_removed
    assert one.wanted_reason == "Gone."


def test_what_is_removed_or_unknown_cannot_be_doubted(database: Database) -> None:
    record(database, facts())
    database.run_here(lambda session: wishes.remove_repository(session, SHOP.id, "Gone.", now=NOW))
    note(database)
    note(database, repository=99)
    assert waiting(database) == []


def test_a_removal_for_sure_ends_the_doubt(database: Database) -> None:
    record(database, facts())
    note(database)
    database.run_here(lambda session: wishes.remove_repository(session, SHOP.id, "Gone.", now=LATE))
    assert waiting(database) == []
