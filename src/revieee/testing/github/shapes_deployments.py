"""Deployments, their statuses and commit statuses as GitHub writes them (openapi: deployment, status)."""

from __future__ import annotations

from revieee.testing.github import shapes, shapes_apps
from revieee.testing.github.shapes import Address, Json, moment, node_id
from revieee.testing.github.state import CommitStatus, Deployment, DeploymentStatus, Repository


def deployment(at: Address, one: Deployment) -> Json:
    """Write a deployment (openapi: deployment)."""
    repository = at.repository(one.repository)
    url = f"{repository}/deployments/{one.id}"
    return {
        "url": url,
        "id": one.id,
        "node_id": node_id("Deployment", one.id),
        "sha": one.sha,
        "ref": one.ref,
        "task": one.task,
        "payload": one.payload,
        "original_environment": one.environment,
        "environment": one.environment,
        "description": one.description,
        "creator": shapes.user(at, one.creator),
        "created_at": moment(one.created_at),
        "updated_at": moment(one.updated_at),
        "statuses_url": f"{url}/statuses",
        "repository_url": repository,
        "transient_environment": one.transient_environment,
        "production_environment": one.production_environment,
        "performed_via_github_app": None if one.app is None else shapes_apps.app(at, one.app),
    }


def deployment_status(at: Address, of: Deployment, one: DeploymentStatus) -> Json:
    """Write one status of a deployment (openapi: deployment-status)."""
    repository = at.repository(of.repository)
    url = f"{repository}/deployments/{of.id}"
    return {
        "url": f"{url}/statuses/{one.id}",
        "id": one.id,
        "node_id": node_id("DeploymentStatus", one.id),
        "state": one.state,
        "creator": shapes.user(at, one.creator),
        "description": one.description,
        "environment": one.environment,
        "target_url": one.log_url,
        "log_url": one.log_url,
        "environment_url": one.environment_url,
        "created_at": moment(one.created_at),
        "updated_at": moment(one.created_at),
        "deployment_url": url,
        "repository_url": repository,
        "performed_via_github_app": None if of.app is None else shapes_apps.app(at, of.app),
    }


def simple_status(at: Address, of: Repository, one: CommitStatus) -> Json:
    """Write a commit status inside a combined one (openapi: simple-commit-status)."""
    return {
        "url": f"{at.repository(of)}/statuses/{one.sha}",
        "avatar_url": f"{at.web}/avatars/u/{one.creator.id}",
        "id": one.id,
        "node_id": node_id("StatusContext", one.id),
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": moment(one.created_at),
        "updated_at": moment(one.created_at),
    }


def status(at: Address, of: Repository, one: CommitStatus) -> Json:
    """Write a commit status (openapi: status)."""
    return simple_status(at, of, one) | {"creator": shapes.user(at, one.creator)}


def newest_by_context(statuses: list[CommitStatus]) -> list[CommitStatus]:
    """Give the newest status of each context; `statuses` are oldest first."""
    return list({one.context: one for one in statuses}.values())


def combined_state(statuses: list[CommitStatus]) -> str:
    """Fold statuses into one, as GitHub does: any failure, else any pending (or none at all), else success."""
    states = {one.state for one in newest_by_context(statuses)}
    if states & {"failure", "error"}:
        return "failure"
    return "pending" if "pending" in states or not states else "success"


def combined(at: Address, of: Repository, sha: str, statuses: list[CommitStatus]) -> Json:
    """Write the combined status of a commit (openapi: combined-commit-status)."""
    newest = newest_by_context(statuses)
    commit = f"{at.repository(of)}/commits/{sha}"
    return {
        "state": combined_state(statuses),
        "statuses": [simple_status(at, of, one) for one in newest],
        "sha": sha,
        "total_count": len(newest),
        "repository": shapes.repository(at, of),
        "commit_url": commit,
        "url": f"{commit}/status",
    }


def environment(at: Address, of: Repository, name: str, number: int) -> Json:
    """Write an environment of deployments (openapi: environment)."""
    created = moment(of.created_at)
    return {
        "id": number,
        "node_id": node_id("Environment", number),
        "name": name,
        "url": f"{at.repository(of)}/environments/{name}",
        "html_url": f"{at.web}/{of.full_name}/deployments/activity_log?environments_filter={name}",
        "created_at": created,
        "updated_at": created,
        "protection_rules": [],
        "deployment_branch_policy": None,
    }
