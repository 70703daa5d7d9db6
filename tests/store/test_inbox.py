"""The inbox: deliveries, stored before they are answered."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from revieee.model.delivery import Delivery
from revieee.store import inbox
from revieee.store.database import Database
from revieee.store.schema import DeliveryRow
from support.storing import NOW

ONE = Delivery(id="72d3162e-cc78-11e3-81ab-4c9367dc0958", event="pull_request", body=b"{}", received_at=NOW)


def add(database: Database, delivery: Delivery) -> bool:
    return database.run_here(lambda session: inbox.add(session, delivery))


def waiting(database: Database, limit: int = 100) -> list[Delivery]:
    return list(database.run_here(lambda session: inbox.unhandled(session, limit)))


def handled(database: Database, id_: str, outcome: str = "done") -> None:
    database.run_here(lambda session: inbox.handled(session, id_, outcome, now=NOW + 1))


def test_the_same_delivery_is_stored_once(database: Database) -> None:
    assert add(database, ONE)
    assert not add(database, replace(ONE, received_at=NOW + 5))
    assert waiting(database) == [ONE]


def test_a_delivery_that_was_handled_is_still_known(database: Database) -> None:
    add(database, ONE)
    handled(database, ONE.id)
    assert waiting(database) == []
    assert not add(database, ONE)


def test_the_oldest_come_first(database: Database) -> None:
    for number in (3, 1, 2):
        add(database, replace(ONE, id=f"d{number}", received_at=NOW + number))
    assert [one.id for one in waiting(database)] == ["d1", "d2", "d3"]
    assert [one.id for one in waiting(database, 2)] == ["d1", "d2"]


def test_only_what_was_handled_long_ago_is_forgotten(database: Database) -> None:
    add(database, replace(ONE, id="old"))
    add(database, replace(ONE, id="open"))
    add(database, replace(ONE, id="new", received_at=NOW + 100))
    handled(database, "old")
    handled(database, "new")
    database.run_here(lambda session: inbox.forget(session, before=NOW + 50))
    assert [one.id for one in waiting(database)] == ["open"]
    assert add(database, replace(ONE, id="old"))
    assert not add(database, replace(ONE, id="new"))


@pytest.mark.parametrize("length", [0, 1, 70_000, 3_000_000])
def test_a_body_comes_back_byte_by_byte(database: Database, length: int) -> None:
    body = random.Random(length).randbytes(length)  # noqa: S311 - any bytes that do not compress
    add(database, replace(ONE, body=body))
    (back,) = waiting(database)
    assert back.body == body


def test_the_largest_payload_fits(database: Database) -> None:
    body = b'{"text": "' + b"word " * 5_200_000 + b'"}'
    add(database, replace(ONE, body=body))
    assert waiting(database)[0].body == body


def test_large_bodies_are_not_all_read_at_once(database: Database) -> None:
    for number in range(4):
        add(database, replace(ONE, id=f"d{number}", body=b" " * 20_000_000, received_at=NOW + number))
    assert [one.id for one in waiting(database)] == ["d0"]
    handled(database, "d0")
    assert [one.id for one in waiting(database)] == ["d1"]


def test_an_outcome_of_any_length_and_kind_is_noted(database: Database) -> None:
    add(database, ONE)
    handled(database, ONE.id, "malformed: \x00\ud83d 😀" * 1000)
    outcome = database.run_here(lambda session: session.get_one(DeliveryRow, ONE.id).outcome)
    assert outcome.startswith("malformed: \ufffd\ufffd 😀")
    assert len(outcome) <= 1000


def test_two_processes_that_get_the_same_delivery_store_one(database: Database) -> None:
    start = threading.Barrier(4)

    def work(_: int) -> bool:
        start.wait()
        return add(database, ONE)

    with ThreadPoolExecutor(4) as threads:
        new = list(threads.map(work, range(4)))
    assert sorted(new) == [False, False, False, True]


def test_two_processes_never_handle_the_same_delivery(database: Database) -> None:
    ids = [f"delivery-{n}" for n in range(20)]
    for id_ in ids:
        add(database, replace(ONE, id=id_))
    start = threading.Barrier(3)

    def work(_: int) -> list[str]:
        start.wait()
        return [id_ for id_ in ids if database.run_here(partial(inbox.take, delivery_id=id_, now=NOW))]

    with ThreadPoolExecutor(3) as threads:
        taken = [id_ for some in threads.map(work, range(3)) for id_ in some]
    assert sorted(taken) == sorted(ids)
    assert waiting(database) == []
