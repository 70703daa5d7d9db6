"""Trust: which commits of a stranger's pull request may run, and who said so.

Commits of the repository's own branches are trusted: only people with write access push there. Those of a fork wait
until somebody vouches for exactly that commit: its author, where they may write and the fork is theirs, or anyone
else who may write, by approving it. See docs/trust.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter

from revieee.model.facts import PullRequestFacts

OPERATOR = "whoever runs Revieee"
"""Who approved something by the command line; no login looks like it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Somebody vouched for one commit."""

    commit: str
    by: str = ""
    """Who approved it. Empty: its author may write, so nobody had to."""
    at: float
    """Unix time, seconds."""

    @property
    def trusted(self) -> bool:
        """Whether the commit is as good as the repository's own; an approved one is still a stranger's."""
        return not self.by


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What is known of a pull request's head besides its facts. The head's part is forgotten with every push."""

    head: str = ""
    since: datetime | None = None
    """GitHub's time of the first facts that named this head, or of the push that brought it back: it was the head from
    then on, if not before."""
    author_writes: bool | None = None
    """Whether the author may write, as the forge said for this head; None: it was not asked yet."""
    answer: str = ""
    """What became of the last command, for the pull request."""
    approval: Approval | None = None
    """The last one; of this head or of an older commit."""

    def follow(self, facts: PullRequestFacts) -> "Trust":
        """Go along with the facts: a new head is asked for anew, and a close ends what was approved.

        A head that came back is a new one, also where nobody has told us yet which one it replaced.
        """
        if not facts.open:
            return Trust(head=facts.head_commit, since=facts.updated_at)
        if facts.head_commit == self.head and not self._left(facts):
            return self
        return Trust(head=facts.head_commit, since=facts.updated_at, approval=self.approval)

    def _left(self, facts: PullRequestFacts) -> bool:
        """Tell whether these facts are of a push that replaced another head than the one we know."""
        away = facts.before not in {None, self.head}
        return away and self.since is not None and self.since < facts.updated_at

    def asked(self, head: str, *, may_write: bool, at: float) -> "Trust":
        """Take in the forge's answer about the author; one that was asked for another head says nothing."""
        if head != self.head or self.vouched:
            return self
        approval = Approval(commit=head, at=at) if may_write else self.approval
        return replace(self, author_writes=may_write, approval=approval)

    def approve(self, by: str, *, at: float) -> "Trust":
        """Vouch for the head, by name."""
        return replace(self, approval=Approval(commit=self.head, by=by, at=at), answer="")

    @property
    def vouched(self) -> bool:
        """Whether somebody vouched for the head."""
        return self.approval is not None and self.approval.commit == self.head

    def stood_at(self, moment: datetime) -> bool:
        """Tell whether it was the head before that moment. GitHub tells whole seconds: the same one is unclear."""
        return self.since is not None and self.since < moment


TRUST: TypeAdapter[Trust] = TypeAdapter(Trust)
"""Reads and writes trust as JSON, for the store."""
