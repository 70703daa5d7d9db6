"""The practice GitHub as a test holds it in its hand: start it, act as people do, read what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from revieee.testing.github import apps, pulls, repositories
from revieee.testing.github.apps import NewApp
from revieee.testing.github.auth import ApiError
from revieee.testing.github.faults import Faults
from revieee.testing.github.git import Change, Files, GitStore
from revieee.testing.github.hub import DefaultHook, Hub, real_time
from revieee.testing.github.pulls import Edit, NewPullRequest
from revieee.testing.github.repositories import NewRepository
from revieee.testing.github.server import Server, application
from revieee.testing.github.shapes import Address
from revieee.testing.github.state import App, Clock, Comment, Hook, Installation, PullRequest, Repository, Role, State
from revieee.testing.github.webhooks import Webhooks


@dataclass(frozen=True)
class Settings:
    """Where to listen and how to look.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        prefix: where the API is: `/api/v3` as on GitHub Enterprise Server, or nothing.
        public: what people and programs call it by; by default `http://host:port`.
        webhook: the webhook that every new repository gets.
        clock: gives the present moment.
    """

    host: str = "127.0.0.1"
    port: int = 0
    prefix: str = "/api/v3"
    public: str | None = None
    webhook: DefaultHook | None = None
    clock: Clock = real_time


@dataclass(frozen=True)
class Opening:
    """How a pull request is opened, where it differs from the usual: `fork` is the full name of the head repository."""

    base: str | None = None
    body: str | None = None
    draft: bool = False
    labels: tuple[str, ...] = ()
    fork: str | None = None
    author: str | None = None


class PracticeGitHub:
    """A GitHub to practise on: `async with PracticeGitHub(folder) as github: …`.

    `web` and `api` are its addresses. `faults` and `webhooks` are the switches and records. Names of repositories are
    `owner/name`; whoever acts is a login, by default the repository's owner. Deliveries are sent in the background:
    `await github.settled()` waits for them.

    Args:
        folder: where the git repositories go.
        settings: where to listen and how to look.
    """

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._server = Server(self.settings.host, self.settings.port)
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        self.web = self.settings.public or f"http://{host}:{self._server.port}"
        self.api = self.web + self.settings.prefix
        self.state, self.faults = State(), Faults()
        self.webhooks = Webhooks(self.state, self.settings.clock)
        self.hub = Hub(
            self.state, GitStore(folder / "repositories"), self.webhooks, self.faults, self.settings.clock,
            Address(self.web, self.api), self.settings.webhook, self._server.cut,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        """Start serving."""
        await self._server.start(application(self.hub, self.settings.prefix))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and delivering."""
        self.faults.clear()
        await self.webhooks.close()
        await self._server.stop()

    async def settled(self) -> None:
        """Wait until every delivery that is not held has been sent and answered."""
        await self.webhooks.settled()

    # ---- repositories

    async def create_repository(self, new: NewRepository) -> Repository:
        """Make a repository with a first commit."""
        return await repositories.create(self.hub, new)

    async def fork(self, full_name: str, owner: str) -> Repository:
        """Fork a repository to another owner."""
        parent = self.repository(full_name)
        new = NewRepository(f"{owner}/{parent.name}", {}, parent.private, parent.default_branch)
        return await repositories.create(self.hub, new, parent)

    def repository(self, full_name: str) -> Repository:
        """Give a repository by its present name; raises `ApiError` (404) where there is none."""
        return repositories.find(self.hub, full_name)

    def rename_repository(self, full_name: str, name: str) -> None:
        """Give a repository another name."""
        one = self.repository(full_name)
        repositories.rename(self.hub, one, name, one.owner)

    def transfer_repository(self, full_name: str, owner: str) -> None:
        """Give a repository to another owner."""
        repositories.transfer(self.hub, self.repository(full_name), self.state.user(owner))

    def delete_repository(self, full_name: str) -> None:
        """Delete a repository."""
        one = self.repository(full_name)
        repositories.delete(self.hub, one, one.owner)

    def add_hook(self, full_name: str, hook: DefaultHook) -> Hook:
        """Add a webhook to a repository."""
        return repositories.add_hook(self.hub, self.repository(full_name), hook)

    def set_permission(self, full_name: str, login: str, role: Role) -> None:
        """Let a person do more or less in a repository."""
        self.state.user(login)
        self.repository(full_name).roles[login.lower()] = role

    # ---- commits

    async def commit(
        self, full_name: str, branch: str, files: Files, *, message: str = "Change", author: str | None = None
    ) -> str:
        """Commit files to a branch (a new one starts at the default branch's commit) and push; gives the commit."""
        one = self.repository(full_name)
        known = await self.hub.git.branches(one.id)
        parent = known.get(branch, known.get(one.default_branch))
        user = self.state.user(author or one.owner.login)
        change = Change(branch, parent, files, f"{message}\n", user.login, self.hub.clock())
        return await repositories.commit(self.hub, one, change, user)

    async def delete_branch(self, full_name: str, branch: str) -> None:
        """Delete a branch; open pull requests from or onto it are closed."""
        one = self.repository(full_name)
        await repositories.delete_branch(self.hub, one, branch, one.owner)

    async def forget_unreachable(self, full_name: str) -> None:
        """Throw away commits that no ref reaches any more, as GitHub does some time after a force-push."""
        await self.hub.git.forget_unreachable(self.repository(full_name).id)

    # ---- pull requests

    async def open_pull_request(
        self, full_name: str, head: str, title: str = "A change", how: Opening | None = None
    ) -> PullRequest:
        """Open a pull request from a branch that has commits (`commit` makes one)."""
        how, base = how or Opening(), self.repository(full_name)
        source = self.repository(how.fork) if how.fork else base
        new = NewPullRequest(source, head, how.base or base.default_branch, title, how.body, how.draft, how.labels)
        author = self.state.user(how.author or source.owner.login)
        return await pulls.open_pull_request(self.hub, base, new, author)

    def pull_request(self, full_name: str, number: int) -> PullRequest:
        """Give a pull request, with its `comments`, `deployments` and `statuses`; raises `ApiError` (404)."""
        return pulls.find(self.repository(full_name), number)

    async def push(self, pull: PullRequest, files: Files, *, message: str = "Change", author: str | None = None) -> str:
        """Push one more commit to a pull request's branch; gives the commit."""
        return await self._push(pull, files, (message, author), parent=pull.head_sha)

    async def force_push(
        self, pull: PullRequest, files: Files, *, message: str = "Change", author: str | None = None
    ) -> str:
        """Replace all commits of a pull request by one on top of its base; gives the commit."""
        return await self._push(pull, files, (message, author), parent=pull.base_sha)

    async def _push(self, pull: PullRequest, files: Files, words: tuple[str, str | None], parent: str) -> str:
        if pull.head_repository is None:
            raise ApiError(422, "The head repository is gone: nobody can push to this pull request any more.")
        message, author = words
        user = self.state.user(author or pull.author.login)
        change = Change(pull.head_ref, parent, files, f"{message}\n", user.login, self.hub.clock())
        return await repositories.commit(self.hub, pull.head_repository, change, user)

    async def close(self, pull: PullRequest, *, merged: bool = False, by: str | None = None) -> None:
        """Close a pull request, or merge it."""
        sender = self.state.user(by or pull.repository.owner.login)
        if not merged:
            await pulls.close(self.hub, pull, sender)
            return
        move = await pulls.merge(self.hub, pull, sender)
        await repositories.moved(self.hub, pull.repository, {move.branch: (move.before, move.after)}, sender)

    async def reopen(self, pull: PullRequest, *, by: str | None = None) -> None:
        """Open a closed pull request again."""
        await pulls.reopen(self.hub, pull, self.state.user(by or pull.repository.owner.login))

    async def edit(self, pull: PullRequest, change: Edit) -> None:
        """Change title, body or base branch."""
        await pulls.edit(self.hub, pull, change, pull.repository.owner)

    async def convert_to_draft(self, pull: PullRequest) -> None:
        """Make a pull request a draft."""
        await pulls.set_draft(self.hub, pull, draft=True, sender=pull.author)

    async def ready_for_review(self, pull: PullRequest) -> None:
        """Take a pull request out of draft."""
        await pulls.set_draft(self.hub, pull, draft=False, sender=pull.author)

    async def label(self, pull: PullRequest, *names: str) -> None:
        """Add labels."""
        present = [one.name for one in pull.labels]
        await pulls.set_labels(self.hub, pull, [*present, *names], pull.repository.owner)

    async def unlabel(self, pull: PullRequest, *names: str) -> None:
        """Remove labels."""
        gone = {name.lower() for name in names}
        kept = [one.name for one in pull.labels if one.name.lower() not in gone]
        await pulls.set_labels(self.hub, pull, kept, pull.repository.owner)

    def comment(self, pull: PullRequest, login: str, body: str) -> Comment:
        """Write a comment as a person."""
        return pulls.comment(self.hub, pull, self.state.user(login), body)

    def delete_comment(self, comment: Comment, by: str | None = None) -> None:
        """Delete a comment as a person, by default the repository's owner."""
        owner = comment.pull_request.repository.owner.login
        pulls.delete_comment(self.hub, comment, self.state.user(by or owner))

    # ---- tokens and apps

    def personal_token(self, login: str) -> str:
        """Give a person's token; what it may do is what the person may do."""
        return apps.personal_token(self.hub, self.state.user(login)).value

    def create_app(self, new: NewApp) -> App:
        """Register a GitHub App; its `pem` is the private key."""
        return apps.register(self.hub, new)

    def register_by_manifest(self, owner: str, manifest: Mapping[str, Any]) -> str:
        """Register an app by its manifest; gives the code for `POST /app-manifests/{code}/conversions`."""
        return apps.by_manifest(self.hub, owner, manifest)

    def install(self, app: App, account: str, chosen: Iterable[str] | None = None) -> Installation:
        """Install an app on an account, on repositories (full names) or on all."""
        found = None if chosen is None else [self.repository(name) for name in chosen]
        return apps.install(self.hub, app, self.state.user(account), found)

    def uninstall(self, installation: Installation) -> None:
        """Remove an installation."""
        apps.uninstall(self.hub, installation)

    def suspend(self, installation: Installation, *, suspended: bool = True) -> None:
        """Suspend an installation, or take it up again."""
        apps.suspend(self.hub, installation, suspended=suspended)

    def choose_repositories(self, one: Installation, added: Iterable[str] = (), removed: Iterable[str] = ()) -> None:
        """Add repositories (full names) to an installation, and remove others."""
        more, fewer = ([self.repository(name) for name in names] for names in (added, removed))
        apps.choose(self.hub, one, more, fewer)
