"""Removals: deliveries come late and in any order, so whether a repository is gone is settled by asking the forge."""

import logging
from functools import partial

from revieee.ports import Clock, Forge, Hints, PortError, Refused, RetryLater
from revieee.store import doubts
from revieee.store.database import Database

log = logging.getLogger(__name__)

SURE = 5.0
"""Seconds after a delivery until the forge is asked: its answers may be a moment behind its deliveries."""
LATER = 60.0
"""Seconds until it is asked again where it did not answer, unless it says otherwise."""
PATIENCE = 86_400.0
"""Seconds after which a removal is believed although the forge never answered."""


class Removals:
    """Settles what deliveries left open."""

    def __init__(self, database: Database, forge: Forge, clock: Clock, hints: Hints) -> None:
        self._database, self._forge, self._clock, self._hints = database, forge, clock, hints
        self._not_before = 0.0
        """When the forge is asked again, after it did not answer."""

    async def settle(self) -> set[int]:
        """Remove the repositories that are gone; gives the ids of those that are there after all.

        Raises:
            RetryLater: the database does not answer.
        """
        now = self._clock.now()
        waiting = await self._database.read(partial(doubts.waiting, until=now - SURE))
        if not waiting or now < self._not_before:
            return set()
        try:
            shown = self._forge.repositories([one.repository for one in waiting])
            found = {one.id: one async for one in shown}
        except Refused as error:
            log.warning("no repository is there for us: %s", error)
            found = {}
        except PortError as error:
            self._not_before = self._clock.now() + _delay(error)
            log.warning("whether %d repositories are gone is not known: %s", len(waiting), error)
            waiting, found = [one for one in waiting if one.since <= now - PATIENCE], {}
        for one in waiting:
            there = found.get(one.repository.id)
            work = partial(doubts.settle, doubt=one, found=there, now=self._clock.now())
            if await self._database.run(work):
                log.info("%s %s", one.repository.name, "is still there" if there else f"is gone: {one.reason}")
        self._hints.hint()
        return found.keys() & {one.repository.id for one in waiting}


def _delay(error: PortError) -> float:
    return error.delay if isinstance(error, RetryLater) and error.delay is not None else LATER
