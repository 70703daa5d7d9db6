"""The reporter for GitHub: one comment, a deployment and a commit status per pull request, each independent.

What one of them meets does not keep the others from being told: a missing permission for deployments costs the
deployment and is shown by ``revieee doctor``; a limit costs a later attempt.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from revieee.clients.github import GitHub, now
from revieee.clients.github_errors import Absent, GitHubError
from revieee.model.facts import PullRequestFacts
from revieee.model.view import View
from revieee.ports import Fault, Finding, Posted, Refused, ReportedInPart, ReportFault, RetryLater, Severity
from revieee.reporters.github_comment import tell_comment
from revieee.reporters.github_deployment import doubt_deployment, tell_deployment
from revieee.reporters.github_status import doubt_status, tell_status
from revieee.reporters.github_task import Task

log = logging.getLogger(__name__)

MUTED_FOR = timedelta(hours=1)
"""How long a part that a repository does not allow is not tried again."""

Tell = Callable[[Task, Posted], Awaitable[Posted]]
Doubt = Callable[[Task, Posted], Posted]
_EXTRAS: dict[str, tuple[Tell, Doubt]] = {
    "deployments": (tell_deployment, doubt_deployment),
    "commit statuses": (tell_status, doubt_status),
}
"""What is told beside the comment, and what is known of it after an error: what got no answer may be done."""


@dataclass(frozen=True, slots=True)
class _Muted:
    """A part that a repository does not allow."""

    repository: str
    words: str
    until: datetime


class GitHubReporter:
    """:class:`revieee.ports.Reporter` on GitHub."""

    def __init__(self, github: GitHub, clock: Callable[[], datetime] = now) -> None:
        """Work through the client that :func:`revieee.forges.github.connect` made.

        Args:
            github: the client.
            clock: gives the present moment (aware).
        """
        self._github = github
        self._clock = clock
        self._muted: dict[tuple[int, str], _Muted] = {}

    async def report(self, facts: PullRequestFacts, view: View, posted: Posted) -> Posted:
        """Make comment, deployment and commit status say what the view says; see the port.

        Without credentials there is nobody to say it: nothing is told, which ``revieee doctor`` shows.
        """
        of = facts.repository
        if self._github.credentials is None:
            return posted
        with _told(facts):
            me = await self._github.login()
        task = Task(self._github.repository(of.id, of.name, of.installation), me, facts.number, view)
        problem: GitHubError | None = None
        try:
            posted = await tell_comment(task, posted)
        except Absent as error:
            raise Refused(f"{of.name}#{facts.number} is gone, or Revieee may not see it any more ({error})") from error
        except GitHubError as error:
            problem = error
        for part, (tell, doubt) in _EXTRAS.items():
            try:
                if not self._is_muted(facts, part):
                    posted = await tell(task, posted)
            except GitHubError as error:
                if error.passing:
                    problem, posted = problem or error, doubt(task, posted)
                else:
                    self._mute(facts, part, error)
        if problem is not None and problem.passing:
            raise ReportedInPart(str(problem), posted, delay=problem.delay) from problem
        if problem is not None:
            words = f"The comment on {of.name}#{facts.number} could not be written: {problem}"
            raise ReportFault(words, posted) from problem
        return posted

    async def check(self) -> Sequence[Finding]:
        """Tell which parts of reports repositories did not allow of late."""
        return [
            Finding(
                subject="reports on GitHub",
                severity=Severity.WARNING,
                words=f"{muted.repository} does not take {part}: {muted.words}",
                mend=f"Give the token or the App write access to {part} (docs/github.md).",
            )
            for (_, part), muted in sorted(self._muted.items())
            if muted.until > self._clock()
        ]

    def _is_muted(self, facts: PullRequestFacts, part: str) -> bool:
        muted = self._muted.get((facts.repository.id, part))
        # Longer than at most, where the clock was set back since.
        return muted is not None and timedelta() < muted.until - self._clock() <= MUTED_FOR

    def _mute(self, facts: PullRequestFacts, part: str, error: GitHubError) -> None:
        log.warning("%s does not take %s: %s", facts.repository.name, part, error)
        until = self._clock() + MUTED_FOR
        self._muted[facts.repository.id, part] = _Muted(facts.repository.name, str(error), until)


@contextmanager
def _told(facts: PullRequestFacts) -> Iterator[None]:
    """Turn the client's errors into those of the ports."""
    try:
        yield
    except GitHubError as error:
        if error.passing:
            raise RetryLater(str(error), delay=error.delay) from error
        raise Fault(f"Nothing can be said on {facts.repository.name}#{facts.number}: {error}") from error
