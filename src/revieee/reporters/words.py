"""What the pull request is told: a view as a comment, as a deployment's state and as a commit status. Pure.

Nothing that changes by itself stands in it (no clock, no progress), so the comment is edited when something happened
and not every second.
"""

import re
from dataclasses import dataclass

from revieee.model.view import State, View
from revieee.reporters.markdown import block, code, plain, prose

MARKER = "<!-- revieee -->"
"""The first line of every comment of ours."""
STATUS_CONTEXT = "revieee"
"""The name of the commit status."""
LONGEST_COMMENT = 65_536
"""Characters that GitHub takes in one comment."""
LONGEST_DESCRIPTION = 140
"""Characters that GitHub takes in the description of a deployment status or commit status."""

_MOST_SERVICES = 30
_MOST_NOTICES = 25
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_MARKS = {
    State.WAITING: "◌",
    State.BUILDING: "◔",
    State.STARTING: "◑",
    State.LIVE: "✔",
    State.UPDATING: "↻",
    State.FAILED: "✘",
    State.NONE: "—",
    State.REMOVING: "○",
    State.GONE: "○",
}
"""Signs that every font has, unlike emoji."""
_TROUBLE = "▲"
"""Of what is live, and has something to complain of."""
_SENTENCES = {
    State.WAITING: "The environment waits for its turn",
    State.BUILDING: "The environment is being built",
    State.STARTING: "The environment is starting",
    State.LIVE: "The environment is live",
    State.UPDATING: "The environment is being updated",
    State.FAILED: "The environment failed",
    State.NONE: "This pull request has no environment",
    State.REMOVING: "The environment is being removed",
    State.GONE: "The environment is gone",
}
_AFTER_CLOSE = frozenset({State.REMOVING, State.GONE})


def instance_marker(instance: str) -> str:
    """Write the second line of a comment: which Revieee wrote it."""
    return f"<!-- revieee-instance: {re.sub('[^A-Za-z0-9_.]|-+', '-', instance)[:100].strip('-')} -->"


def is_ours(body: str, instance: str) -> bool:
    """Tell whether a comment begins with our markers; whether its author is us is asked besides.

    Only the first two lines count: a log inside a comment may hold anything.
    """
    return [line.strip() for line in body.split("\n", 2)[:2]] == [MARKER, instance_marker(instance)]


def comment(view: View) -> str:
    """Write the comment of an environment, as Markdown of at most 65,536 characters."""
    parts = [
        f"{MARKER}\n{instance_marker(view.instance)}",
        f"### {_mark(view)} {prose(view.headline, longest=200) or _SENTENCES[view.state]}",
        _reason(view),
        _services(view),
        _figures(view),
        _waiting(view),
        prose(view.answer, longest=600),
        f"**Next:** {prose(view.next_act, longest=600)}" if view.next_act else "",
        _log(view),
        _notices(view),
    ]
    parts = [part for part in parts if part]
    while sum(len(part) + 2 for part in parts) > LONGEST_COMMENT:
        parts.pop()
    return "\n\n".join(parts) + "\n"


def _mark(view: View) -> str:
    return _TROUBLE if view.state is State.LIVE and view.reason else _MARKS[view.state]


def _reason(view: View) -> str:
    """Say why, in a paragraph; several lines (faults of a file, each with its place) stand in a block."""
    lines = view.reason.strip().split("\n")
    if len(lines) > 1:
        return block("\n".join(lines[:40]), lines=40, width=400, longest=6000)
    return prose(view.reason, longest=2000)


def _services(view: View) -> str:
    if not view.services or view.state in _AFTER_CLOSE:
        return ""
    rows = [
        f"| {code(one.name, longest=64)} | {_link(one.url)} | {prose(one.words, longest=60) or '—'} |"
        for one in view.services[:_MOST_SERVICES]
    ]
    if len(view.services) > _MOST_SERVICES:
        rows.append(f"| … and {len(view.services) - _MOST_SERVICES} more | | |")
    return "\n".join(["| Service | URL | State |", "| --- | --- | --- |", *rows])


def _figures(view: View) -> str:
    """Give commit, state and duration, and which commit answers meanwhile where that is another one."""
    figures = [f"Commit {code(view.commit[:7], longest=7)}", f"state **{view.state}**"]
    if view.duration is not None:
        figures.append(f"in {duration(view.duration)}")
    line = " · ".join(figures)
    if view.live and view.live_commit and view.live_commit != view.commit:
        line += f"\n\nCommit {code(view.live_commit[:7], longest=7)} stays live meanwhile."
    return line


def _waiting(view: View) -> str:
    """Say that a newer commit waits for approval, and why."""
    if not view.waiting_commit:
        return ""
    commit = code(view.waiting_commit[:12], longest=12)
    return f"Commit {commit} waits for approval. {prose(view.waiting_for, longest=600)}"


def _log(view: View) -> str:
    if not view.log.strip():
        return ""
    words = block(view.log, lines=50, width=400, longest=14_000)
    return f"<details open><summary>Last lines of the log</summary>\n\n{words}\n\n</details>"


def _notices(view: View) -> str:
    if not view.notices:
        return ""
    items = [f"- {prose(one, longest=300)}" for one in view.notices[:_MOST_NOTICES]]
    if len(view.notices) > _MOST_NOTICES:
        items.append(f"- … and {len(view.notices) - _MOST_NOTICES} more (`revieee plan` shows all)")
    count = "1 notice" if len(view.notices) == 1 else f"{len(view.notices)} notices"
    words = "\n".join(items)
    return f"<details><summary>{count} on what was changed or left out</summary>\n\n{words}\n\n</details>"


def _link(url: str | None) -> str:
    if not url:
        return "—"
    return f"<{url}>" if _URL.fullmatch(url) else code(url, longest=100)


def duration(seconds: float) -> str:
    """Write a length of time for people: ``0.8 s``, ``12 s``, ``3 min 5 s``."""
    if seconds < 10:  # noqa: PLR2004 - below it, tenths are worth showing
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A state in GitHub's words, for a deployment status or a commit status."""

    state: str
    description: str
    url: str | None = None


def deployment(view: View) -> Told | None:
    """Say how the commit's deployment is; None where there is none to speak of.

    States: https://docs.github.com/en/rest/deployments/statuses
    """
    states = {
        State.WAITING: "queued",
        State.BUILDING: "in_progress",
        State.STARTING: "in_progress",
        State.UPDATING: "in_progress",
        State.LIVE: "success",
        State.FAILED: "failure",
    }
    state = states.get(view.state)
    return None if state is None else Told(state=state, description=_sentence(view), url=view.url)


def status(view: View) -> Told | None:
    """Say what stands beside the commit; None where nothing should be said.

    A pull request without an environment passes: Revieee must not stand in the way of a merge that it has no part in.
    States: https://docs.github.com/en/rest/commits/statuses
    """
    states = {
        State.WAITING: "pending",
        State.BUILDING: "pending",
        State.STARTING: "pending",
        State.UPDATING: "pending",
        State.LIVE: "success",
        State.NONE: "success",
        State.FAILED: "failure",
    }
    if view.waiting_commit:
        return Told(state="success", description="This commit waits for approval; an older one has the environment")
    state = states.get(view.state)
    return None if state is None else Told(state=state, description=_sentence(view), url=view.url)


def _sentence(view: View) -> str:
    """Give one line of plain text: descriptions are no Markdown."""
    sentence = " ".join(plain(view.headline).split()) or _SENTENCES[view.state]
    return sentence if len(sentence) <= LONGEST_DESCRIPTION else sentence[: LONGEST_DESCRIPTION - 1] + "…"
