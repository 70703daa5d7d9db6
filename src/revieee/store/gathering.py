"""Gathering: deliveries that come while a transaction runs are stored together in the next one.

A disk confirms a transaction with a hundred deliveries as quickly as one with a single one, so a burst is answered soon
and a busy machine keeps up. Each is answered only when its own transaction is over.
"""

import asyncio
from collections.abc import Sequence

from revieee.model.delivery import Delivery
from revieee.ports import RetryLater
from revieee.store import inbox
from revieee.store.database import Database

_MOST = 100
_MOST_BYTES = 32 * 2**20
"""Of one transaction, unless one delivery alone is larger."""

_Waiting = tuple[Delivery, asyncio.Future[bool]]


class Gathering:
    """Stores deliveries, few at a time or many."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, delivery: Delivery) -> bool:
        """Store a delivery; False if one of the same id was there already.

        Raises:
            RetryLater: the database does not answer.
        """
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, stored))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._store(), name="store deliveries")
        return await stored

    async def _store(self) -> None:
        while self._waiting:
            some = self._take()
            try:
                await self._together(some)
            finally:
                for _, stored in some:
                    stored.cancel()  # does nothing to those that were told

    def _take(self) -> Sequence[_Waiting]:
        size, count = 0, 0
        for delivery, _ in self._waiting[:_MOST]:
            size += len(delivery.body)
            if count and size > _MOST_BYTES:
                break
            count += 1
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        return some

    async def _together(self, some: Sequence[_Waiting]) -> None:
        deliveries = [delivery for delivery, _ in some]
        try:
            new = await self._database.run(lambda session: inbox.add_all(session, deliveries))
        except RetryLater as error:
            _tell(some, error)
        except Exception as error:  # noqa: BLE001 -- told to whoever sent it
            if len(some) == 1:
                _tell(some, error)
                return
            for one in some:  # one that cannot be stored must not take the others with it
                await self._together([one])
        else:
            for (_, stored), is_new in zip(some, new, strict=True):
                if not stored.done():
                    stored.set_result(is_new)


def _tell(some: Sequence[_Waiting], error: Exception) -> None:
    for _, stored in some:
        if not stored.done():
            stored.set_exception(error)
