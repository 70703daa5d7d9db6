"""REST: pull requests, their files and labels."""

from __future__ import annotations

from starlette.responses import Response

from revieee.testing.github import pulls, repositories, shapes, shapes_pulls
from revieee.testing.github.api import Call, Rule, answer, page, paged
from revieee.testing.github.auth import ApiError
from revieee.testing.github.hub import invalid
from revieee.testing.github.pulls import Edit, NewPullRequest
from revieee.testing.github.state import PullRequest, Repository

PULLS = "/repos/{owner}/{repo}/pulls"
LABELS = "/repos/{owner}/{repo}/issues/{number}/labels"


async def list_pulls(call: Call) -> Response:
    """GET pull requests: `state`, `head` (`owner:branch`), `base`, `sort`, `direction`."""
    query = call.request.query_params
    state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    if state not in {"open", "closed", "all"}:
        raise invalid("PullRequest", "state", "state is not one of open, closed, all")

    def wanted(pull: PullRequest) -> bool:
        label = f"{pull.head_owner.login}:{pull.head_ref}"
        return (state in {"all", pull.state}) and head in {None, label} and base in {None, pull.base_ref}

    by_update = query.get("sort") == "updated"
    down = query.get("direction", "desc" if by_update or query.get("sort", "created") == "created" else "asc") == "desc"
    found = sorted(
        filter(wanted, call.repository.pulls.values()),
        key=lambda pull: (pull.updated_at if by_update else pull.created_at, pull.number),
        reverse=down,
    )
    return paged(call, found, lambda one: shapes_pulls.simple_pull(call.at, one))


async def _full(call: Call, pull: PullRequest, status: int = 200) -> Response:
    size = await call.hub.git.size(pull.repository.id, pull.base_sha, pull.head_sha)
    shape = shapes_pulls.pull(call.at, pull, size)
    if pull.state == "open":
        shape |= {"mergeable": True, "rebaseable": True, "mergeable_state": "clean"}
    return answer(shape, status)


async def get_pull(call: Call) -> Response:
    """GET one pull request."""
    return await _full(call, call.pull())


async def create_pull(call: Call) -> Response:
    """POST a pull request; `head` is a branch, or `owner:branch` of a fork."""
    owner, _, branch = call.must_text("head").rpartition(":")
    source = _head_repository(call, owner) if owner else call.repository
    base, title = call.must_text("base"), call.must_text("title")
    new = NewPullRequest(source, branch, base, title, call.text("body"), call.flag("draft", default=False))
    pull = await pulls.open_pull_request(call.hub, call.repository, new, call.caller.signed_in())
    return await _full(call, pull, 201)


def _head_repository(call: Call, owner: str) -> Repository:
    family = {call.repository, call.repository.parent}
    for one in call.hub.state.repositories.values():
        if one.owner.login.lower() == owner.lower() and (one in family or one.parent in family - {None}):
            return one
    raise invalid("PullRequest", "head", "invalid", "invalid")


async def edit_pull(call: Call) -> Response:
    """PATCH title, body, base or state."""
    pull, sender = call.pull(), call.caller.signed_in()
    state = call.text("state")
    if state not in {None, "open", "closed"}:
        raise invalid("PullRequest", "state", "state is not one of open, closed")
    await pulls.edit(call.hub, pull, Edit(call.text("title"), call.text("body"), call.text("base")), sender)
    if state == "closed":
        await pulls.close(call.hub, pull, sender)
    elif state == "open":
        await pulls.reopen(call.hub, pull, sender)
    return await _full(call, pull)


async def merge_pull(call: Call) -> Response:
    """PUT: merge with a merge commit."""
    pull, sender = call.pull(), call.caller.signed_in()
    move = await pulls.merge(call.hub, pull, sender)
    await repositories.moved(call.hub, pull.repository, {move.branch: (move.before, move.after)}, sender)
    return answer({"sha": move.after, "merged": True, "message": "Pull Request successfully merged"})


async def list_files(call: Call) -> Response:
    """GET the files that a pull request changes."""
    pull = call.pull()
    rows = await call.hub.git.changes(pull.repository.id, pull.base_sha, pull.head_sha)
    return paged(call, rows, lambda row: shapes_pulls.changed_file(call.at, pull, row))


def _labels(call: Call, pull: PullRequest) -> Response:
    part, _ = page(call, pull.labels)
    return answer([shapes.label(call.at, pull.repository, one) for one in part])


def _sent_names(call: Call) -> list[str]:
    sent = call.sent.get("labels", []) if isinstance(call.sent, dict) else call.sent
    if not isinstance(sent, list):
        raise ApiError(422, "Invalid request.\n\nlabels is not an array.")
    return [str(one["name"] if isinstance(one, dict) else one) for one in sent]


async def list_labels(call: Call) -> Response:
    """GET labels."""
    return _labels(call, call.pull())


async def add_labels(call: Call) -> Response:
    """POST more labels."""
    pull = call.pull()
    names = [one.name for one in pull.labels] + _sent_names(call)
    await pulls.set_labels(call.hub, pull, names, call.caller.signed_in())
    return _labels(call, pull)


async def put_labels(call: Call) -> Response:
    """PUT exactly these labels; DELETE: none."""
    pull = call.pull()
    await pulls.set_labels(call.hub, pull, _sent_names(call), call.caller.signed_in())
    return _labels(call, pull) if call.request.method == "PUT" else Response(status_code=204)


async def remove_label(call: Call) -> Response:
    """DELETE one label."""
    pull, name = call.pull(), call.path("name").lower()
    kept: list[str] = [one.name for one in pull.labels if one.name.lower() != name]
    if len(kept) == len(pull.labels):
        raise ApiError(404, "Label does not exist")
    await pulls.set_labels(call.hub, pull, kept, call.caller.signed_in())
    return _labels(call, pull)


READ, WRITE = ("pull_requests:read",), ("pull_requests:write",)
ISSUE_READ, ISSUE_WRITE = ("issues:read", *READ), ("issues:write", *WRITE)
ROUTES = [
    Rule("GET", PULLS, list_pulls, "read", READ),
    Rule("POST", PULLS, create_pull, "read", WRITE),
    Rule("GET", f"{PULLS}/{{number}}", get_pull, "read", READ),
    Rule("PATCH", f"{PULLS}/{{number}}", edit_pull, "triage", WRITE),
    Rule("PUT", f"{PULLS}/{{number}}/merge", merge_pull, "write", ("contents:write",)),
    Rule("GET", f"{PULLS}/{{number}}/files", list_files, "read", READ),
    Rule("GET", LABELS, list_labels, "read", ISSUE_READ),
    Rule("POST", LABELS, add_labels, "triage", ISSUE_WRITE),
    Rule("PUT", LABELS, put_labels, "triage", ISSUE_WRITE),
    Rule("DELETE", LABELS, put_labels, "triage", ISSUE_WRITE),
    Rule("DELETE", f"{LABELS}/{{name:path}}", remove_label, "triage", ISSUE_WRITE),
]
