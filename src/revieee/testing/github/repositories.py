"""What happens to repositories and their branches, with the webhooks that tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from revieee.testing.github import events, pulls
from revieee.testing.github.auth import not_found
from revieee.testing.github.events import Move
from revieee.testing.github.git import NOTHING, Change, Files
from revieee.testing.github.hub import DefaultHook, Hub, invalid
from revieee.testing.github.state import Hook, Repository, User


@dataclass(frozen=True)
class NewRepository:
    """A repository to make, at `owner/name`, its first commit holding `files`."""

    full_name: str
    files: Files
    private: bool = False
    default_branch: str = "main"
    owner_type: Literal["User", "Organization"] = "User"


def find(hub: Hub, full_name: str) -> Repository:
    """Give a repository by name.

    Raises:
        ApiError: 404, there is none.
    """
    found = hub.state.repository(full_name)
    if found is None:
        raise not_found()
    return found


async def create(hub: Hub, new: NewRepository, parent: Repository | None = None) -> Repository:
    """Make a repository (a fork where it has a parent), with the default webhook where there is one."""
    login, _, name = new.full_name.partition("/")
    if hub.state.repository(new.full_name) is not None:
        raise invalid("Repository", "name", "name already exists on this account")
    owner, now = hub.state.user(login), hub.clock()
    if new.owner_type == "Organization":
        owner.type = "Organization"
    one = Repository(hub.new_id(), owner, name, now, now, now, private=new.private, default_branch=new.default_branch)
    one.parent = parent
    if parent is None:
        hub.git.create(one.id, new.default_branch)
        if new.files:
            first = Change(new.default_branch, None, new.files, "First commit\n", login, now)
            await hub.git.commit(one.id, first)
    else:
        await hub.git.copy(parent.id, one.id, new.default_branch)
    hub.state.repositories[one.id] = one
    hub.state.former_names.pop(one.full_name.lower(), None)
    hub.webhooks.emit(events.repository(hub.at, "created", one, owner, None))
    if hub.default_hook is not None and parent is None:
        add_hook(hub, one, hub.default_hook)
    return one


def add_hook(hub: Hub, repository: Repository, new: DefaultHook) -> Hook:
    """Add a webhook to a repository and ping it, as GitHub does at once."""
    now = hub.clock()
    hook = Hook(hub.new_id(), new.url, new.secret, now, now, new.content_type, new.events, repository=repository)
    repository.hooks[hook.id] = hook
    hub.webhooks.send_to(hook, events.ping(hub.at, hook, repository.owner))
    return hook


def _move(hub: Hub, one: Repository, owner: User, name: str) -> None:
    hub.state.former_names[one.full_name.lower()] = one.id
    one.owner, one.name, one.updated_at = owner, name, hub.clock()
    hub.state.former_names.pop(one.full_name.lower(), None)


def rename(hub: Hub, one: Repository, name: str, sender: User) -> None:
    """Give a repository another name; the former one leads to it."""
    changes = {"repository": {"name": {"from": one.name}}}
    _move(hub, one, one.owner, name)
    hub.webhooks.emit(events.repository(hub.at, "renamed", one, sender, changes))


def transfer(hub: Hub, one: Repository, owner: User) -> None:
    """Give a repository to another owner; the former name leads to it."""
    kind = "organization" if one.owner.type == "Organization" else "user"
    former = {"login": one.owner.login, "id": one.owner.id, "type": one.owner.type}
    sender = one.owner
    _move(hub, one, owner, one.name)
    hub.webhooks.emit(events.repository(hub.at, "transferred", one, sender, {"owner": {"from": {kind: former}}}))


def delete(hub: Hub, one: Repository, sender: User) -> None:
    """Delete a repository; pull requests from it keep their commits and lose their head repository."""
    hub.webhooks.emit(events.repository(hub.at, "deleted", one, sender, None))
    del hub.state.repositories[one.id]
    for other in hub.state.repositories.values():
        for pull in other.pulls.values():
            if pull.head_repository is one:
                pull.head_repository = None


async def commit(hub: Hub, repository: Repository, change: Change, pusher: User) -> str:
    """Make a commit on a branch, by its author, and tell of it as of a push."""
    before = (await hub.git.branches(repository.id)).get(change.branch, NOTHING)
    after = await hub.git.commit(repository.id, change)
    await moved(hub, repository, {change.branch: (before, after)}, pusher)
    return after


async def moved(hub: Hub, repository: Repository, branches: dict[str, tuple[str, str]], pusher: User) -> None:
    """Draw the consequences of branches that came, moved or went: webhooks, and the pull requests that live on them."""
    for branch, (before, after) in branches.items():
        if before == after:
            continue
        move = await _described(hub, repository, branch, before, after)
        repository.pushed_at = hub.clock()
        hub.webhooks.emit(events.push(hub.at, move, pusher))
        if before == NOTHING:
            hub.webhooks.emit(events.create(hub.at, move, pusher))
        if after == NOTHING:
            hub.webhooks.emit(events.delete(hub.at, move, pusher))
        await pulls.follow(hub, move, pusher)


async def _described(hub: Hub, repository: Repository, branch: str, before: str, after: str) -> Move:
    if NOTHING in {before, after}:
        return Move(repository, branch, before, after)
    forced = not await hub.git.is_ancestor(repository.id, before, after)
    commits = await hub.git.log(repository.id, f"{before}..{after}", 20)
    return Move(repository, branch, before, after, forced=forced, commits=tuple(commits))


async def delete_branch(hub: Hub, repository: Repository, branch: str, pusher: User) -> None:
    """Delete a branch; open pull requests from or onto it are closed.

    Raises:
        ApiError: 422, there is no such branch.
    """
    before = (await hub.git.branches(repository.id)).get(branch)
    if before is None:
        raise invalid("Reference", "ref", "Reference does not exist")
    await hub.git.set_ref(repository.id, f"refs/heads/{branch}", None)
    await moved(hub, repository, {branch: (before, NOTHING)}, pusher)
