"""What happens to GitHub Apps: registered, installed, given more or fewer repositories, removed; and their tokens."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from revieee.testing.github import events
from revieee.testing.github.auth import ApiError
from revieee.testing.github.hub import Hub
from revieee.testing.github.state import App, Hook, Installation, Repository, Token, User

TOKEN_LIFE = timedelta(hours=1)
"""How long an installation's token lives."""

PERMISSIONS = {
    "metadata": "read",
    "contents": "read",
    "pull_requests": "write",
    "issues": "write",
    "deployments": "write",
    "statuses": "write",
}


@dataclass(frozen=True)
class NewApp:
    """An app to register."""

    name: str
    owner: str
    webhook_url: str = ""
    secret: str = ""
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))
    events: tuple[str, ...] = ("pull_request", "push", "issue_comment", "repository", "delete")
    external_url: str = "https://revieee.example"


def register(hub: Hub, new: NewApp) -> App:
    """Register an app, with a private key made for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    slug = re.sub(r"[^a-z0-9]+", "-", new.name.lower()).strip("-")
    now = hub.clock()
    hook = Hook(hub.new_id(), new.webhook_url, new.secret, now, now, events=new.events)
    app = App(
        hub.new_id(), slug, new.name, hub.state.user(new.owner), hub.state.user(f"{slug}[bot]"), pem.decode(),
        public.decode(), f"Iv1.{secrets.token_hex(8)}", secrets.token_hex(20), hook,
        {"metadata": "read", **new.permissions}, now, new.external_url,
    )  # fmt: skip
    hook.app = app
    hub.state.apps[app.id] = app
    return app


def by_manifest(hub: Hub, owner: str, manifest: Mapping[str, Any]) -> str:
    """Register an app by its manifest, as the owner's click does; gives the code that is turned into its keys once."""
    hook = manifest.get("hook_attributes") or {}
    new = NewApp(
        str(manifest["name"]), owner, str(hook.get("url", "")), secrets.token_hex(20),
        dict(manifest.get("default_permissions") or {}), tuple(manifest.get("default_events") or ()),
        str(manifest.get("url", "")),
    )  # fmt: skip
    code = secrets.token_hex(20)
    hub.state.manifests[code] = register(hub, new)
    return code


def _covered(hub: Hub, one: Installation) -> list[Repository]:
    return [repository for repository in hub.state.repositories.values() if one.covers(repository)]


def install(hub: Hub, app: App, account: User, chosen: Iterable[Repository] | None) -> Installation:
    """Install an app on an account: on the chosen repositories, or (None) on all, also those to come."""
    ids = None if chosen is None else {one.id for one in chosen}
    now = hub.clock()
    one = Installation(hub.new_id(), app, account, dict(app.permissions), now, now, ids)
    hub.state.installations[one.id] = one
    hub.webhooks.emit(events.installation(hub.at, "created", one, _covered(hub, one), account))
    return one


def uninstall(hub: Hub, one: Installation) -> None:
    """Remove an installation; its tokens are worth nothing from now on."""
    repositories = _covered(hub, one)
    del hub.state.installations[one.id]
    hub.webhooks.emit(events.installation(hub.at, "deleted", one, repositories, one.account))


def suspend(hub: Hub, one: Installation, *, suspended: bool) -> None:
    """Suspend an installation, or take it up again."""
    one.suspended_at = hub.clock() if suspended else None
    action = "suspend" if suspended else "unsuspend"
    hub.webhooks.emit(events.installation(hub.at, action, one, _covered(hub, one), one.account))


def choose(hub: Hub, one: Installation, added: list[Repository], removed: list[Repository]) -> None:
    """Add repositories to an installation with chosen ones, and remove others."""
    ids = {repository.id for repository in _covered(hub, one)} if one.repository_ids is None else one.repository_ids
    one.repository_ids = (ids | {new.id for new in added}) - {old.id for old in removed}
    one.updated_at = hub.clock()
    if added:
        hub.webhooks.emit(events.installation_repositories(hub.at, one, added, [], one.account))
    if removed:
        hub.webhooks.emit(events.installation_repositories(hub.at, one, [], removed, one.account))


def personal_token(hub: Hub, user: User) -> Token:
    """Give a person a token that does not end."""
    token = Token(f"ghp_{secrets.token_hex(18)}", user)
    hub.state.tokens[token.value] = token
    return token


def installation_token(hub: Hub, one: Installation, permissions: dict[str, str], ids: Iterable[int] | None) -> Token:
    """Give out an installation's token, with all of its rights or with fewer.

    Raises:
        ApiError: 422, more was asked than the installation has; 403, it is suspended.
    """
    if one.suspended_at is not None:
        raise ApiError(403, "This installation has been suspended")
    for name, level in permissions.items():
        if one.permissions.get(name) not in {level, "write"}:
            raise ApiError(422, "The permissions requested are not granted to this installation.")
    wanted = None if ids is None else frozenset(ids)
    if wanted is not None and not wanted <= {repository.id for repository in _covered(hub, one)}:
        raise ApiError(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        )
    rights = {"metadata": "read", **permissions} if permissions else dict(one.permissions)
    token = Token(f"ghs_{secrets.token_hex(18)}", one.app.bot, one, hub.clock() + TOKEN_LIFE, rights, wanted)
    hub.state.tokens[token.value] = token
    return token
