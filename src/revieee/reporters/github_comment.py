"""The one comment on a pull request: made once, edited in place, found again by marker and author.

A crash between posting and remembering, and a POST that timed out and landed after all, may leave a twin: of several
the oldest is kept. https://docs.github.com/en/rest/issues/comments
"""

import hashlib
from contextlib import suppress
from dataclasses import replace

from revieee.clients.github_errors import Absent, Forbidden, Unavailable
from revieee.model.github import Malformed, Part
from revieee.model.view import State
from revieee.ports import Posted
from revieee.reporters import words
from revieee.reporters.github_task import Task

_CLOSED = frozenset({State.REMOVING, State.GONE})


async def tell_comment(task: Task, posted: Posted) -> Posted:
    """Have exactly one comment of ours, with the view's text.

    One request where the comment is known; a search where it is not, was made by the last report, or is the last word.
    """
    text = words.comment(task.view)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    known = None if posted.comment_digest is None or task.view.state is State.GONE else posted.comment
    if known is not None and await _stands(task, known, text, changed=posted.comment_digest != digest):
        return replace(posted, comment_digest=digest)
    found = await _search(task)
    if found:
        oldest = min(found)
        for younger in sorted(found.keys() - {oldest}):
            with suppress(Absent, Forbidden):
                await task.repository.delete(f"/issues/comments/{younger}")
        if _same(found[oldest], text) or await _edited(task, oldest, text):
            return replace(posted, comment=oldest, comment_digest=digest)
    if task.view.state in _CLOSED:
        return replace(posted, comment=None, comment_digest=None)
    made = await task.repository.post(f"/issues/{task.number}/comments", {"body": text})
    return replace(posted, comment=_read(made)[0], comment_digest=None)


async def _stands(task: Task, comment: int, text: str, *, changed: bool) -> bool:
    """Make a known comment say the text; False where a person deleted it."""
    if not changed:
        try:
            present = await task.repository.get(f"/issues/comments/{comment}")
        except Absent:
            return False
        if _same(_read(present)[1], text):
            return True
    return await _edited(task, comment, text)


async def _edited(task: Task, comment: int, text: str) -> bool:
    try:
        await task.repository.patch(f"/issues/comments/{comment}", {"body": text})
    except Absent:
        return False
    return True


async def _search(task: Task) -> dict[int, str]:
    """Find our comments: ids and texts. Anyone can paste our marker, so the author counts too."""
    found = {}
    async for item in task.repository.pages(f"/issues/{task.number}/comments?per_page=100"):
        comment, text, author = _read(item)
        if author == task.me and words.is_ours(text, task.view.instance):
            found[comment] = text
    return found


def _read(item: object) -> tuple[int, str, str]:
    """Give a comment's id, text and author."""
    try:
        part = Part.of(item)
        author = part.part_or_none("user")
        body = part.data.get("body")
        return part.integer("id"), body if isinstance(body, str) else "", author.text("login") if author else ""
    except Malformed as error:
        raise Unavailable(f"GitHub's answer holds no comment: {error}") from None


def _same(one: str, other: str) -> bool:
    """Compare texts, without regard to what a form on the way may do to line ends."""
    return one.replace("\r\n", "\n").strip() == other.strip()
