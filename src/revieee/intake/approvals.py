"""Approvals: the forge is asked about authors of forks, and commands in comments are obeyed or answered.

Whatever is said here waits for the forge, so it is apart from the other deliveries: a branch of the repository itself
never waits for anybody. A comment's delivery is handled once its command is; until then it is the queue.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy.orm import Session

from revieee.intake import payloads
from revieee.intake.inbox import Inbox
from revieee.intake.pauses import NONE, Pause
from revieee.intake.payloads import Comment
from revieee.model import commands
from revieee.model.delivery import Delivery
from revieee.model.environment import Environment
from revieee.model.facts import PullRequestFacts
from revieee.model.github import Malformed
from revieee.model.trust import Trust
from revieee.ports import Clock, Forge, Hints, PortError, RetryLater
from revieee.store import asking, inbox, wishes
from revieee.store.database import Database

log = logging.getLogger(__name__)

AGAIN = 5.0
"""Seconds until a question is asked again that the forge did not answer."""
CLAIM = 30.0
"""Seconds for which another process leaves a question to us."""
PATIENCE = 60.0
"""Seconds that a command waits for the delivery of a push that came before it."""
GIVE_UP = 3600.0
"""Seconds after which a command is not obeyed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What becomes of a comment."""

    outcome: str
    environment: int | None = None
    change: Callable[[Trust], Trust] | None = None
    """What it changes of the environment's trust."""
    fresh: PullRequestFacts | None = None
    """What the forge said of the pull request just now."""


_CLOSED = _Done(outcome="ignored: the pull request is closed")


class Approvals:
    """Asks the forge who may write, and lets those who may approve commits of others."""

    def __init__(self, database: Database, forge: Forge, inbox_: Inbox, clock: Clock, hints: Hints) -> None:
        self._database, self._forge, self._inbox = database, forge, inbox_
        self._clock, self._hints = clock, hints
        self._later: dict[str, Pause] = {}
        """Until comments are looked at again, by their delivery."""

    async def handle(self) -> int:
        """Ask and answer all that can be now; gives how many questions and comments are settled.

        Raises:
            RetryLater: the database does not answer; nothing is lost.
        """
        settled = await self._ask() + await self._answer()
        if settled:
            self._hints.hint()
        return settled

    async def _ask(self) -> int:
        """Ask about the authors of new commits of forks."""
        now, settled = self._clock.now(), 0
        for one in await self._database.run(lambda session: asking.claim(session, now=now, until=now + CLAIM)):
            try:
                may_write = await self._forge.may_write(one.facts.repository, one.facts.author)
            except PortError as error:
                log.warning("%s waits: whether its author may write is not known: %s", one.name, error)
                until = self._clock.now() + _delay(error)
                await self._database.run(partial(asking.put_off, environment_id=one.id, until=until))
                continue
            change = partial(_asked, head=one.facts.head_commit, may_write=may_write, now=self._clock.now())
            await self._database.run(partial(self._change, environment=one.id, change=change))
            settled += 1
        return settled

    async def _answer(self) -> int:
        """Go through the comments that nobody answered yet."""
        now, settled = self._clock.now(), 0
        waiting = await self._database.read(lambda session: inbox.unhandled(session, comments=True))
        self._later = {one.id: self._later[one.id] for one in waiting if one.id in self._later}
        for delivery in waiting:
            if self._later.get(delivery.id, NONE).lasts(now):
                continue
            try:
                done = await self._settle(delivery)
            except PortError as error:
                log.warning("the command of delivery %s waits: %s", delivery.id, error)
                self._put_off(delivery, _delay(error))
                continue
            except Exception:
                log.exception("the comment of delivery %s could not be handled and is put aside", delivery.id)
                done = _Done(outcome="failed")
            if done is None:
                self._put_off(delivery, AGAIN)
                continue
            await self._database.run(partial(self._write, delivery=delivery, done=done))
            settled += 1
        return settled

    def _put_off(self, delivery: Delivery, seconds: float) -> None:
        now = self._clock.now()
        self._later[delivery.id] = Pause(now, now + seconds)

    async def _settle(self, delivery: Delivery) -> _Done | None:
        """Find out what becomes of a comment; None: that is not known yet.

        Raises:
            PortError: the forge does not answer.
        """
        try:
            comment = payloads.read_delivery(delivery)
        except Malformed as error:
            return _Done(outcome=f"malformed: {error}")
        if not isinstance(comment, Comment):
            return _Done(outcome=f"ignored: {comment.reason}" if isinstance(comment, payloads.Ignored) else "ignored")
        return await self._obey(comment, age=self._clock.now() - delivery.received_at)

    async def _obey(self, comment: Comment, *, age: float) -> _Done | None:
        """Find out what becomes of a command that came so many seconds ago."""
        one = await self._database.run(lambda session: asking.find(session, comment.repository.id, comment.number))
        if one is None:
            return None if age < PATIENCE else _Done(outcome="ignored: a pull request that nobody told us of")
        if one.repository_removed or not one.facts.open:
            return _CLOSED
        command = commands.read(comment.command)
        if command is None:
            return _say(one, commands.HELP)
        if age > GIVE_UP:
            return _say(one, commands.too_late(comment.author))
        return await self._approve(one, comment, command, patient=age < PATIENCE)

    async def _approve(
        self, one: Environment, comment: Comment, command: commands.Approve, *, patient: bool
    ) -> _Done | None:
        """Approve the head, if whoever asks for it may write and it was the head when they asked."""
        repository = one.facts.repository
        if not self._inbox.asks(one.facts):
            return _say(one, commands.NOTHING_WAITS)
        if not await self._forge.may_write(repository, comment.author):
            return _say(one, commands.may_not(comment.author, repository.name))
        fresh = await self._forge.pull_request(repository, comment.number)
        if fresh is None or not fresh.open:
            return _CLOSED
        if fresh.head_commit != one.facts.head_commit and patient:
            return None  # its delivery is on the way, and tells when it was pushed
        change = partial(commands.obey, command=command, by=comment.author, written=comment.at, now=self._clock.now())
        return _Done(outcome=f"approve, by {comment.author}", environment=one.id, change=change, fresh=fresh)

    def _write(self, session: Session, delivery: Delivery, done: _Done) -> None:
        """Write down what became of a comment, all at once: so a command is obeyed once."""
        now, outcome = self._clock.now(), done.outcome
        if not inbox.take(session, delivery.id, now=now):
            return  # another process settled it
        if done.fresh is not None:
            wishes.record_facts(session, done.fresh, self._inbox.decide, now=now, settled=True)
        if done.environment is not None and done.change is not None:
            trust = self._change(session, environment=done.environment, change=done.change)
            outcome = f"{outcome}: {trust.answer or 'obeyed'}"
            log.info("environment %d: %s", done.environment, outcome)
        inbox.handled(session, delivery.id, outcome, now=now)

    def _change(self, session: Session, *, environment: int, change: Callable[[Trust], Trust]) -> Trust:
        return wishes.record_trust(session, environment, change, self._inbox.decide, now=self._clock.now())


def _asked(trust: Trust, *, head: str, may_write: bool, now: float) -> Trust:
    return trust.asked(head, may_write=may_write, at=now)


def _say(one: Environment, words: str) -> _Done:
    """Answer a command in our comment."""
    return _Done(outcome="answered", environment=one.id, change=lambda trust: replace(trust, answer=words))


def _delay(error: PortError) -> float:
    """Tell how long to wait before the forge is asked again."""
    return AGAIN if not isinstance(error, RetryLater) or error.delay is None else max(error.delay, 1.0)
