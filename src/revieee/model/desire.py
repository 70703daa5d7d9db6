"""What should be: one pure function turns the facts known about a pull request into desired."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from revieee.model.facts import PullRequestFacts
from revieee.model.policy import AdmissionPolicy, ForkPolicy
from revieee.model.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Desire:
    """Whether a pull request should have an environment, and of which commit."""

    wanted: bool
    reason: str = ""
    """Why not, or why the newest commit waits, as a sentence for the pull request; else empty."""
    commit: str
    """The commit that is wanted: the head, or an older one that was approved while the head waits."""
    trusted: bool = True
    """Whether it runs as the repository's own code does; a stranger's gets less."""
    waits: bool = False
    """The head commit waits for somebody to approve it."""
    ask: bool = False
    """The forge is to be asked whether the author may write: then nobody has to approve it."""


def desire(facts: PullRequestFacts, policy: AdmissionPolicy, trust: Trust | None = None) -> Desire:
    """Decide by facts, policy and trust alone; the manifest's ``when`` comes after, once the commit's files are here.

    A closed pull request never has an environment, whatever else is true of it, and whatever branch it was to be
    merged into (traps.md: filtering ``closed`` by base branch leaves stacked pull requests running for ever).

    Args:
        facts: what is known of the pull request.
        policy: what the operator's settings allow.
        trust: what is known of its head; None: nothing yet.
    """
    reason = _obstacle(facts, policy)
    if reason:
        return Desire(wanted=False, reason=reason, commit=facts.head_commit, trusted=not facts.fork)
    if not facts.fork:
        return Desire(wanted=True, commit=facts.head_commit)
    if policy.forks is ForkPolicy.ALLOW:
        return Desire(wanted=True, commit=facts.head_commit, trusted=False)
    return _vouched(facts, (trust or Trust()).follow(facts))


def _vouched(facts: PullRequestFacts, trust: Trust) -> Desire:
    """Want the commit of a fork that somebody vouched for; a newer one waits."""
    approval = trust.approval
    if approval is not None and trust.vouched:
        return Desire(wanted=True, commit=approval.commit, trusted=approval.trusted)
    ask = facts.own_fork and trust.author_writes is None
    return Desire(
        wanted=approval is not None,
        reason=_why_it_waits(facts, ask=ask),
        commit=facts.head_commit if approval is None else approval.commit,
        trusted=approval is not None and approval.trusted,
        waits=True,
        ask=ask,
    )


def _why_it_waits(facts: PullRequestFacts, *, ask: bool) -> str:
    author, repository = facts.author or "its author", facts.repository.name
    if ask:
        return f"It comes from a fork, and GitHub has not said yet whether {author} may write to {repository}."
    if facts.own_fork:
        return f"It comes from a fork, and {author} may not write to {repository}."
    return "It comes from a fork that is not the author's own."


def _obstacle(facts: PullRequestFacts, policy: AdmissionPolicy) -> str:
    """Give the first thing that stands in the way, or nothing."""
    if not facts.open:
        return "The pull request was merged." if facts.merged else "The pull request is closed."
    if not covers(policy.repositories, facts.repository.name):
        return (
            f"This Revieee does not serve {facts.repository.name}. "
            "Whoever runs it can add the repository to the setting REVIEEE_REPOSITORIES."
        )
    if facts.fork and policy.forks is ForkPolicy.REFUSE:
        return (
            "The commits come from a fork, and pull requests from forks get no environment here. "
            "Push the branch to this repository instead; whoever runs Revieee can allow forks with REVIEEE_FORKS."
        )
    return ""


def covers(patterns: tuple[str, ...], repository: str) -> bool:
    """Tell whether a repository is served: one pattern matches it and none that begins with ``!`` does.

    Names are compared without regard to case, as GitHub does; ``*`` stands for any run of characters.

    Args:
        patterns: of ``owner/repository``; one that begins with ``!`` excludes.
        repository: ``owner/repository``.
    """
    name = repository.lower()
    refused = any(fnmatchcase(name, one[1:].lower()) for one in patterns if one.startswith("!"))
    return not refused and any(fnmatchcase(name, one.lower()) for one in patterns if not one.startswith("!"))
