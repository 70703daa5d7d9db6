"""Removals: deliveries come late and in any order, so whether a repository is gone is settled by asking the forge."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from revieee.intake.pauses import NONE, Pause
from revieee.model.facts import RepositoryFacts
from revieee.ports import Clock, Forge, Hints, PortError, Refused, RetryLater
from revieee.store import doubts
from revieee.store.database import Database
from revieee.store.doubts import Doubt

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
        self._pause = NONE
        """Until the forge is asked again, after it did not answer."""

    async def settle(self) -> set[int]:
        """Remove the repositories that are gone; gives the ids of those that are there after all.

        Raises:
            RetryLater: the database does not answer.
        """
        now = self._clock.now()
        if self._pause.lasts(now):
            return set()
        waiting = await self._database.read(partial(doubts.waiting, until=now - SURE))
        if not waiting:
            return set()
        found, whole = await self._shown(waiting)
        for one in waiting:
            there = found.get(one.repository.id)
            if there is None and not whole and one.since > now - PATIENCE:
                continue
            work = partial(doubts.settle, doubt=one, found=there, now=self._clock.now())
            if await self._database.run(work):
                log.info("%s %s", one.repository.name, "is still there" if there else f"is gone: {one.reason}")
        self._hints.hint()
        return found.keys() & {one.repository.id for one in waiting}

    async def _shown(self, waiting: Sequence[Doubt]) -> tuple[Mapping[int, RepositoryFacts], bool]:
        """Ask the forge what is there; gives that by id, and whether it answered to the end."""
        found: dict[int, RepositoryFacts] = {}
        try:
            async for one in self._forge.repositories([doubt.repository for doubt in waiting]):
                found[one.id] = one
        except Refused as error:
            log.warning("no repository is there for us: %s", error)
        except PortError as error:
            now = self._clock.now()
            self._pause = Pause(now, now + _delay(error))
            log.warning("whether %d repositories are gone is not known: %s", len(waiting) - len(found), error)
            return found, False
        return found, True


def _delay(error: PortError) -> float:
    return error.delay if isinstance(error, RetryLater) and error.delay is not None else LATER
