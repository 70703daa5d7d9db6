"""REST: deployments with their statuses, environments, commit statuses."""

from __future__ import annotations

from typing import cast

from starlette.responses import Response

from revieee.testing.github import shapes_deployments as shapes
from revieee.testing.github.api import Call, Rule, answer, nothing, paged
from revieee.testing.github.auth import ApiError, not_found
from revieee.testing.github.hub import invalid
from revieee.testing.github.state import App, CommitStatus, Deployment, DeploymentStatus

DEPLOYMENTS = "/repos/{owner}/{repo}/deployments"
STATUSES = "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"
ENVIRONMENT = "/repos/{owner}/{repo}/environments/{environment_name:path}"
STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
COMMIT_STATES = ("error", "failure", "pending", "success")
LONGEST_DESCRIPTION = 140


def _app(call: Call) -> App | None:
    return None if call.caller.installation is None else call.caller.installation.app


def _deployment(call: Call) -> Deployment:
    found = call.repository.deployments.get(call.number("deployment_id"))
    if found is None:
        raise not_found()
    return found


def _link(call: Call, resource: str, key: str) -> str:
    """Give a link that may have been sent; GitHub takes http and https only."""
    value = call.text(key) or ""
    if value and not value.startswith(("http://", "https://")):
        raise invalid(resource, key, f"{key} must use http(s) scheme")
    return value


def _description(call: Call, resource: str) -> str | None:
    value = call.text("description")
    if value is not None and len(value) > LONGEST_DESCRIPTION:
        raise invalid(resource, "description", f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)")
    return value


async def list_deployments(call: Call) -> Response:
    """GET deployments, newest first; `sha`, `ref`, `task` and `environment` choose."""
    keys = ("sha", "ref", "task", "environment")
    asked = {key: value for key in keys if (value := call.request.query_params.get(key)) not in {None, "none"}}
    every = reversed(call.repository.deployments.values())
    found = [one for one in every if all(getattr(one, key) == value for key, value in asked.items())]
    return paged(call, found, lambda one: shapes.deployment(call.at, one))


async def create_deployment(call: Call) -> Response:
    """POST a deployment. As GitHub does, it refuses a commit whose statuses are not all green unless told otherwise."""
    repository, ref = call.repository, call.must_text("ref")
    sha = await call.hub.git.resolve(repository.id, ref)
    if sha is None:
        raise ApiError(422, f"No ref found for: {ref}")
    if call.flag("auto_merge", default=True):
        await _refuse_behind(call, ref, sha)
    _refuse_failing(call, sha)
    name, now = call.text("environment") or "production", call.hub.clock()
    payload = call.body.get("payload", {})
    one = Deployment(
        call.hub.new_id(), repository, sha, ref, call.text("task") or "deploy", name, call.text("description"),
        payload if isinstance(payload, str) else payload or {}, call.flag("transient_environment", default=False),
        call.flag("production_environment", name == "production"), call.caller.signed_in(), now, now, _app(call),
    )  # fmt: skip
    repository.deployments[one.id] = one
    repository.environments.setdefault(name, call.hub.new_id())
    return answer(shapes.deployment(call.at, one), 201)


async def _refuse_behind(call: Call, ref: str, sha: str) -> None:
    """With `auto_merge`, a branch behind the default branch is merged first; we say so instead of doing it."""
    git, repository = call.hub.git, call.repository
    branches = await git.branches(repository.id)
    main = branches.get(repository.default_branch)
    if ref in branches and main is not None and not await git.is_ancestor(repository.id, main, sha):
        raise ApiError(409, f"Conflict merging {repository.default_branch} into {ref}.")


def _refuse_failing(call: Call, sha: str) -> None:
    asked = call.body.get("required_contexts")
    newest = shapes.newest_by_context([one for one in call.repository.statuses if one.sha == sha])
    found = {one.context: one.state for one in newest}
    contexts = list(found) if asked is None else list(cast("list[str]", asked))
    bad = [context for context in contexts if found.get(context) != "success"]
    if bad:
        raise ApiError(409, f"Conflict: Commit status checks failed for {', '.join(bad)}.")


async def get_deployment(call: Call) -> Response:
    """GET one deployment."""
    return answer(shapes.deployment(call.at, _deployment(call)))


async def delete_deployment(call: Call) -> Response:
    """DELETE a deployment: the only one, or one that is not active."""
    one, every = _deployment(call), call.repository.deployments
    if len(every) > 1 and one.state in {"success", "pending", "queued", "in_progress"}:
        raise ApiError(
            422, "We cannot delete an active deployment unless it is the only deployment in a given environment."
        )
    del every[one.id]
    return nothing()


async def list_deployment_statuses(call: Call) -> Response:
    """GET a deployment's statuses, newest first."""
    one = _deployment(call)
    return paged(call, one.statuses[::-1], lambda status: shapes.deployment_status(call.at, one, status))


async def create_deployment_status(call: Call) -> Response:
    """POST a status; a success makes the environment's earlier ones inactive, unless transient or production."""
    one, state = _deployment(call), call.must_text("state")
    if state not in STATES:
        raise invalid("DeploymentStatus", "state", f"state is not one of {', '.join(STATES)}")
    environment_url = _link(call, "DeploymentStatus", "environment_url")
    log_url = _link(call, "DeploymentStatus", "log_url") or _link(call, "DeploymentStatus", "target_url")
    description = _description(call, "DeploymentStatus") or ""
    user, name = call.caller.signed_in(), call.text("environment") or one.environment
    status = DeploymentStatus(
        call.hub.new_id(), state, description, name, environment_url, log_url, user, call.hub.clock()
    )
    if state == "success" and call.flag("auto_inactive", default=True):
        _retire_earlier(call, one)
    one.statuses.append(status)
    one.updated_at = status.created_at
    return answer(shapes.deployment_status(call.at, one, status), 201)


def _retire_earlier(call: Call, newest: Deployment) -> None:
    for other in call.repository.deployments.values():
        lasting = not other.transient_environment and not other.production_environment
        if other.id < newest.id and other.environment == newest.environment and lasting and other.state == "success":
            user, now = call.caller.signed_in(), call.hub.clock()
            gone = DeploymentStatus(call.hub.new_id(), "inactive", "", other.environment, "", "", user, now)
            other.statuses.append(gone)


async def get_environment(call: Call) -> Response:
    """GET an environment."""
    name = call.path("environment_name")
    if name not in call.repository.environments:
        raise not_found()
    return answer(shapes.environment(call.at, call.repository, name, call.repository.environments[name]))


async def delete_environment(call: Call) -> Response:
    """DELETE an environment; its deployments become inactive."""
    name = call.path("environment_name")
    if call.repository.environments.pop(name, None) is None:
        raise not_found()
    return nothing()


async def create_status(call: Call) -> Response:
    """POST a commit status."""
    repository, state, sha = call.repository, call.must_text("state"), call.path("sha")
    if state not in COMMIT_STATES:
        raise invalid("Status", "state", f"state is not one of {', '.join(COMMIT_STATES)}")
    if await call.hub.git.resolve(repository.id, sha) != sha:
        raise ApiError(422, f"No commit found for SHA: {sha}")
    link, text = _link(call, "Status", "target_url"), _description(call, "Status")
    user, context = call.caller.signed_in(), call.text("context") or "default"
    one = CommitStatus(call.hub.new_id(), sha, state, context, text, link or None, user, call.hub.clock())
    repository.statuses.append(one)
    return answer(shapes.status(call.at, repository, one), 201)


async def list_statuses(call: Call) -> Response:
    """GET all statuses of a commit, newest first."""
    sha = await call.hub.git.resolve(call.repository.id, call.path("ref"))
    found = [one for one in reversed(call.repository.statuses) if one.sha == sha]
    return paged(call, found, lambda one: shapes.status(call.at, call.repository, one))


async def combined_status(call: Call) -> Response:
    """GET the combined status of a commit."""
    sha = await call.hub.git.resolve(call.repository.id, call.path("ref"))
    if sha is None:
        raise not_found()
    found = [one for one in call.repository.statuses if one.sha == sha]
    return answer(shapes.combined(call.at, call.repository, sha, found))


READ, WRITE = ("deployments:read",), ("deployments:write",)
ROUTES = [
    Rule("GET", DEPLOYMENTS, list_deployments, "read", READ),
    Rule("POST", DEPLOYMENTS, create_deployment, "write", WRITE),
    Rule("GET", f"{DEPLOYMENTS}/{{deployment_id}}", get_deployment, "read", READ),
    Rule("DELETE", f"{DEPLOYMENTS}/{{deployment_id}}", delete_deployment, "write", WRITE),
    Rule("GET", STATUSES, list_deployment_statuses, "read", READ),
    Rule("POST", STATUSES, create_deployment_status, "write", WRITE),
    Rule("GET", ENVIRONMENT, get_environment, "read", ("actions:read",)),
    Rule("DELETE", ENVIRONMENT, delete_environment, "admin", ("administration:write",)),
    Rule("POST", "/repos/{owner}/{repo}/statuses/{sha}", create_status, "write", ("statuses:write",)),
    Rule("GET", "/repos/{owner}/{repo}/commits/{ref:path}/statuses", list_statuses, "read", ("statuses:read",)),
    Rule("GET", "/repos/{owner}/{repo}/commits/{ref:path}/status", combined_status, "read", ("statuses:read",)),
]
