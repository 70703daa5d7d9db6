"""The deployment of a pull request's commit, so that the page shows "View deployment".

One deployment per commit, all of one environment per pull request. They are transient, and GitHub marks only
non-transient ones inactive by itself, so that is done here.
https://docs.github.com/en/rest/deployments/deployments
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from revieee.clients.github_errors import Absent, Unavailable
from revieee.model.view import State
from revieee.ports import Posted
from revieee.reporters import words
from revieee.reporters.github_task import Task

INACTIVE = "inactive"
_LIVE = "success"
_ENDED = frozenset({"failure", "error"})
_NO_LONGER = words.Told(state=INACTIVE, description="No longer runs")


def environment_name(number: int) -> str:
    """Name the environment of a pull request as GitHub lists it."""
    return f"review/pr-{number}"


async def tell_deployment(task: Task, posted: Posted) -> Posted:
    """Have a deployment of the view's commit in the view's state, and none active where nothing runs."""
    told = words.deployment(task.view)
    if told is not None:
        return await _tell(task, posted, told)
    if task.view.state is State.REMOVING or posted.deployment_state == INACTIVE:
        return posted
    await _retire(task, keep=None)
    return replace(posted, deployment_state=INACTIVE)


def doubt_deployment(_: Task, posted: Posted) -> Posted:
    """Give what is known after an error: not in which state it is."""
    return replace(posted, deployment_state=None)


async def _tell(task: Task, posted: Posted, told: words.Told) -> Posted:
    commit = task.view.commit
    known = posted.deployment if posted.deployment_commit == commit else None
    state = posted.deployment_state if known is not None else None
    is_other = known is None
    if known is None:
        known, state = await _find_or_make(task)
    is_news = state != told.state
    if is_news:
        try:
            await _set(task, known, told)
        except Absent:  # a person deleted it
            known, state = await _find_or_make(task)
            await _set(task, known, told)
    if is_news or is_other:  # after a push back to a former commit its state may be no news; that of the last one is
        if told.state == _LIVE:
            await _retire(task, keep=known)
        elif told.state in _ENDED:
            await _retire_superseded(task, keep=known)
    return replace(posted, deployment=known, deployment_commit=commit, deployment_state=told.state)


async def _find_or_make(task: Task) -> tuple[int, str | None]:
    """Give the commit's deployment and its state (None: not told yet): the one there is, or a new one."""
    mine = await _ours(task, sha=task.view.commit)
    if mine:
        return min(mine), await _state(task, min(mine))
    made = await task.repository.post(
        "/deployments",
        {
            "ref": task.view.commit,
            "environment": environment_name(task.number),
            "description": f"Review environment of pull request {task.number}",
            "payload": {"revieee": task.view.instance},
            "transient_environment": True,
            "production_environment": False,
            "auto_merge": False,
            "required_contexts": [],
        },
    )
    return _id(made), None


async def _retire(task: Task, *, keep: int | None) -> None:
    """Mark our deployments of the pull request inactive, except one and, where one is kept, those that failed.

    The oldest goes first, so behind the one that was live all are inactive that are to be, and the search from the
    newest ends at the first inactive one behind it.
    """
    active, past_the_live_one = [], False
    for deployment in sorted(await _ours(task), reverse=True):
        if deployment == keep:
            continue
        state = await _state(task, deployment)
        if state == INACTIVE and past_the_live_one:
            break
        past_the_live_one = past_the_live_one or state == _LIVE
        if state != INACTIVE and (state not in _ENDED or keep is None):
            active.append(deployment)
    for deployment in reversed(active):
        await _set(task, deployment, _NO_LONGER)


async def _retire_superseded(task: Task, *, keep: int) -> None:
    """Mark inactive what was on its way when a newer push came, which failed by now; what is live is told to be so.

    That may be among them: where it was to be deployed anew. The oldest goes first; behind one that was live, failed or
    is inactive nothing is on its way.
    """
    on_their_way = []
    for deployment in sorted(await _ours(task), reverse=True):
        if deployment == keep:
            continue
        if await _state(task, deployment) in {INACTIVE, _LIVE, *_ENDED}:
            break
        on_their_way.append(deployment)
    commit = task.view.live_commit if on_their_way else None
    live = min(await _ours(task, sha=commit), default=None) if commit else None
    still = words.Told(state=_LIVE, description="It stays live", url=task.view.url)
    for deployment in reversed(on_their_way):
        await _set(task, deployment, still if deployment == live else _NO_LONGER)


async def _ours(task: Task, **query: str) -> list[int]:
    """Find the newest hundred of our deployments of the pull request."""
    asked = urlencode({"environment": environment_name(task.number), "per_page": "100"} | query)
    answer = await task.repository.get(f"/deployments?{asked}")
    if not isinstance(answer, list):
        raise Unavailable("GitHub's answer is no list of deployments.")
    return [_id(one) for one in answer if _is_ours(one, task)]


def _is_ours(deployment: Mapping[str, Any], task: Task) -> bool:
    payload = deployment.get("payload")
    if isinstance(payload, str):  # GitHub gives back what was sent, older servers as text
        try:
            payload = json.loads(payload)
        except ValueError:
            return False
    mine = isinstance(payload, dict) and payload.get("revieee") == task.view.instance
    return mine and (deployment.get("creator") or {}).get("login") == task.me


async def _state(task: Task, deployment: int) -> str | None:
    answer = await task.repository.get(f"/deployments/{deployment}/statuses?per_page=1")
    return str(answer[0]["state"]) if answer else None


async def _set(task: Task, deployment: int, told: words.Told) -> None:
    document: dict[str, Any] = {
        "state": told.state,
        "description": told.description,
        "environment": environment_name(task.number),
        "auto_inactive": False,
    }
    if told.url and told.state != INACTIVE:
        document["environment_url"] = told.url
    await task.repository.post(f"/deployments/{deployment}/statuses", document)


def _id(deployment: object) -> int:
    if isinstance(deployment, dict) and isinstance(deployment.get("id"), int):
        return int(deployment["id"])
    raise Unavailable("GitHub's answer holds no deployment.")
