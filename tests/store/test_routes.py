"""Routes: which host belongs to whom and leads where."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from revieee.model.route import Endpoint, Route, RouteState
from revieee.store import routes
from revieee.store.database import Database
from support.storing import NOW, many

WEB = Endpoint("10.208.0.66", 80)
UP = ("web", RouteState.UP, WEB)


def claim(database: Database, id_: int, *hosts: str, now: float = NOW) -> bool:
    wanted = dict.fromkeys(hosts, "web")
    return database.run_here(lambda session: routes.claim(session, id_, wanted, now=now))


def put(
    database: Database, id_: int, wanted: Mapping[str, tuple[str, RouteState, Endpoint | None]], *, now: float = NOW
) -> dict[str, Route]:
    made: Sequence[Route] = database.run_here(lambda session: routes.set_routes(session, id_, wanted, now=now))
    return {one.hostname: one for one in made}


def everything(database: Database) -> dict[str, Route]:
    return {one.hostname: one for one in database.run_here(routes.everything)}


@pytest.fixture
def ids(database: Database) -> list[int]:
    """Two environments."""
    return many(database, 2)


def test_a_claimed_host_says_that_it_is_on_its_way(database: Database, ids: list[int]) -> None:
    assert claim(database, ids[0], "a.localhost", "b.localhost")
    found = database.run_here(lambda session: routes.find(session, "a.localhost"))
    assert found is not None
    route, owner = found
    assert (route.state, route.endpoint, owner) == (RouteState.BUILDING, None, ids[0])


def test_a_host_of_another_is_not_given_nor_any_other_with_it(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost")
    assert not claim(database, ids[1], "b.localhost", "a.localhost")
    assert set(everything(database)) == {"a.localhost"}


def test_a_host_is_claimed_again_by_its_owner_as_it_is(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost")
    before = put(database, ids[0], {"a.localhost": UP})["a.localhost"]
    assert claim(database, ids[0], "a.localhost")
    assert everything(database)["a.localhost"] == before


def test_a_host_that_is_gone_may_be_anothers_and_leads_nowhere_old(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost")
    put(database, ids[0], {"a.localhost": UP})
    gone = put(database, ids[0], {})["a.localhost"]
    assert claim(database, ids[1], "a.localhost")
    route = everything(database)["a.localhost"]
    assert (route.state, route.endpoint) == (RouteState.BUILDING, None)
    assert route.version > gone.version
    assert put(database, ids[0], {}) == {}, "the old owner has no say any more"


def test_nobody_takes_a_host_by_setting_it(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost")
    before = put(database, ids[0], {"a.localhost": UP})
    stolen = put(database, ids[1], {"a.localhost": ("", RouteState.FAILED, None), "b.localhost": UP})
    assert set(stolen) == {"b.localhost"}
    assert everything(database)["a.localhost"] == before["a.localhost"]


def test_every_change_has_a_higher_version(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost")
    first = everything(database)["a.localhost"].version
    changes = [
        UP,
        ("web", RouteState.HOLD, WEB),
        ("web", RouteState.UP, Endpoint("10.208.0.67", 80)),
        ("web", RouteState.UP, Endpoint("10.208.0.67", 81)),
        ("web", RouteState.FAILED, None),
    ]
    seen = [put(database, ids[0], {"a.localhost": wanted})["a.localhost"].version for wanted in changes]
    last = put(database, ids[0], {})["a.localhost"].version
    assert [first, *seen, last] == sorted({first, *seen, last})


def test_what_does_not_change_keeps_its_version(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost", "b.localhost")
    first = put(database, ids[0], {"a.localhost": UP, "b.localhost": UP})
    second = put(database, ids[0], {"a.localhost": UP, "b.localhost": ("web", RouteState.HOLD, WEB)})
    assert second["a.localhost"] == first["a.localhost"]
    assert second["b.localhost"].version > first["b.localhost"].version


def test_hosts_that_are_left_out_are_gone_and_still_pushed(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost", "b.localhost")
    after = put(database, ids[0], {"a.localhost": UP})
    assert after["b.localhost"].state is RouteState.GONE
    mine = database.run_here(lambda session: routes.of_environment(session, ids[0]))
    assert {one.hostname: one for one in mine} == after


def test_gone_routes_are_remembered_for_a_while(database: Database, ids: list[int]) -> None:
    claim(database, ids[0], "a.localhost", "b.localhost")
    put(database, ids[0], {"b.localhost": UP}, now=NOW + 10)
    database.run_here(lambda session: routes.forget(session, before=NOW + 10))
    assert set(everything(database)) == {"a.localhost", "b.localhost"}
    gone = everything(database)["a.localhost"].version
    database.run_here(lambda session: routes.forget(session, before=NOW + 11))
    assert set(everything(database)) == {"b.localhost"}
    claim(database, ids[1], "a.localhost")
    assert everything(database)["a.localhost"].version > gone


def test_an_unknown_host_has_no_route(database: Database) -> None:
    assert database.run_here(lambda session: routes.find(session, "x.localhost")) is None


def test_a_service_of_any_name_has_a_route(database: Database, ids: list[int]) -> None:
    name = "😀" * 300
    assert database.run_here(lambda session: routes.claim(session, ids[0], {"a.localhost": name}, now=NOW))


def test_of_two_that_claim_a_host_at_once_one_gets_it(database: Database, ids: list[int]) -> None:
    start = threading.Barrier(2)

    def work(id_: int) -> list[bool]:
        start.wait()
        return [claim(database, id_, f"{number}.localhost") for number in range(10)]

    with ThreadPoolExecutor(2) as threads:
        got = list(threads.map(work, ids))
    assert [sorted(pair) for pair in zip(*got, strict=True)] == [[False, True]] * 10


def test_versions_given_out_at_once_are_never_the_same(database: Database) -> None:
    several = many(database, 4)
    start = threading.Barrier(4)

    def work(id_: int) -> list[int]:
        start.wait()
        states = (RouteState.HOLD, RouteState.UP) * 5
        return [
            put(database, id_, {f"{id_}.localhost": ("web", state, WEB)})[f"{id_}.localhost"].version
            for state in states
        ]

    with ThreadPoolExecutor(4) as threads:
        versions = [one for some in threads.map(work, several) for one in some]
    assert len(set(versions)) == len(versions)
