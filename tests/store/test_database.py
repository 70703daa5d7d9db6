"""The database: short transactions, tried again where that helps, never half done."""

import asyncio
import gc
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from revieee.ports import RetryLater
from revieee.store.database import Database
from revieee.store.schema import MetaRow, SubnetRow


def put(session: Session, slot: int, freed: float = 0.0) -> None:
    session.merge(SubnetRow(slot=slot, freed_at=freed))


def slots(database: Database) -> set[int]:
    return database.read_here(lambda session: set(session.scalars(select(SubnetRow.slot))))


async def test_what_was_run_is_there(database: Database) -> None:
    await database.run(lambda session: put(session, 1))
    assert await database.read(lambda session: session.get_one(SubnetRow, 1).freed_at) == 0.0


def test_what_fails_leaves_nothing_behind(database: Database) -> None:
    def work(session: Session) -> None:
        put(session, 1)
        session.flush()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.run_here(work)
    assert slots(database) == set()


@pytest.mark.parametrize("moment", [0.1, 1767225600.123456, 2**53 - 1.0, 1e-9])
def test_a_moment_comes_back_as_it_was(database: Database, moment: float) -> None:
    database.run_here(lambda session: put(session, 1, moment))
    back = database.run_here(lambda session: session.get_one(SubnetRow, 1).freed_at)
    assert back == moment


def test_names_differ_by_case_accent_and_width(database: Database) -> None:
    names = ["a", "A", "ä", "\uff41", "😀", "e\u0301", "é"]
    for name in names:
        database.run_here(partial(Session.merge, instance=MetaRow(key=name, value=name)))
    assert set(database.run_here(lambda session: session.scalars(select(MetaRow.key)).all())) == set(names)


def test_the_instance_has_one_id_for_ever(database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        ids = set(threads.map(lambda _: database.instance(), range(8)))
    assert len(ids) == 1
    (id_,) = ids
    assert len(id_) == 8


def test_a_fault_of_ours_is_no_reason_to_try_again(database: Database, backend: str) -> None:
    calls: list[int] = []

    def work(session: Session) -> None:
        calls.append(1)
        session.execute(text("SELECT 1 FROM nothing_of_that_name"))

    # SQLite has one error for both, so there it is tried again and reported as the database's own.
    with pytest.raises(RetryLater if backend == "sqlite" else ProgrammingError):
        database.run_here(work)
    assert len(calls) == (3 if backend == "sqlite" else 1)


def test_a_value_that_does_not_fit_is_never_cut_in_silence(database: Database, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has no lengths")
    with pytest.raises(DataError):
        database.run_here(lambda session: session.add(MetaRow(key="k" * 65, value="")))


def test_a_row_that_another_made_meanwhile_is_found_at_the_second_try(database: Database) -> None:
    seen: list[bool] = []

    def work(session: Session) -> None:
        found = session.get(SubnetRow, 1) is not None
        seen.append(found)
        if not found:
            if len(seen) == 1:
                raise IntegrityError("", {}, Exception("another made it"))
            session.add(SubnetRow(slot=1, freed_at=0))

    database.run_here(work)
    assert seen == [False, False]
    assert slots(database) == {1}


def test_two_that_would_wait_for_each_other_for_ever_both_finish(database: Database, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has one writer")
    for slot in (1, 2):
        database.run_here(partial(put, slot=slot))
    both_hold_one = threading.Barrier(2, timeout=20)
    tries: list[int] = []

    def work(order: tuple[int, int]) -> None:
        first_try = True

        def transaction(session: Session) -> None:
            nonlocal first_try
            tries.append(1)
            session.get_one(SubnetRow, order[0], with_for_update=True).freed_at += 1
            session.flush()
            if first_try:
                first_try = False
                both_hold_one.wait()
            session.get_one(SubnetRow, order[1], with_for_update=True).freed_at += 1

        database.run_here(transaction)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, [(1, 2), (2, 1)]))
    assert len(tries) == 3, "one of them was chosen as the victim, and run again"
    counted = database.run_here(lambda session: session.scalars(select(SubnetRow.freed_at)).all())
    assert counted == [2, 2]


async def test_a_cancelled_caller_goes_on_when_its_transaction_is_over(database: Database) -> None:
    began, go = threading.Event(), threading.Event()

    def work(session: Session) -> None:
        put(session, 1)
        session.flush()
        began.set()
        go.wait(20)

    caller = asyncio.create_task(database.run(work))
    await asyncio.to_thread(began.wait, 20)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert slots(database) == {1}


async def test_what_a_cancelled_caller_would_have_been_told_goes_to_nobody(database: Database) -> None:
    began, go, heard = threading.Event(), threading.Event(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    def work(_: Session) -> None:
        began.set()
        go.wait(20)
        raise RetryLater("The database did not answer.")

    caller = asyncio.create_task(database.run(work))
    await asyncio.to_thread(began.wait, 20)
    for _ in range(2):  # the second time it waits no longer
        caller.cancel()
        await asyncio.sleep(0.01)
    go.set()
    await asyncio.gather(caller, return_exceptions=True)
    del caller
    for _ in range(4):  # its thread does other work again, so it has ended, and that was heard
        await database.run(lambda session: session.get(MetaRow, "nothing"))
    gc.collect()
    assert heard == []


async def test_what_waits_for_its_turn_is_given_up_at_once(database: Database) -> None:
    go = threading.Event()
    busy = [asyncio.create_task(database.run(lambda _: go.wait(20))) for _ in range(4)]
    await asyncio.sleep(0)
    late = asyncio.create_task(database.run(lambda session: put(session, 9)))
    await asyncio.sleep(0)
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    go.set()
    await asyncio.gather(*busy)
    assert slots(database) == set()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An SQLite file that is open already."""
    database = Database(f"sqlite:///{tmp_path}/r.db")
    database.open()
    database.close()
    return tmp_path / "r.db"


@pytest.fixture
def two(file: Path) -> Callable[[], Database]:
    """Opens that file as another process would."""
    return lambda: Database(f"sqlite:///{file}")


def test_sqlite_keeps_what_it_said_it_kept(file: Path, two: Callable[[], Database]) -> None:
    database = two()
    pragmas = database.run_here(
        lambda session: [
            session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    database.close()
    assert pragmas == ["wal", 2, 1]
    assert file.exists()


def test_sqlite_a_second_process_waits_for_the_first_ones_write(two: Callable[[], Database]) -> None:
    first, second = two(), two()
    holds, go = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        put(session, 1)
        session.flush()
        holds.set()
        go.wait(20)

    def count(session: Session) -> None:
        put(session, 2, len(session.scalars(select(SubnetRow)).all()))

    with ThreadPoolExecutor(2) as threads:
        slow_one = threads.submit(first.run_here, slow)
        holds.wait(20)
        # It reads, and then writes what depends on it: with a lock taken late this could only fail.
        other = threads.submit(
            second.run_here, lambda session: put(session, 2, len(session.scalars(select(SubnetRow)).all()))
        )
        assert second.read_here(lambda session: session.scalars(select(SubnetRow.slot)).all()) == [], (
            "readers do not wait"
        )
        go.set()
        slow_one.result()
        other.result()
    assert second.run_here(lambda session: session.get_one(SubnetRow, 2).freed_at) == 1
    first.close()
    second.close()


def test_sqlite_locked_for_too_long_is_to_be_tried_later(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revieee.store.connecting._BUSY_TIMEOUT", 20)
    database = Database(f"sqlite:///{file}")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RetryLater, match="database is locked"):
        database.run_here(lambda session: put(session, 1))
    other.execute("COMMIT")
    other.close()
    database.run_here(lambda session: put(session, 1))
    assert slots(database) == {1}
    database.close()


def test_an_answer_lost_at_the_commit_is_not_run_again(two: Callable[[], Database]) -> None:
    database = two()
    calls: list[int] = []

    class Lost(Session):
        def commit(self) -> None:
            super().commit()
            raise OperationalError("COMMIT", {}, Exception("gone"), connection_invalidated=True)

    def work(session: Session) -> None:
        session.__class__ = Lost
        calls.append(1)
        put(session, 1)

    with pytest.raises(RetryLater):
        database.run_here(work)
    assert calls == [1]
    assert slots(database) == {1}
    database.close()
