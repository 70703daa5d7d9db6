"""Gathering: deliveries that come while a transaction runs are stored together in the next one."""

import asyncio
import threading
from dataclasses import replace

import pytest

from revieee.model.delivery import Delivery
from revieee.store import inbox
from revieee.store.database import Database
from revieee.store.gathering import Gathering
from support.storing import NOW

ONE = Delivery(id="d", event="pull_request", body=b"{}", received_at=NOW)


def waiting(database: Database) -> set[str]:
    return {one.id for one in database.run_here(lambda session: inbox.unhandled(session, 1000))}


async def test_each_is_there_when_it_is_answered(database: Database) -> None:
    gathering = Gathering(database)

    async def one(number: int) -> bool:
        new = await gathering.add(replace(ONE, id=f"d{number}"))
        return new and f"d{number}" in await database.read(
            lambda session: {each.id for each in inbox.unhandled(session, 1000)}
        )

    assert all(await asyncio.gather(*(one(number) for number in range(250))))


async def test_the_same_delivery_at_once_is_one(database: Database) -> None:
    gathering = Gathering(database)
    new = await asyncio.gather(*(gathering.add(ONE) for _ in range(5)))
    assert sorted(new) == [False] * 4 + [True]
    assert await gathering.add(ONE) is False


async def test_those_that_come_meanwhile_share_a_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    run, began = database.run, asyncio.Event()

    async def counted(work: object) -> object:
        runs.append(1)
        began.set()
        return await run(work)  # type: ignore[arg-type] # handed through

    monkeypatch.setattr(database, "run", counted)
    gathering = Gathering(database)
    first = asyncio.create_task(gathering.add(replace(ONE, id="first")))
    await began.wait()
    await asyncio.gather(first, *(gathering.add(replace(ONE, id=f"d{number}")) for number in range(90)))
    assert len(runs) == 2


async def test_one_that_cannot_be_stored_does_not_take_others_with_it(database: Database, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has no lengths")
    gathering = Gathering(database)
    bad = replace(ONE, event="e" * 65)
    results = await asyncio.gather(
        gathering.add(replace(ONE, id="a")),
        gathering.add(bad),
        gathering.add(replace(ONE, id="b")),
        return_exceptions=True,
    )
    assert results[0] is True
    assert isinstance(results[1], Exception)
    assert results[2] is True
    assert waiting(database) == {"a", "b"}


async def test_a_sender_that_hung_up_keeps_nobody_waiting(database: Database) -> None:
    go = threading.Event()
    busy = [asyncio.create_task(database.run(lambda _: go.wait(20))) for _ in range(4)]
    await asyncio.sleep(0)
    gathering = Gathering(database)
    gone = asyncio.create_task(gathering.add(replace(ONE, id="gone")))
    stays = asyncio.create_task(gathering.add(replace(ONE, id="stays")))
    await asyncio.sleep(0)
    gone.cancel()
    go.set()
    assert await stays
    await asyncio.gather(gone, *busy, return_exceptions=True)
    assert gone.cancelled()
    assert waiting(database) == {"gone", "stays"}, "stored is stored, whoever listens"


async def test_large_ones_are_not_all_in_one_transaction(database: Database) -> None:
    gathering = Gathering(database)
    several = [replace(ONE, id=f"d{number}", body=b" " * 20_000_000) for number in range(3)]
    assert all(await asyncio.gather(*(gathering.add(one) for one in several)))
    assert len(waiting(database)) == 1, "nor are they read at once"
