"""The listing: what the forge says is open, asked for, goes the same way as deliveries and heals what they missed."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy.orm import Session

from revieee.intake.inbox import TOGETHER, Inbox
from revieee.intake.pauses import NONE, Pause
from revieee.intake.removals import Removals
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.ports import Clock, Forge, Hints, PortError, Refused, RetryLater
from revieee.store import environments, wishes
from revieee.store.database import Database

log = logging.getLogger(__name__)

SOON, LATER = 5.0, 60.0
"""Seconds until a repository that could not be listed is tried again, at first and at last, unless the forge says."""
GONE = "The repository is gone, or Revieee may not see it any more."


class Listing:
    """Asks the forge which pull requests are open, at start, on a schedule and on demand."""

    def __init__(self, database: Database, forge: Forge, inbox: Inbox, clock: Clock, hints: Hints) -> None:
        self._database, self._forge, self._inbox = database, forge, inbox
        self._clock, self._hints = clock, hints
        self._removals = Removals(database, forge, clock, hints)
        self._left: dict[int, Pause] = {}
        """Repositories that could not be listed: until when they are left alone."""
        self._pauses: dict[int, float] = {}
        """For how many seconds that is."""
        self._absent: set[int] = set()
        """Repositories that were absent at the last :meth:`list_all`."""
        self.unanswered: list[str] = []
        """What the last :meth:`list_all` did not get to know, by name."""

    async def list_all(self) -> int:
        """List every watched repository; gives how many pull requests are open.

        A repository that cannot be listed is left as it is known, and tried again by :meth:`list_new`. One that the
        forge says is absent, twice in a row, is gone: the delivery that said so was missed.
        """
        self.unanswered = []
        await self._removals.settle()
        count, absent = 0, await self._record_repositories()
        for repository in await self._database.read(environments.repositories):
            try:
                count += await self.list_one(repository)
            except Refused as error:
                log.warning("%s", error)
                absent.add(repository.id)
            except PortError as error:
                self.unanswered.append(repository.name)
                self._again(repository, error)
        for id_ in absent & self._absent:
            log.warning("repository %d is gone, twice in a row: its environments are removed", id_)
            await self._database.run(partial(wishes.remove_repository, repository_id=id_, reason=GONE, now=self._now))
            self._hints.hint()
        self._absent = absent
        return count

    async def _record_repositories(self) -> set[int]:
        """Write down what the installations have; gives known repositories that theirs has no more.

        Only an installation that has others says that: one that is suspended is not asked.
        """
        listed: dict[int, int | None] = {}
        try:
            async for repository in self._forge.repositories():
                work = partial(wishes.record_repository, facts=repository, now=self._now, settled=True)
                await self._database.run(work)
                listed[repository.id] = repository.installation
        except PortError as error:
            self.unanswered.append("the App's installations")
            log.warning("the repositories could not be listed: %s", error)
            return set()
        speaking = set(listed.values())
        known = await self._database.read(environments.repositories)
        return {one.id for one in known if one.installation in speaking and one.id not in listed}

    @property
    def _now(self) -> float:
        return self._clock.now()

    async def list_one(self, repository: RepositoryFacts) -> int:
        """List one repository: its open pull requests, and, one by one, those we think open and it does not list.

        A pull request that is gone altogether is closed.

        Raises:
            Refused: the repository is gone, or not for us to see any more.
            PortError: the forge does not answer.
        """
        listed = [facts async for facts in self._forge.open_pull_requests(repository)]
        numbers = {facts.number for facts in listed}
        known = await self._database.read(lambda session: environments.open_facts(session, repository.id))
        for facts in known:
            if facts.number not in numbers:
                present = await self._forge.pull_request(repository, facts.number)
                listed.append(present or replace(facts, open=False))
        for start in range(0, len(listed), TOGETHER):  # deliveries are stored in between
            await self._database.run(partial(self._record, listed=listed[start : start + TOGETHER]))
        self._pauses.pop(repository.id, None)
        self._hints.hint()
        return len(numbers)

    async def list_new(self) -> None:
        """Settle removals, and list repositories that came into view since.

        One that the forge says nothing of keeps no other waiting and is listed at a later call; one that is not for us
        to see is forgotten.
        """
        self._inbox.to_list.update(await self._removals.settle())
        now, wanted = self._now, self._inbox.to_list
        due = {id_ for id_ in wanted if not self._left.get(id_, NONE).lasts(now)}
        if not due:
            return
        known = {one.id: one for one in await self._database.read(environments.repositories)}
        for id_ in due:
            wanted.discard(id_)  # before it is listed: it may come into view again meanwhile
            self._left.pop(id_, None)
            if id_ in known:
                await self._list_new(known[id_])

    async def _list_new(self, repository: RepositoryFacts) -> None:
        try:
            await self.list_one(repository)
        except Refused as error:
            log.warning("%s is not listed: %s", repository.name, error)
            self._pauses.pop(repository.id, None)
        except PortError as error:
            self._again(repository, error)

    def _again(self, repository: RepositoryFacts, error: PortError) -> None:
        """List a repository later that could not be listed now: forge or store did not answer."""
        pause = min(self._pauses.get(repository.id, SOON / 2) * 2, LATER)
        delay = error.delay if isinstance(error, RetryLater) and error.delay is not None else pause
        log.warning("%s is listed again in %.0f s: %s", repository.name, delay, error)
        self._pauses[repository.id] = pause
        now = self._now
        self._left[repository.id] = Pause(now, now + delay)
        self._inbox.to_list.add(repository.id)

    def _record(self, session: Session, listed: Sequence[PullRequestFacts]) -> None:
        for facts in listed:
            known = environments.repository(session, facts.repository.id)
            installation = facts.repository.installation or (known.installation if known else None)
            asked = replace(facts, repository=replace(facts.repository, installation=installation))
            wishes.record_facts(session, asked, self._inbox.decide, now=self._now, settled=True)
