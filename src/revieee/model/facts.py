"""Facts: what is known about pull requests and repositories, from deliveries and listings."""

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """A repository, known by GitHub's numeric id; its name may change."""

    id: int
    name: str
    """``owner/repository``, checked by :func:`revieee.model.names.repository_name`."""
    private: bool = False
    default_branch: str = ""
    installation: int | None = None
    """The GitHub App installation that speaks for it; None in token mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestFacts:
    """A pull request at one moment. Texts are as their authors wrote them: hostile."""

    repository: RepositoryFacts
    number: int
    open: bool
    merged: bool = False
    draft: bool = False
    title: str = ""
    author: str = ""
    labels: tuple[str, ...] = ()
    head_ref: str = ""
    """The branch's name."""
    head_commit: str
    """The full hash of the head commit."""
    head_repository: int | None = None
    """The id of the repository the branch lives in; None when it was deleted."""
    head_owner: str = ""
    """The login of whoever owns that repository; empty when it was deleted."""
    base_ref: str = ""
    updated_at: datetime
    """GitHub's own time of the last change (aware, UTC)."""
    before: str | None = None
    """The head that a ``synchronize`` delivery replaced."""

    @property
    def fork(self) -> bool:
        """Whether the commit comes from another repository."""
        return self.head_repository != self.repository.id

    @property
    def own_fork(self) -> bool:
        """Whether it comes from a fork that belongs to the author: nobody else decides what is pushed there."""
        return self.fork and self.author != "" and self.head_owner.lower() == self.author.lower()


_MOST = 64
"""Different facts of one second that are kept; more than that only a flood makes, and a listing settles it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a pull request: everything that was said of its newest second.

    GitHub's ``updated_at`` has whole seconds, so several facts often carry the same one. They are kept until a newer
    second replaces them, because only all of them together say the same in whatever order they came.
    """

    latest: tuple[PullRequestFacts, ...]
    """Each once, in an order of their own. Where ``settled``, the first is the truth and the others came after it."""
    settled: bool = False
    """The forge was asked, and answered with the first of ``latest``."""

    @property
    def facts(self) -> PullRequestFacts:
        """What is true, as far as can be told.

        The head that another fact names as ``before`` is an older one; ``closed`` wins over open.
        """
        if self.settled or len(self.latest) == 1:
            return self.latest[0]
        newest = max(_heads(self.latest), key=_rank)
        return replace(newest, open=all(one.open for one in self.latest), merged=any(one.merged for one in self.latest))

    @property
    def unclear(self) -> bool:
        """Whether only the forge can tell which of the facts is true: ask it."""
        if self.settled:
            return len(self.latest) > 1
        return len({_content(one) for one in _heads(self.latest)}) > 1 or len({one.open for one in self.latest}) > 1


KNOWN: TypeAdapter[Known] = TypeAdapter(Known)
"""Reads and writes what is known as JSON, for the store."""


def merge(known: Known | None, new: PullRequestFacts, *, settled: bool = False) -> Known:
    """Add facts to what is known. Deliveries may come in any order and more than once: the result is the same.

    Facts of a newer second replace those of an older one. Within one second the forge's own answer replaces what was
    known; what deliveries say of that second later does not change it, and makes it :attr:`Known.unclear`.

    Args:
        known: what is known so far, or None.
        new: the facts of a delivery or of a listing.
        settled: they come from asking the forge just now.
    """
    if known is None or new.updated_at > known.latest[0].updated_at:
        return Known(latest=(new,), settled=settled)
    if new.updated_at < known.latest[0].updated_at:
        return known
    if settled:
        return Known(latest=(new,), settled=True)
    if new in known.latest or (known.settled and _content(new) == _content(known.latest[0])):
        return known
    if len(known.latest) >= _MOST:
        return known
    truth, others = (known.latest[:1], known.latest[1:]) if known.settled else ((), known.latest)
    return replace(known, latest=(*truth, *sorted((*others, new), key=_rank)))


def _heads(latest: tuple[PullRequestFacts, ...]) -> tuple[PullRequestFacts, ...]:
    """Give the facts whose head no other one replaced; all of them where pushes went in a circle."""
    replaced = {one.before for one in latest if one.before != one.head_commit}
    return tuple(one for one in latest if one.head_commit not in replaced) or latest


def _content(facts: PullRequestFacts) -> PullRequestFacts:
    """Leave out what a delivery says and a listing does not."""
    return replace(facts, before=None, repository=RepositoryFacts(id=facts.repository.id, name=""))


def _rank(facts: PullRequestFacts) -> tuple[bool, str]:
    """Order facts that nothing else tells apart: a push first, then by their text, so that all agree on one."""
    return facts.before is not None, repr(facts)
