"""Commands in comments: ``/revieee approve``, and what becomes of it. Pure."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from revieee.model.trust import Trust

_APPROVE = re.compile(r"/revieee\s+approve(?:\s+([0-9a-f]{7,64}))?", re.IGNORECASE)

HELP = (
    "Revieee knows one command in comments, as the first line: `/revieee approve`, or `/revieee approve <commit>`, "
    "lets the newest commit of a pull request from a fork run."
)
NOTHING_WAITS = "Nothing waits for approval here."


@dataclass(frozen=True, slots=True)
class Approve:
    """Somebody wants the head to run."""

    commit: str = ""
    """The hash that they named, or its beginning; empty: the head of the moment they wrote."""


def read(line: str) -> Approve | None:
    """Read the first line of a comment that begins with ``/revieee``; None: it is no command that there is."""
    found = _APPROVE.fullmatch(line.strip())
    return Approve((found[1] or "").lower()) if found else None


def obey(trust: Trust, *, command: Approve, by: str, written: datetime, now: float) -> Trust:
    """Approve the head, or say why not.

    What counts is the head of the moment in which the comment was written: whoever wrote it saw that one and no later
    one. A full hash leaves no doubt; its beginning does, because another commit can be made to begin alike.

    Args:
        trust: what is known of the head; it is the head now.
        command: what was asked for.
        by: who asked, and may write.
        written: when, by the forge's clock.
        now: Unix time, seconds.
    """
    if trust.vouched:
        return replace(trust, answer=NOTHING_WAITS)
    if not trust.head.startswith(command.commit):
        return replace(trust, answer=f"{by} approved a commit that is not the newest one, {trust.head[:12]}.")
    if command.commit == trust.head or trust.stood_at(written):
        return trust.approve(by, at=now)
    return replace(
        trust,
        answer=f"Not approved: {trust.head[:12]} was pushed about when {by} approved, or later. "
        "Whoever has looked at it approves once more.",
    )


def may_not(author: str, repository: str) -> str:
    """Answer somebody who has no write access."""
    return f"Not approved: {author or 'whoever asked'} may not write to {repository}."


def too_late(author: str) -> str:
    """Answer a command that could not be obeyed for too long."""
    return f"Not approved: GitHub did not say in time whether {author} may do so. Comment once more."
