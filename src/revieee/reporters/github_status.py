"""The commit status beside the pull request's newest commit (https://docs.github.com/en/rest/commits/statuses)."""

from dataclasses import replace
from typing import Any

from revieee.model.view import State
from revieee.ports import Posted
from revieee.reporters import words
from revieee.reporters.github_task import Task


async def tell_status(task: Task, posted: Posted) -> Posted:
    """Set the commit's status where it is another one; nothing stays pending after the end."""
    commit, told = task.view.waiting_commit or task.view.commit, words.status(task.view)
    if told is None:
        last, _, state = (posted.status or "").partition(" ")
        if task.view.state is not State.GONE or state != "pending":
            return posted
        commit, told = (
            last,
            words.Told(state="success", description="The pull request ended first"),
        )
    key = f"{commit} {told.state}"
    if key == posted.status:
        return posted
    await _end_former(task, posted, commit)
    document: dict[str, Any] = {
        "state": told.state,
        "context": words.STATUS_CONTEXT,
        "description": told.description,
    }
    if told.url:
        document["target_url"] = told.url
    await task.repository.post(f"/statuses/{commit}", document)
    return replace(posted, status=key)


async def _end_former(task: Task, posted: Posted, commit: str) -> None:
    """Let nothing stay pending on a commit that a newer one superseded."""
    former, _, state = (posted.status or "").partition(" ")
    if state == "pending" and former != commit:
        document = {"state": "success", "context": words.STATUS_CONTEXT, "description": f"Superseded by {commit[:7]}"}
        await task.repository.post(f"/statuses/{former}", document)
