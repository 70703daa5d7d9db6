"""Pull requests and their comments as GitHub writes them (openapi: pull-request, issue-comment)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from urllib.parse import quote

from revieee.testing.github import shapes, shapes_apps
from revieee.testing.github.shapes import Address, Json, moment, moment_or_none, node_id
from revieee.testing.github.state import Comment, PullRequest, Reaction, Repository, User

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


@dataclass(frozen=True)
class Size:
    """How large a pull request is, as git counts it."""

    commits: int
    additions: int
    deletions: int
    changed_files: int


def association(repository: Repository, user: User) -> str:
    """Give GitHub's `author_association` (which must not be trusted: it says COLLABORATOR for readers too)."""
    if user is repository.owner:
        return "OWNER"
    if repository.owner.type == "Organization" and repository.role(user) == "admin":
        return "MEMBER"
    return "COLLABORATOR" if user.login.lower() in repository.roles else "NONE"


def simple_pull(at: Address, pull: PullRequest) -> Json:
    """Write a pull request as lists do (openapi: pull-request-simple)."""
    repository, number = pull.repository, pull.number
    repo, page = at.repository(repository), at.pull_request(pull)
    url, issue = f"{repo}/pulls/{number}", f"{repo}/issues/{number}"
    links = {
        "commits": f"{url}/commits",
        "review_comments": f"{url}/comments",
        "review_comment": f"{repo}/pulls/comments{{/number}}",
        "comments": f"{issue}/comments",
        "statuses": f"{repo}/statuses/{pull.head_sha}",
    }
    return {
        "url": url,
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "number": number,
        **_conversation(at, pull),
        "merged_at": moment_or_none(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha,
        "requested_reviewers": [],
        "requested_teams": [],
        **{f"{name}_url": link for name, link in links.items()},
        "head": _side(at, pull.head_owner, pull.head_ref, pull.head_sha, pull.head_repository),
        "base": _side(at, repository.owner, pull.base_ref, pull.base_sha, repository),
        "_links": {name: {"href": link} for name, link in {"self": url, "html": page, "issue": issue, **links}.items()},
        "auto_merge": None,
    }


def _conversation(at: Address, pull: PullRequest) -> Json:
    """Write what a pull request has in common with an issue."""
    return {
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": shapes.user(at, pull.author),
        "body": pull.body,
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
        "closed_at": moment_or_none(pull.closed_at),
        "assignee": None,
        "assignees": [],
        "labels": [shapes.label(at, pull.repository, one) for one in pull.labels],
        "milestone": None,
        "author_association": association(pull.repository, pull.author),
        "active_lock_reason": None,
        "draft": pull.draft,
    }


def _side(at: Address, owner: User, ref: str, sha: str, repository: Repository | None) -> Json:
    return {
        "label": f"{owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": shapes.user(at, owner),
        "repo": None if repository is None else shapes.repository(at, repository),
    }


def pull(at: Address, one: PullRequest, size: Size) -> Json:
    """Write one pull request in full (openapi: pull-request)."""
    return {
        **simple_pull(at, one),
        "merged": one.merged_at is not None,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": None if one.merged_by is None else shapes.user(at, one.merged_by),
        "comments": len(one.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": size.commits,
        "additions": size.additions,
        "deletions": size.deletions,
        "changed_files": size.changed_files,
    }


def issue(at: Address, one: PullRequest) -> Json:
    """Write a pull request as the issue that `issue_comment` payloads hold; its `pull_request` key tells them apart."""
    simple = simple_pull(at, one)
    url = simple["issue_url"]
    return {
        **_conversation(at, one),
        "number": one.number,
        "html_url": simple["html_url"],
        "id": one.id,
        "node_id": node_id("Issue", one.id),
        "url": url,
        "repository_url": at.repository(one.repository),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "comments": len(one.comments),
        "reactions": rollup(url, []),
        "pull_request": {key: simple[key] for key in ("url", "html_url", "diff_url", "patch_url", "merged_at")},
    }


def rollup(url: str, reactions: list[Reaction]) -> Json:
    """Count reactions (openapi: reaction-rollup)."""
    counts = Counter(one.content for one in reactions)
    return {"url": f"{url}/reactions", "total_count": counts.total(), **{name: counts[name] for name in REACTIONS}}


def comment(at: Address, one: Comment) -> Json:
    """Write a comment (openapi: issue-comment)."""
    pull_request = one.pull_request
    repository = pull_request.repository
    url = f"{at.repository(repository)}/issues/comments/{one.id}"
    return {
        "url": url,
        "html_url": f"{at.pull_request(pull_request)}#issuecomment-{one.id}",
        "issue_url": f"{at.repository(repository)}/issues/{pull_request.number}",
        "id": one.id,
        "node_id": node_id("IssueComment", one.id),
        "user": shapes.user(at, one.user),
        "created_at": moment(one.created_at),
        "updated_at": moment(one.updated_at),
        "author_association": association(repository, one.user),
        "body": one.body,
        "reactions": rollup(url, one.reactions),
        "performed_via_github_app": None if one.app is None else shapes_apps.app(at, one.app),
    }


def reaction(at: Address, one: Reaction) -> Json:
    """Write a reaction (openapi: reaction)."""
    return {
        "id": one.id,
        "node_id": node_id("Reaction", one.id),
        "user": shapes.user(at, one.user),
        "content": one.content,
        "created_at": moment(one.created_at),
    }


def changed_file(at: Address, pull_request: PullRequest, change: Json) -> Json:
    """Write one changed file (openapi: diff-entry); `change` comes from git and holds name, status and counts."""
    repository, sha = pull_request.repository, pull_request.head_sha
    path = quote(change["filename"])
    page = f"{at.web}/{repository.full_name}"
    return {
        **change,
        "changes": change["additions"] + change["deletions"],
        "blob_url": f"{page}/blob/{sha}/{path}",
        "raw_url": f"{page}/raw/{sha}/{path}",
        "contents_url": f"{at.repository(repository)}/contents/{path}?ref={sha}",
    }
