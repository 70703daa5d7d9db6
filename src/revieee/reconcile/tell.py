"""Tell: pull requests are told what changed. The forge being down delays this, never a deployment."""

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from revieee.model.desire import covers
from revieee.model.environment import Environment
from revieee.model.policy import Pace
from revieee.model.telling import view_of
from revieee.model.view import View
from revieee.ports import Clock, Fault, PortError, Posted, Refused, ReportedInPart, Reporter, ReportFault, RetryLater
from revieee.reconcile.holding import unless_late
from revieee.reconcile.parts import Bell
from revieee.store import releases, reports
from revieee.store.database import Database
from revieee.store.leases import StaleLease
from revieee.store.reports import Pending

log = logging.getLogger(__name__)

AT_ONCE = 4
GATHER = 0.7
"""Seconds in which changes are gathered into one report: fewer edits, and a release comes before the words about it."""
CLAIM = 120.0
"""Seconds for which another process leaves a report that we work on alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who tells: the installation's id, and where its hosts are."""

    instance: str
    base_url: str
    pace: Pace
    owner: str
    """This process, in claims."""
    is_dead: Callable[[str], bool] = lambda _: True
    """Tells whether the process of that name in claims is gone for sure; where there is but one, all former ones."""
    repositories: tuple[str, ...] = ("*",)
    """Patterns of those that are served; elsewhere nothing is said (:func:`revieee.model.desire.covers`)."""


class Teller:
    """Brings the forge up to date with what the store says of each environment."""

    def __init__(self, database: Database, reporter: Reporter, clock: Clock, bell: Bell, identity: Identity) -> None:
        self._database, self._reporter, self._clock, self._bell = database, reporter, clock, bell
        self._identity = identity
        self._cut_off = False
        """Whether a report ended with the database, which could not be told that it was put off."""

    async def run(self) -> None:
        """Report until cancelled. After a change it waits a moment, so that what follows at once is told with it."""
        listener = self._bell.listen()
        await self.take_up()
        while True:
            try:
                told = await self.tell()
            except PortError as error:
                log.warning("reports wait: %s", error)
                told = 0
            except Exception:
                log.exception("reports wait")
                told = 0
            if not told:
                await listener.wait(self._identity.pace.poll)
            await self._clock.sleep(GATHER)

    async def take_up(self) -> None:
        """Report what a process that ended was at, now rather than when its claims run out."""
        try:
            await self._database.run(
                lambda session: reports.free_claims(session, self._identity.is_dead, now=self._clock.now())
            )
        except RetryLater as error:
            log.warning("claimed reports wait until the claims run out: %s", error)
        except Exception:
            log.exception("claimed reports wait until the claims run out")

    async def tell(self) -> int:
        """Report all that is due now; gives how many environments were looked at."""
        now, owner, until = self._clock.now(), self._identity.owner, asyncio.get_running_loop().time() + CLAIM
        if self._cut_off:  # all that was claimed before has come to its end
            await self._database.run(lambda session: reports.free_claims(session, lambda one: one == owner, now=now))
            self._cut_off = False
        due = await self._database.run(lambda session: reports.claim(session, owner, now=now, until=now + CLAIM))
        places = asyncio.Semaphore(AT_ONCE)

        async def one(pending: Pending) -> None:
            async with places:
                if asyncio.get_running_loop().time() < until:  # else its claim ran out while it waited for a place
                    with contextlib.suppress(StaleLease), unless_late(lambda: until):
                        await self._tell(pending)

        for outcome in await asyncio.gather(*(one(pending) for pending in due), return_exceptions=True):
            if isinstance(outcome, BaseException):
                self._cut_off = True
                trace = None if isinstance(outcome, RetryLater) else outcome
                log.warning("a report is begun again: %s", outcome, exc_info=trace)
        return len(due)

    async def _tell(self, pending: Pending) -> None:
        """Report one environment, or put that off: whatever happens, the others are told."""
        try:
            await self._report(pending)
        except reports.NotOurs as error:
            log.info("%s", error)
        except PortError as error:
            await self._put_off(pending, error)
        except Exception:
            log.exception("environment %d could not be reported", pending.environment)
            await self._put_off(pending, Fault("Something failed inside Revieee; whoever runs it finds it in its log."))

    async def _report(self, pending: Pending) -> None:
        environment = await self._database.run(lambda session: releases.load(session, pending.environment))
        view = view_of(environment, instance=self._identity.instance, base_url=self._identity.base_url)
        digest = _digest(view)
        posted, owner = pending.posted, self._identity.owner
        try:
            if digest != pending.digest and not self._silent(environment, posted):
                await self._database.run(
                    lambda session: reports.begin(session, pending.environment, owner, posted=_in_doubt(posted, view))
                )
                posted = await self._reporter.report(environment.facts, view, pending.posted)
        except Refused as error:
            log.info("%s: nobody is there to be told: %s", environment.name, error)
        await self._database.run(
            lambda session: reports.told(
                session, pending.environment, owner, version=environment.version, digest=digest, posted=posted
            )
        )

    def _silent(self, environment: Environment, posted: Posted) -> bool:
        """Tell whether nothing is to be said: the repository is not served, and never was."""
        return posted == Posted() and not covers(self._identity.repositories, environment.facts.repository.name)

    async def _put_off(self, pending: Pending, error: PortError) -> None:
        delay = error.delay if isinstance(error, RetryLater) and error.delay is not None else None
        wait = self._identity.pace.backoff(pending.attempts) if delay is None else delay
        until = self._clock.now() + wait
        log.warning("environment %d is reported later, in %.0f s: %s", pending.environment, wait, error)
        posted = error.posted if isinstance(error, ReportedInPart | ReportFault) else None
        owner = self._identity.owner
        with contextlib.suppress(reports.NotOurs):
            await self._database.run(
                lambda session: reports.put_off(
                    session, pending.environment, owner, str(error), until=until, posted=posted
                )
            )


def _in_doubt(posted: Posted, view: View) -> Posted:
    """Say what is known should we die while telling: which things are ours, not what they say."""
    last, _, state = (posted.status or "").partition(" ")
    commits = (*posted.doubtful, last if state == "pending" else "", view.waiting_commit or view.commit)
    doubtful = tuple(dict.fromkeys(one for one in commits if one))
    return replace(posted, comment_digest=None, deployment_state=None, status=None, doubtful=doubtful)


def _digest(view: View) -> str:
    """Hash what is told, so that only a change is told again."""
    text = json.dumps(asdict(view), sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
