"""The payloads of GitHub's webhooks (https://docs.github.com/en/webhooks/webhook-events-and-payloads): pure values."""

from __future__ import annotations

from dataclasses import dataclass, field

from revieee.testing.github import shapes, shapes_apps, shapes_pulls
from revieee.testing.github.git import NOTHING, Commit
from revieee.testing.github.shapes import Address, Json, moment
from revieee.testing.github.shapes_pulls import Size
from revieee.testing.github.state import Comment, Hook, Installation, PullRequest, Repository, User


@dataclass(frozen=True)
class Event:
    """Something that happened, ready to be delivered; without a repository it goes to the installation's app only."""

    name: str
    payload: Json
    repository: Repository | None = None
    installation: Installation | None = None
    hooks: tuple[Hook, ...] = field(default=())
    """Hooks that hear of it although they are of no use any more (a deleted repository's)."""

    @property
    def action(self) -> str | None:
        """What happened within the event, such as `opened`."""
        action: str | None = self.payload.get("action")
        return action


def _of(at: Address, repository: Repository, sender: User) -> Json:
    organization = repository.owner.type == "Organization"
    return {
        "repository": shapes.repository(at, repository),
        **({"organization": shapes.organization(at, repository.owner)} if organization else {}),
        "sender": shapes.user(at, sender),
    }


def ping(at: Address, hook: Hook, sender: User) -> Event:
    """A hook was made, or someone asked for a ping."""
    payload = {"zen": "Keep it logically awesome.", "hook_id": hook.id, "hook": shapes_apps.hook(at, hook)}
    if hook.repository is None:
        return Event("ping", payload)
    return Event("ping", payload | _of(at, hook.repository, sender), hook.repository)


def pull_request(at: Address, action: str, pull: PullRequest, sender: User, more: tuple[Size, Json]) -> Event:
    """Something happened to a pull request; `more` holds its size and what only this action has, such as `label`."""
    size, extra = more
    payload = {"action": action, "number": pull.number, "pull_request": shapes_pulls.pull(at, pull, size), **extra}
    return Event("pull_request", payload | _of(at, pull.repository, sender), pull.repository)


def issue_comment(at: Address, action: str, comment: Comment, sender: User, extra: Json) -> Event:
    """Someone commented, edited or deleted a comment."""
    pull = comment.pull_request
    payload = {"action": action, "issue": shapes_pulls.issue(at, pull), "comment": shapes_pulls.comment(at, comment)}
    return Event("issue_comment", payload | extra | _of(at, pull.repository, sender), pull.repository)


@dataclass(frozen=True)
class Move:
    """A branch that came, moved or went; `NOTHING` stands for "not there"."""

    repository: Repository
    branch: str
    before: str
    after: str
    forced: bool = False
    commits: tuple[Commit, ...] = ()


def push(at: Address, move: Move, sender: User) -> Event:
    """A branch came, moved or went."""
    page = f"{at.web}/{move.repository.full_name}"
    commits = [
        {
            "id": one.sha,
            "distinct": True,
            "message": one.subject,
            "timestamp": moment(one.when),
            "url": f"{page}/commit/{one.sha}",
            "author": {"name": one.author, "email": f"{one.author}@users.noreply.localhost"},
            "committer": {"name": one.author, "email": f"{one.author}@users.noreply.localhost"},
            "added": [],
            "removed": [],
            "modified": [],
        }
        for one in move.commits
    ]
    payload = {
        "ref": f"refs/heads/{move.branch}",
        "before": move.before,
        "after": move.after,
        "created": move.before == NOTHING,
        "deleted": move.after == NOTHING,
        "forced": move.forced,
        "base_ref": None,
        "compare": f"{page}/compare/{move.before[:12]}...{move.after[:12]}",
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "pusher": {"name": sender.login, "email": f"{sender.login}@users.noreply.localhost"},
    }
    return Event("push", payload | _of(at, move.repository, sender), move.repository)


def create(at: Address, move: Move, sender: User) -> Event:
    """A branch came."""
    more = {"master_branch": move.repository.default_branch, "description": move.repository.description}
    payload = {"ref": move.branch, "ref_type": "branch", "pusher_type": "user", **more}
    return Event("create", payload | _of(at, move.repository, sender), move.repository)


def delete(at: Address, move: Move, sender: User) -> Event:
    """A branch went."""
    payload = {"ref": move.branch, "ref_type": "branch", "pusher_type": "user"}
    return Event("delete", payload | _of(at, move.repository, sender), move.repository)


def repository(at: Address, action: str, one: Repository, sender: User, changes: Json | None) -> Event:
    """A repository was made, renamed, transferred or deleted."""
    extra = {} if changes is None else {"changes": changes}
    payload = {"action": action, **extra} | _of(at, one, sender)
    return Event("repository", payload, one, hooks=tuple(one.hooks.values()))


def installation(at: Address, action: str, one: Installation, repositories: list[Repository], sender: User) -> Event:
    """An app was installed, removed, suspended or taken up again."""
    payload = {
        "action": action,
        "installation": shapes_apps.installation(at, one),
        "repositories": [shapes.brief_repository(repository) for repository in repositories],
        "requester": None,
        "sender": shapes.user(at, sender),
    }
    return Event("installation", payload, installation=one)


def installation_repositories(
    at: Address, one: Installation, added: list[Repository], removed: list[Repository], sender: User
) -> Event:
    """Repositories were added to or removed from an installation."""
    payload = {
        "action": "added" if added else "removed",
        "installation": shapes_apps.installation(at, one),
        "repository_selection": "all" if one.repository_ids is None else "selected",
        "repositories_added": [shapes.brief_repository(repository) for repository in added],
        "repositories_removed": [shapes.brief_repository(repository) for repository in removed],
        "requester": None,
        "sender": shapes.user(at, sender),
    }
    return Event("installation_repositories", payload, installation=one)
