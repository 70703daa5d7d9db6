"""What happens to pull requests, with the webhooks that tell of it; REST, pages and tests all act through here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from revieee.testing.github import events, shapes
from revieee.testing.github.auth import ApiError, not_found
from revieee.testing.github.events import Move
from revieee.testing.github.git import NOTHING, Change
from revieee.testing.github.hub import Hub, invalid
from revieee.testing.github.shapes import Json
from revieee.testing.github.state import App, Comment, PullRequest, Repository, User

LONGEST_COMMENT = 65536
"""How many characters a comment may have."""


@dataclass(frozen=True)
class NewPullRequest:
    """A pull request to open: from `head` (a branch) of `head_repository` onto `base`."""

    head_repository: Repository
    head: str
    base: str
    title: str
    body: str | None = None
    draft: bool = False
    labels: tuple[str, ...] = ()


def find(repository: Repository, number: int) -> PullRequest:
    """Give a pull request by number.

    Raises:
        ApiError: 404, there is none.
    """
    if number not in repository.pulls:
        raise not_found()
    return repository.pulls[number]


async def tell(hub: Hub, action: str, pull: PullRequest, sender: User, extra: Json | None = None) -> None:
    """Send the `pull_request` event."""
    size = await hub.git.size(pull.repository.id, pull.base_sha, pull.head_sha)
    hub.webhooks.emit(events.pull_request(hub.at, action, pull, sender, (size, extra or {})))


def touch(hub: Hub, pull: PullRequest) -> None:
    """Note that a pull request changed now; time does not go back."""
    pull.updated_at = max(hub.clock(), pull.updated_at)


async def open_pull_request(hub: Hub, repository: Repository, new: NewPullRequest, author: User) -> PullRequest:
    """Open a pull request and point `refs/pull/<number>/head` at its commit.

    Raises:
        ApiError: 422, a branch is missing, nothing differs, or the same one is open already.
    """
    base = (await hub.git.branches(repository.id)).get(new.base)
    head = (await hub.git.branches(new.head_repository.id)).get(new.head)
    if base is None or head is None:
        raise invalid("PullRequest", "base" if base is None else "head", "invalid", "invalid")
    for other in repository.pulls.values():
        same = (other.head_repository, other.head_ref, other.base_ref) == (new.head_repository, new.head, new.base)
        if other.state == "open" and same:
            label = f"{new.head_repository.owner.login}:{new.head}"
            raise invalid("PullRequest", "head", f"A pull request already exists for {label}.")
    if base == head:
        raise invalid("PullRequest", "head", f"No commits between {new.base} and {new.head}")
    now, number = hub.clock(), len(repository.pulls) + 1
    pull = PullRequest(
        hub.new_id(), number, repository, author, new.title, new.base, base,
        new.head_repository.owner, new.head_repository, new.head, now, now, new.body, new.draft,
    )  # fmt: skip
    pull.labels = [hub.state.label(repository, name) for name in new.labels]
    pull.heads.append(head)
    repository.pulls[number] = pull  # before anything is waited for: another one gets the next number
    await hub.git.adopt(repository.id, new.head_repository.id, head, f"refs/pull/{number}/head")
    await tell(hub, "opened", pull, author)
    for one in pull.labels:
        await tell(hub, "labeled", pull, author, {"label": _label(hub, pull, one.name)})
    return pull


async def _advance(hub: Hub, pull: PullRequest, sha: str) -> None:
    source = pull.head_repository or pull.repository
    await hub.git.adopt(pull.repository.id, source.id, sha, f"refs/pull/{pull.number}/head")
    pull.heads.append(sha)


def _label(hub: Hub, pull: PullRequest, name: str) -> Json:
    return shapes.label(hub.at, pull.repository, hub.state.label(pull.repository, name))


async def follow(hub: Hub, move: Move, pusher: User) -> None:
    """Let open pull requests follow a branch: a push moves their head, a deletion closes them."""
    for pull in _living_on(hub, move):
        is_head = pull.head_repository is move.repository and pull.head_ref == move.branch
        if move.after == NOTHING:
            await close(hub, pull, pusher)
        elif is_head:
            await _advance(hub, pull, move.after)
            touch(hub, pull)
            await tell(hub, "synchronize", pull, pusher, {"before": move.before, "after": move.after})


def _living_on(hub: Hub, move: Move) -> Iterable[PullRequest]:
    for repository in list(hub.state.repositories.values()):
        for pull in list(repository.pulls.values()):
            head = pull.head_repository is move.repository and pull.head_ref == move.branch
            base = repository is move.repository and pull.base_ref == move.branch
            if pull.state == "open" and (head or base):
                yield pull


async def close(hub: Hub, pull: PullRequest, sender: User) -> None:
    """Close a pull request without merging; closing a closed one does nothing."""
    if pull.state == "closed":
        return
    pull.state, pull.closed_at = "closed", hub.clock()
    touch(hub, pull)
    await tell(hub, "closed", pull, sender)


async def merge(hub: Hub, pull: PullRequest, sender: User) -> Move:
    """Merge a pull request with a merge commit; gives the base branch's move, for the push event.

    Raises:
        ApiError: 405, it is not open.
        GitFailed: the two conflict.
    """
    if pull.state == "closed":
        raise ApiError(405, "Pull Request is not mergeable")
    repository, branch, now = pull.repository, pull.base_ref, hub.clock()
    before = (await hub.git.branches(repository.id))[branch]
    title = f"Merge pull request #{pull.number} from {pull.head_owner.login}/{pull.head_ref}\n\n{pull.title}\n"
    change = Change(branch, before, {}, title, sender.login, now)
    after = await hub.git.merge(repository.id, before, pull.head_sha, change)
    await hub.git.set_ref(repository.id, f"refs/heads/{branch}", after)
    pull.state, pull.closed_at, pull.merged_at, pull.merged_by = "closed", now, now, sender
    pull.merge_commit_sha = after
    touch(hub, pull)
    await tell(hub, "closed", pull, sender)
    return Move(repository, branch, before, after)


async def reopen(hub: Hub, pull: PullRequest, sender: User) -> None:
    """Open a closed pull request again, at its branch's present commit.

    Raises:
        ApiError: 422, it was merged, or its branch or repository is gone.
    """
    if pull.state == "open":
        return
    source = pull.head_repository
    tip = None if source is None else (await hub.git.branches(source.id)).get(pull.head_ref)
    if pull.merged_at is not None or tip is None:
        why = "merged" if pull.merged_at is not None else f"the {pull.head_ref} branch was deleted"
        raise invalid("PullRequest", "state", f"state cannot be changed. The pull request cannot be reopened: {why}.")
    if tip != pull.head_sha:
        await _advance(hub, pull, tip)
    pull.state, pull.closed_at = "open", None
    touch(hub, pull)
    await tell(hub, "reopened", pull, sender)


async def set_draft(hub: Hub, pull: PullRequest, draft: bool, sender: User) -> None:  # noqa: FBT001 - the new value itself
    """Make a pull request a draft, or ready for review."""
    pull.draft = draft
    touch(hub, pull)
    await tell(hub, "converted_to_draft" if draft else "ready_for_review", pull, sender)


@dataclass(frozen=True)
class Edit:
    """What to change of a pull request; None leaves it."""

    title: str | None = None
    body: str | None = None
    base: str | None = None


async def edit(hub: Hub, pull: PullRequest, change: Edit, sender: User) -> None:
    """Change title, body or base branch.

    Raises:
        ApiError: 422, there is no such base branch.
    """
    changes: Json = {}
    if change.title is not None and change.title != pull.title:
        changes["title"] = {"from": pull.title}
        pull.title = change.title
    if change.body is not None and change.body != pull.body:
        changes["body"] = {"from": pull.body}
        pull.body = change.body
    if change.base is not None and change.base != pull.base_ref:
        sha = (await hub.git.branches(pull.repository.id)).get(change.base)
        if sha is None:
            raise invalid("PullRequest", "base", "invalid", "invalid")
        changes["base"] = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
        pull.base_ref, pull.base_sha = change.base, sha
    if changes:
        touch(hub, pull)
        await tell(hub, "edited", pull, sender, {"changes": changes})


async def set_labels(hub: Hub, pull: PullRequest, names: Iterable[str], sender: User) -> None:
    """Let a pull request have exactly these labels; each difference is told of."""
    wanted = {name.lower(): hub.state.label(pull.repository, name) for name in names}
    present = {label.name.lower(): label for label in pull.labels}
    for key in present.keys() - wanted.keys():
        pull.labels.remove(present[key])
        touch(hub, pull)
        await tell(hub, "unlabeled", pull, sender, {"label": _label(hub, pull, key)})
    for key, label in wanted.items():
        if key not in present:
            pull.labels.append(label)
            touch(hub, pull)
            await tell(hub, "labeled", pull, sender, {"label": _label(hub, pull, key)})


def comment(hub: Hub, pull: PullRequest, user: User, body: str, app: App | None = None) -> Comment:
    """Write a comment.

    Raises:
        ApiError: 422, it is empty or too long.
    """
    _check_body(body)
    now = hub.clock()
    one = Comment(hub.new_id(), pull, user, body, now, now, app)
    pull.comments.append(one)
    touch(hub, pull)
    hub.webhooks.emit(events.issue_comment(hub.at, "created", one, user, {}))
    return one


def _check_body(body: str) -> None:
    if not body.strip():
        raise invalid("IssueComment", "body", "body cannot be blank")
    if len(body) > LONGEST_COMMENT:
        raise invalid("IssueComment", "body", f"body is too long (maximum is {LONGEST_COMMENT} characters)")


def edit_comment(hub: Hub, one: Comment, body: str, user: User) -> None:
    """Change a comment's text.

    Raises:
        ApiError: 422, it is empty or too long.
    """
    _check_body(body)
    former, one.body, one.updated_at = one.body, body, hub.clock()
    hub.webhooks.emit(events.issue_comment(hub.at, "edited", one, user, {"changes": {"body": {"from": former}}}))


def delete_comment(hub: Hub, one: Comment, user: User) -> None:
    """Delete a comment."""
    one.pull_request.comments.remove(one)
    hub.webhooks.emit(events.issue_comment(hub.at, "deleted", one, user, {}))
