"""Environments as people and timers look for them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import inspect

from revieee.model.facts import RepositoryFacts
from revieee.model.names import EnvironmentName
from revieee.store import environments, leases, places, releases, routes, wishes
from revieee.store.database import Database
from revieee.store.leases import Lease
from revieee.store.schema import EnvironmentRow
from support.storing import NOW, SHOP, all_free, facts, go_live, lease, many, record, stack

OTHER = RepositoryFacts(id=8, name="acme/other")


@pytest.mark.parametrize("name", ["acme/shop", "Acme/SHOP"])
def test_an_environment_is_found_by_name_whatever_its_case(database: Database, name: str) -> None:
    id_ = record(database, facts())
    found = database.run_here(lambda session: environments.find(session, EnvironmentName(name, 1)))
    assert found is not None
    assert found.id == id_


@pytest.mark.parametrize("name", [EnvironmentName("acme/shop", 2), EnvironmentName("acme/sho_", 1)])
def test_another_name_finds_nothing(database: Database, name: EnvironmentName) -> None:
    record(database, facts())
    assert database.run_here(lambda session: environments.find(session, name)) is None


def test_of_two_repositories_that_had_a_name_the_newer_has_it(database: Database) -> None:
    record(database, facts())
    newer = record(database, facts(after=50, repository=replace(SHOP, id=99)))
    found = database.run_here(lambda session: environments.find(session, EnvironmentName("acme/shop", 1)))
    assert found is not None
    assert found.id == newer


def test_what_is_wanted_or_still_there_is_present(database: Database) -> None:
    wanted = record(database, facts(number=2))
    there = record(database, facts(number=1), now=NOW - 1)
    held = lease(database)
    database.run_here(lambda session: go_live(session, held))
    record(database, facts(number=1, after=9, open=False))
    gone = record(database, facts(number=3, open=False))
    assert [one.id for one in database.run_here(environments.present)] == [there, wanted]
    assert [one.id for one in database.run_here(environments.everything)] == [there, wanted, gone]


def test_the_tick_expects_what_may_be_there_and_what_live_releases_need(database: Database) -> None:
    many(database, 3)
    live, begun = (lease(database) for _ in range(2))
    database.run_here(lambda session: go_live(session, live))
    database.run_here(lambda session: releases.begin(session, begun, slot=None, now=NOW))
    assert database.run_here(environments.expectations) == {
        live.environment: (1, stack().keys),
        begun.environment: (1, frozenset()),
    }


HOSTS = {"shop-pr-1.localhost": "web", "api-shop-pr-1.localhost": "api"}
WEB, API = HOSTS


@pytest.fixture
def held(database: Database) -> Lease:
    """The lease on an environment that is live, with two hosts."""
    record(database, facts())
    one = lease(database)
    database.run_here(lambda session: go_live(session, one))
    database.run_here(lambda session: routes.claim(session, one.environment, HOSTS, now=NOW))
    return one


def note(database: Database, seen: Mapping[str, float]) -> int:
    return database.run_here(lambda session: environments.note_visits(session, seen))


@pytest.mark.usefixtures("held")
def test_what_was_visited_is_not_idle(database: Database) -> None:
    def idle(since: float) -> bool:
        return bool(database.run_here(lambda session: environments.idle(session, since=since)))

    assert idle(NOW + 1)
    assert note(database, {WEB: NOW + 50, API: NOW + 20, "other.localhost": NOW + 90}) == 1
    assert (idle(NOW + 50), idle(NOW + 51)) == (False, True)
    assert note(database, {WEB: NOW + 40}) == 0, "the router was started anew, and knows an older one"
    assert note(database, {}) == 0
    assert not idle(NOW + 50)
    assert note(database, {API: NOW + 60}) == 1
    assert not idle(NOW + 60)


def test_a_visit_asks_for_nothing_and_makes_no_turn_stale(database: Database, held: Lease) -> None:
    def row() -> dict[str, object]:
        found = database.read_here(lambda session: session.get_one(EnvironmentRow, held.environment))
        return {column.key: getattr(found, column.key) for column in inspect(EnvironmentRow).columns}

    before = row()
    assert note(database, {WEB: NOW + 50}) == 1
    assert row() == before | {"visited_at": NOW + 50}
    database.run_here(lambda session: releases.begin(session, held, slot=None, now=NOW + 60))
    assert row()["visited_at"] == NOW + 50


def test_of_many_the_visits_are_written_together(database: Database) -> None:
    ids = many(database, 3)
    for id_ in ids:
        hosts = {f"{id_}.localhost": "web"}
        database.run_here(partial(routes.claim, environment_id=id_, hosts=hosts, now=NOW))
    assert note(database, {f"{id_}.localhost": NOW + id_ for id_ in ids[1:]}) == 2


def test_environments_are_counted_by_repository_and_in_all(database: Database) -> None:
    many(database, 2)
    many(database, 1, repository=OTHER)
    for _ in range(3):
        held = lease(database)
        database.run_here(partial(releases.begin, lease=held, slot=None, now=NOW))
    many(database, 1, repository=replace(OTHER, id=9))
    assert database.run_here(places.placed) == {SHOP.id: 2, OTHER.id: 1}
    assert database.run_here(environments.count) == 3


def test_subnets_that_are_used_or_rest_are_taken(database: Database) -> None:
    assert database.run_here(lambda session: environments.taken_slots(session, rested_since=NOW)) == (set(), -1)
    record(database, facts())
    held = lease(database)
    database.run_here(lambda session: releases.begin(session, held, slot=7, now=NOW))
    database.run_here(lambda session: environments.note_slot(session, 7))
    for slot, freed in ((3, NOW - 100), (4, NOW + 100), (4, NOW + 200)):
        database.run_here(partial(environments.rest_slot, slot=slot, now=freed))
    assert database.run_here(lambda session: environments.taken_slots(session, rested_since=NOW)) == ({4, 7}, 7)
    assert database.run_here(lambda session: environments.taken_slots(session, rested_since=NOW + 200)) == ({7}, 7)


def test_the_numbers_that_are_open_as_far_as_we_know(database: Database) -> None:
    many(database, 2)
    record(database, facts(number=2, after=9, open=False))
    record(database, facts(number=1, repository=OTHER))
    (one,) = database.run_here(lambda session: environments.open_facts(session, SHOP.id))
    assert one.number == 1


def test_a_repository_is_given_as_it_was_last_heard_of(database: Database) -> None:
    record(database, facts())
    named = replace(SHOP, name="acme/store", installation=3)
    database.run_here(lambda session: wishes.record_repository(session, named, now=NOW + 5))
    assert database.run_here(lambda session: environments.repository(session, SHOP.id)) == named
    assert database.run_here(lambda session: environments.repository(session, 12345)) is None
    assert list(database.run_here(environments.repositories)) == [named]


def test_environments_are_sorted_by_repository_and_number(database: Database) -> None:
    many(database, 11)
    many(database, 1, repository=OTHER)
    names = [str(one.name) for one in database.run_here(environments.present)]
    assert names == ["acme/other#1", *(f"acme/shop#{number}" for number in range(1, 12))]
    assert database.run_here(lambda session: leases.claim(session, "us", all_free(1), now=NOW, until=NOW))
