"""Logs: output in chunks."""

import pytest

from revieee.store import logs, releases
from revieee.store.database import Database
from support.storing import NOW, facts, lease, record


@pytest.fixture
def release(database: Database) -> int:
    """The id of a release."""
    record(database, facts())
    held = lease(database)
    return database.run_here(lambda session: releases.begin(session, held, slot=None, now=NOW))


def append(database: Database, release: int, stage: str, data: bytes, *, now: float = NOW) -> None:
    database.run_here(lambda session: logs.append(session, release, stage, data, now=now))


def test_chunks_come_back_in_their_order_and_from_where_a_reader_was(database: Database, release: int) -> None:
    for number in range(5):
        append(database, release, "build web", b"%d" % number)
    first = database.run_here(lambda session: logs.read(session, release, limit=2))
    assert [one.data for one in first] == [b"0", b"1"]
    rest = database.run_here(lambda session: logs.read(session, release, after=first[-1].id))
    assert [one.data for one in rest] == [b"2", b"3", b"4"]


def test_any_bytes_and_any_stage_are_kept(database: Database, release: int) -> None:
    data = bytes(range(256)) * 4096
    append(database, release, "build " + "\x00😀" * 200, data)
    (chunk,) = database.run_here(lambda session: logs.read(session, release))
    assert chunk.data == data
    assert chunk.stage == "build " + "\ufffd😀" * 200


def test_the_size_of_a_log_is_known(database: Database, release: int) -> None:
    assert database.run_here(lambda session: logs.size(session, release)) == 0
    append(database, release, "build web", "é".encode())
    append(database, release, "hook create", b"\x00" * 70_000)
    assert database.run_here(lambda session: logs.size(session, release)) == 70_002


def test_old_output_is_dropped(database: Database, release: int) -> None:
    append(database, release, "build web", b"old", now=NOW)
    append(database, release, "build web", b"new", now=NOW + 10)
    database.run_here(lambda session: logs.forget(session, before=NOW + 10))
    assert [one.data for one in database.run_here(lambda session: logs.read(session, release))] == [b"new"]
