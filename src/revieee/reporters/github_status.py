"""The commit status beside the pull request's newest commit (https://docs.github.com/en/rest/commits/statuses)."""

from dataclasses import replace
from typing import Any

from revieee.model.view import State
from revieee.ports import Posted
from revieee.reporters import words
from revieee.reporters.github_task import Task


async def tell_status(task: Task, posted: Posted) -> Posted:
    """Set the commit's status where it is another one; nothing stays pending after the end."""
    commit, told = _commit(task), words.status(task.view)
    pending = _pending(posted)
    if told is None:
        if task.view.state is not State.GONE or not pending:
            return posted
        for one in pending:
            await _set(task, one, words.Told(state="success", description="The pull request ended first"))
        return replace(posted, status=f"{pending[-1]} success", doubtful=())
    key = f"{commit} {told.state}"
    if key == posted.status:
        return posted
    for former in pending:
        if former != commit:
            await _set(task, former, words.Told(state="success", description=f"Superseded by {commit[:7]}"))
    await _set(task, commit, told)
    return replace(posted, status=key, doubtful=())


def doubt_status(task: Task, posted: Posted) -> Posted:
    """Give what is known after an error: something may stay pending on the commit that was to be told, too."""
    doubtful = dict.fromkeys((*_pending(posted), _commit(task)))
    return replace(posted, status=None, doubtful=tuple(one for one in doubtful if one))


def _commit(task: Task) -> str:
    return task.view.waiting_commit or task.view.commit


def _pending(posted: Posted) -> list[str]:
    """Give the commits on which something of ours may stay pending, the last one told of at the end."""
    last, _, state = (posted.status or "").partition(" ")
    return [*(one for one in posted.doubtful if one != last), *([last] if state == "pending" else ())]


async def _set(task: Task, commit: str, told: words.Told) -> None:
    document: dict[str, Any] = {
        "state": told.state,
        "context": words.STATUS_CONTEXT,
        "description": told.description,
    }
    if told.url:
        document["target_url"] = told.url
    await task.repository.post(f"/statuses/{commit}", document)
