"""The inbox: stored deliveries become facts, facts become wishes."""

import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial

from sqlalchemy.orm import Session

from revieee.intake import payloads
from revieee.intake.missed import Missed
from revieee.model.delivery import Delivery
from revieee.model.desire import Desire, desire
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.github import Malformed
from revieee.model.policy import AdmissionPolicy, ForkPolicy
from revieee.model.trust import Trust
from revieee.ports import Clock, Hints, RetryLater
from revieee.store import doubts, environments, inbox, wishes
from revieee.store.database import Database
from revieee.store.gathering import Gathering

log = logging.getLogger(__name__)

BATCH = 100
TOGETHER = 10
"""Deliveries handled in one transaction: few enough that one which is to be stored does not wait long."""


class Inbox:
    """Takes deliveries in, and handles those that are stored."""

    def __init__(self, database: Database, admission: AdmissionPolicy, clock: Clock, hints: Hints) -> None:
        self._database, self._admission, self._clock, self._hints = database, admission, clock, hints
        self._gathering, self._missed = Gathering(database), Missed()
        self.to_list: set[int] = set()
        """Ids of repositories that came into view: their open pull requests are to be listed."""
        self._seen: set[int] = set()
        """Those of the transaction under way: to be listed once it is written."""

    async def store(self, delivery: Delivery) -> bool:
        """Store a delivery before it is answered; False if it is known already.

        One that cannot be stored is kept for :meth:`store_missed`.

        Raises:
            RetryLater: the database does not answer.
        """
        try:
            new = await self._gathering.add(delivery)
        except Exception:
            self._missed.keep(delivery)
            raise
        self._hints.hint()
        return new

    async def store_missed(self) -> None:
        """Store what could not be stored when it came. Was it too much, all known repositories are to be listed.

        Raises:
            RetryLater: the database still does not answer, or takes nothing.
        """
        for delivery in self._missed.kept():
            try:
                await self._gathering.add(delivery)
                log.info("delivery %s (%s) is stored after all", delivery.id, delivery.event)
            except RetryLater:
                self._missed.put_off(delivery)
                raise
            except Exception:
                log.exception("delivery %s (%s) cannot be stored and is lost", delivery.id, delivery.event)
                self._missed.lost = True
            self._missed.forget(delivery)
            self._hints.hint()
        if self._missed.lost:
            known = await self._database.read(environments.repositories)
            self._missed.lost = False
            self.to_list |= {one.id for one in known}
            self._hints.hint()

    async def handle(self) -> int:
        """Handle what is stored and not handled yet, oldest first, comments aside; gives how many.

        Raises:
            RetryLater: the database does not answer; nothing is lost.
        """
        waiting = await self._database.read(lambda session: inbox.unhandled(session, BATCH))
        for start in range(0, len(waiting), TOGETHER):
            await self._handle(waiting[start : start + TOGETHER])
        if waiting:
            self._hints.hint()
        return len(waiting)

    def decide(self, facts: PullRequestFacts, trust: Trust) -> Desire:
        """Turn facts and trust into what is wanted, by this installation's policy."""
        return desire(facts, self._admission, trust)

    def asks(self, facts: PullRequestFacts) -> bool:
        """Tell whether somebody must vouch for a pull request's commits."""
        return facts.fork and self._admission.forks is ForkPolicy.ASK

    async def _handle(self, some: Sequence[Delivery]) -> None:
        """Handle a few in one transaction; one that cannot be handled is put aside and keeps no other waiting."""
        work = [(delivery.id, self._work(delivery)) for delivery in some]

        def write(session: Session) -> None:
            self._seen.clear()  # of a try that was rolled back
            for id_, outcome_of in work:
                now = self._clock.now()
                if inbox.take(session, id_, now=now):  # else another process had it
                    inbox.handled(session, id_, outcome_of(session), now=now)

        try:
            await self._database.run(write)
            self._list_seen()
        except RetryLater:
            self._list_seen()  # what was lost may be the answer only; to list too much does no harm
            raise
        except Exception:
            if len(some) == 1:
                log.exception("delivery %s (%s) could not be handled and is put aside", some[0].id, some[0].event)
                await self._database.run(
                    partial(inbox.handled, delivery_id=some[0].id, outcome="failed", now=self._clock.now())
                )
                return
            for one in some:
                await self._handle([one])

    def _list_seen(self) -> None:
        self.to_list |= self._seen
        self._seen.clear()

    def _work(self, delivery: Delivery) -> Callable[[Session], str]:
        """Say what is to be written for a delivery; reading it needs no database."""
        try:
            happening = payloads.read_delivery(delivery)
        except Malformed as error:
            words = f"malformed: {error}"
            log.warning("delivery %s (%s) is %s", delivery.id, delivery.event, words)
            return lambda _: words
        return lambda session: self._write(session, happening)

    def _write(self, session: Session, happening: payloads.Happening) -> str:
        """Write what happened into the store; gives the outcome in words."""
        outcome = f"noted: {type(happening).__name__}"
        match happening:
            case payloads.PullRequestHappening(facts=facts, action=action):
                outcome = self._facts(session, facts, action)
            case payloads.RepositoryRenamed(repository=one) | payloads.RepositoryTransferred(repository=one):
                outcome = self._known(session, [one], "renamed")
            case payloads.RepositoryDeleted(repository=one):
                outcome = self._doubted(session, {one.id}, "The repository was deleted.")
            case payloads.Ping(repository=RepositoryFacts() as one):
                self._seen.add(one.id)  # what is open already gets its environment now
                outcome = self._known(session, [one], "set up")
            case payloads.InstallationAdded(repositories=several):
                self._seen |= {one.id for one in several}
                outcome = self._known(session, several, "added")
            case payloads.InstallationRemoved(repositories=several, whole=whole, installation=installation):
                ids = {one.id for one in several}
                if whole:
                    ids |= {one.id for one in environments.repositories(session) if one.installation == installation}
                outcome = self._doubted(session, ids, "Revieee was removed from the repository.")
            case payloads.Ignored(reason=reason):
                outcome = f"ignored: {reason}"
            case _:
                pass
        return outcome

    def _facts(self, session: Session, facts: PullRequestFacts, action: str) -> str:
        row = wishes.record_facts(session, facts, self.decide, now=self._clock.now())
        if wishes.unclear(row):  # deliveries of one second disagree: the forge is asked
            self._seen.add(facts.repository.id)
        return f"{action}: {'wanted' if row.wanted else row.wanted_reason}"

    def _known(self, session: Session, repositories: Sequence[RepositoryFacts], what: str) -> str:
        for one in repositories:
            wishes.record_repository(session, one, now=self._clock.now())
        return f"{what}: {', '.join(one.name for one in repositories)}"

    def _doubted(self, session: Session, repositories: Collection[int], reason: str) -> str:
        """Note that repositories are said to be gone. Newer news may have come before this, so the forge is asked."""
        for id_ in repositories:
            doubts.note(session, id_, reason, now=self._clock.now())
        return f"the forge is asked: {reason}"
