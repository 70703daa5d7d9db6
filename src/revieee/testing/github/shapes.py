"""Users, repositories and labels as GitHub's REST API and webhooks write them (openapi: simple-user, repository)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from revieee.testing.github.state import ROLES, Label, PullRequest, Repository, User

Json = dict[str, Any]
"""A JSON object on its way out."""


@dataclass(frozen=True)
class Address:
    """Where the practice GitHub is: `web` for people and git, `api` for programs; neither ends in a slash."""

    web: str
    api: str

    def repository(self, repository: Repository) -> str:
        """Give the API's address of a repository."""
        return f"{self.api}/repos/{repository.full_name}"

    def pull_request(self, pull: PullRequest) -> str:
        """Give the page of a pull request."""
        return f"{self.web}/{pull.repository.full_name}/pull/{pull.number}"


def moment(when: datetime) -> str:
    """Write a moment as GitHub does: UTC, whole seconds, `Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_or_none(when: datetime | None) -> str | None:
    """Write a moment that may not have come."""
    return None if when is None else moment(when)


def node_id(kind: str, number: int) -> str:
    """Give the opaque id that GitHub's GraphQL would use."""
    return base64.b64encode(f"{len(kind):03d}:{kind}{number}".encode()).decode()


def user(at: Address, one: User) -> Json:
    """Write a user (openapi: simple-user)."""
    url = f"{at.api}/users/{one.login}"
    return {
        "login": one.login,
        "id": one.id,
        "node_id": node_id("User", one.id),
        "avatar_url": f"{at.web}/avatars/u/{one.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{at.web}/{one.login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": one.type,
        "site_admin": False,
    }


def public_user(at: Address, one: User, created: datetime) -> Json:
    """Write the signed-in user (openapi: public-user)."""
    nothing = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location"))
    return {
        **user(at, one),
        **nothing,
        "name": one.login,
        "followers": 0,
        "following": 0,
        "public_gists": 0,
        "public_repos": 0,
        "created_at": moment(created),
        "updated_at": moment(created),
        "user_view_type": "public",
    }


def organization(at: Address, one: User) -> Json:
    """Write the `organization` of a payload."""
    url = f"{at.api}/orgs/{one.login}"
    links = ("repos", "events", "hooks", "issues")
    return {
        "login": one.login,
        "id": one.id,
        "node_id": node_id("Organization", one.id),
        "url": url,
        **{f"{link}_url": f"{url}/{link}" for link in links},
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{at.web}/avatars/u/{one.id}",
        "description": "",
    }


REPOSITORY_LINKS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


def brief_repository(one: Repository) -> Json:
    """Write a repository as installation payloads do."""
    return {
        "id": one.id,
        "node_id": node_id("Repository", one.id),
        "name": one.name,
        "full_name": one.full_name,
        "private": one.private,
    }


def repository(at: Address, one: Repository) -> Json:
    """Write a repository (openapi: repository, minimal-repository)."""
    url, page = at.repository(one), f"{at.web}/{one.full_name}"
    issues = sum(pull.state == "open" for pull in one.pulls.values())
    return {
        **brief_repository(one),
        "owner": user(at, one.owner),
        "html_url": page,
        "description": one.description,
        "fork": one.parent is not None,
        "url": url,
        **{name: url + path for name, path in REPOSITORY_LINKS.items()},
        "created_at": moment(one.created_at),
        "updated_at": moment(one.updated_at),
        "pushed_at": moment(one.pushed_at),
        "git_url": f"{page}.git",
        "ssh_url": f"git@localhost:{one.full_name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "homepage": None,
        "language": None,
        "license": None,
        "mirror_url": None,
        **dict.fromkeys(("has_issues", "has_projects", "has_downloads", "has_wiki"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "archived", "disabled", "is_template"), False),
        **dict.fromkeys(("size", "stargazers_count", "watchers_count", "forks_count", "forks", "watchers"), 0),
        "open_issues_count": issues,
        "open_issues": issues,
        "default_branch": one.default_branch,
        "topics": [],
        "visibility": "private" if one.private else "public",
        "web_commit_signoff_required": False,
        "custom_properties": {},
    }


def full_repository(at: Address, one: Repository, viewer: User | None) -> Json:
    """Write one repository asked for by name (openapi: full-repository), with what the viewer may do in it."""
    rank = ROLES.index(one.role(viewer))
    shape = repository(at, one) | {"network_count": 0, "subscribers_count": 0}
    if viewer is not None:
        names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
        shape["permissions"] = {name: rank >= ROLES.index(role) for name, role in names.items()}
    if one.parent is not None:
        shape["parent"] = shape["source"] = repository(at, one.parent)
    return shape


def label(at: Address, of: Repository, one: Label) -> Json:
    """Write a label (openapi: label)."""
    return {
        "id": one.id,
        "node_id": node_id("Label", one.id),
        "url": f"{at.repository(of)}/labels/{one.name}",
        "name": one.name,
        "color": one.color,
        "default": False,
        "description": "",
    }
