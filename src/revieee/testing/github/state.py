"""What the practice GitHub knows: plain records, kept in memory, without I/O and without a clock of their own.

The words are GitHub's own (https://docs.github.com/en/rest), so that a test reads like the pull request page.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Clock = Callable[[], datetime]
"""Gives the present moment, with a time zone."""

Role = Literal["none", "read", "triage", "write", "maintain", "admin"]
ROLES: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")
"""What a person may do in a repository, from nothing to everything."""

PullRequestState = Literal["open", "closed"]


@dataclass(eq=False)
class User:
    """An account: a person, an organization, or the bot of a GitHub App."""

    id: int
    login: str
    type: Literal["User", "Organization", "Bot"] = "User"


@dataclass(eq=False)
class Label:
    """A label of a repository, as it hangs on pull requests."""

    id: int
    name: str
    color: str = "ededed"


@dataclass(eq=False)
class Reaction:
    """A thumb, a rocket, a pair of eyes on a comment."""

    id: int
    user: User
    content: str
    created_at: datetime


@dataclass(eq=False)
class Comment:
    """A comment in the conversation of a pull request."""

    id: int
    pull_request: PullRequest
    user: User
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(eq=False)
class PullRequest:
    """A pull request; `heads` holds every commit that was ever its head, the present one last."""

    id: int
    number: int
    repository: Repository
    author: User
    title: str
    base_ref: str
    base_sha: str
    head_owner: User
    head_repository: Repository | None
    head_ref: str
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    draft: bool = False
    state: PullRequestState = "open"
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    heads: list[str] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)

    @property
    def head_sha(self) -> str:
        """The commit the pull request is at."""
        return self.heads[-1]

    @property
    def deployments(self) -> list[Deployment]:
        """The deployments of any commit that was ever its head, oldest first."""
        return [one for one in self.repository.deployments.values() if one.sha in self.heads]

    @property
    def statuses(self) -> list[CommitStatus]:
        """The commit statuses set on any commit that was ever its head, oldest first."""
        return [one for one in self.repository.statuses if one.sha in self.heads]


@dataclass(eq=False)
class CommitStatus:
    """One commit status, never changed after it was set."""

    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: User
    created_at: datetime


@dataclass(eq=False)
class DeploymentStatus:
    """One status of a deployment."""

    id: int
    state: str
    description: str
    environment: str
    environment_url: str
    log_url: str
    creator: User
    created_at: datetime


@dataclass(eq=False)
class Deployment:
    """A deployment and its statuses, oldest first."""

    id: int
    repository: Repository
    sha: str
    ref: str
    task: str
    environment: str
    description: str | None
    payload: object
    transient_environment: bool
    production_environment: bool
    creator: User
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    statuses: list[DeploymentStatus] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The newest status, `pending` before there is one."""
        return self.statuses[-1].state if self.statuses else "pending"

    @property
    def environment_url(self) -> str:
        """Where the "View deployment" button leads; empty when nowhere."""
        return next((one.environment_url for one in reversed(self.statuses) if one.environment_url), "")


@dataclass(eq=False)
class Hook:
    """A webhook: of a repository, or (with an app) of a GitHub App."""

    id: int
    url: str
    secret: str
    created_at: datetime
    updated_at: datetime
    content_type: str = "json"
    events: tuple[str, ...] = ("*",)
    active: bool = True
    insecure_ssl: str = "0"
    repository: Repository | None = None
    app: App | None = None
    last_code: int | None = None

    def wants(self, event: str) -> bool:
        """Tell whether deliveries of this event go here (an app always hears of its installations)."""
        always = event == "ping" or (self.app is not None and event.startswith("installation"))
        return self.active and bool(self.url) and (always or "*" in self.events or event in self.events)


@dataclass(eq=False)
class Repository:
    """A repository and all that belongs to it; its commits are in the real git repository named by its id."""

    id: int
    owner: User
    name: str
    created_at: datetime
    updated_at: datetime
    pushed_at: datetime
    private: bool = False
    default_branch: str = "main"
    description: str | None = None
    parent: Repository | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    deployments: dict[int, Deployment] = field(default_factory=dict)
    statuses: list[CommitStatus] = field(default_factory=list)
    environments: dict[str, int] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"

    def role(self, user: User | None) -> Role:
        """Give what a user (None: not signed in) may do here."""
        least: Role = "none" if self.private else "read"
        if user is None:
            return least
        if user is self.owner:
            return "admin"
        return max(least, self.roles.get(user.login.lower(), "none"), key=ROLES.index)


@dataclass(eq=False)
class App:
    """A GitHub App; `pem` is its private key, as the registration page hands it out once."""

    id: int
    slug: str
    name: str
    owner: User
    bot: User
    pem: str
    public_key: str
    client_id: str
    client_secret: str
    hook: Hook
    permissions: dict[str, str]
    created_at: datetime
    external_url: str = "https://revieee.example"

    @property
    def events(self) -> tuple[str, ...]:
        """The events it asked for."""
        return self.hook.events


@dataclass(eq=False)
class Installation:
    """An app installed on an account; `repository_ids` is None where all of its repositories were chosen."""

    id: int
    app: App
    account: User
    permissions: dict[str, str]
    created_at: datetime
    updated_at: datetime
    repository_ids: set[int] | None = None
    suspended_at: datetime | None = None

    def covers(self, repository: Repository) -> bool:
        """Tell whether the installation reaches a repository."""
        if repository.owner is not self.account:
            return False
        return self.repository_ids is None or repository.id in self.repository_ids


@dataclass(frozen=True)
class Token:
    """A token that may be shown: a person's (no installation) or an installation's (with an end)."""

    value: str
    user: User
    installation: Installation | None = None
    expires_at: datetime | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    repository_ids: frozenset[int] | None = None


@dataclass
class State:
    """All records, and the ways to find them. Names are compared without regard to case, as GitHub does."""

    users: dict[str, User] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    former_names: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    manifests: dict[str, App] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    def user(self, login: str) -> User:
        """Give the account with this login, making it where there is none."""
        key = login.lower()
        if key not in self.users:
            self.users[key] = User(next(self.ids), login, "Bot" if login.endswith("[bot]") else "User")
        return self.users[key]

    def repository(self, full_name: str) -> Repository | None:
        """Give the repository with this present name, None where there is none."""
        wanted = full_name.lower()
        return next((one for one in self.repositories.values() if one.full_name.lower() == wanted), None)

    def renamed(self, full_name: str) -> Repository | None:
        """Give the repository that once had this name and lives on under another."""
        return self.repositories.get(self.former_names.get(full_name.lower(), -1))

    def label(self, repository: Repository, name: str) -> Label:
        """Give a repository's label by name, making it where there is none."""
        return repository.labels.setdefault(name.lower(), Label(next(self.ids), name))
