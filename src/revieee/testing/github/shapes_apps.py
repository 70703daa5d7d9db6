"""GitHub Apps, installations, hooks and deliveries as GitHub writes them (openapi: integration, installation, hook)."""

from __future__ import annotations

from revieee.testing.github import shapes
from revieee.testing.github.shapes import Address, Json, moment, moment_or_none, node_id
from revieee.testing.github.state import App, Hook, Installation


def app(at: Address, one: App) -> Json:
    """Write an app (openapi: integration)."""
    return {
        "id": one.id,
        "slug": one.slug,
        "client_id": one.client_id,
        "node_id": node_id("App", one.id),
        "owner": shapes.user(at, one.owner),
        "name": one.name,
        "description": "",
        "external_url": one.external_url,
        "html_url": f"{at.web}/apps/{one.slug}",
        "created_at": moment(one.created_at),
        "updated_at": moment(one.created_at),
        "permissions": one.permissions,
        "events": list(one.events),
    }


def installation(at: Address, one: Installation) -> Json:
    """Write an installation (openapi: installation)."""
    return {
        "id": one.id,
        "client_id": one.app.client_id,
        "account": shapes.user(at, one.account),
        "repository_selection": "all" if one.repository_ids is None else "selected",
        "access_tokens_url": f"{at.api}/app/installations/{one.id}/access_tokens",
        "repositories_url": f"{at.api}/installation/repositories",
        "html_url": f"{at.web}/settings/installations/{one.id}",
        "app_id": one.app.id,
        "app_slug": one.app.slug,
        "target_id": one.account.id,
        "target_type": one.account.type,
        "permissions": one.permissions,
        "events": list(one.app.events),
        "created_at": moment(one.created_at),
        "updated_at": moment(one.updated_at),
        "single_file_name": None,
        "suspended_at": moment_or_none(one.suspended_at),
        "suspended_by": None if one.suspended_at is None else shapes.user(at, one.account),
    }


def hook_config(one: Hook) -> Json:
    """Write where a hook goes; its secret is never shown again (openapi: webhook-config)."""
    config = {"content_type": one.content_type, "insecure_ssl": one.insecure_ssl, "url": one.url}
    return config | ({"secret": "********"} if one.secret else {})


def hook(at: Address, one: Hook) -> Json:
    """Write a hook (openapi: hook)."""
    base = f"{at.api}/app/hook" if one.repository is None else f"{at.repository(one.repository)}/hooks/{one.id}"
    unused = {"code": None, "status": "unused", "message": None}
    used = {"code": one.last_code, "status": "active" if one.last_code else "failed", "message": None}
    return {
        "type": "Repository" if one.repository is not None else "App",
        "id": one.id,
        "name": "web",
        "active": one.active,
        "events": list(one.events),
        "config": hook_config(one),
        "updated_at": moment(one.updated_at),
        "created_at": moment(one.created_at),
        "url": base,
        "test_url": f"{base}/test",
        "ping_url": f"{base}/pings",
        "deliveries_url": f"{base}/deliveries",
        "last_response": unused if one.last_code is None else used,
        **({} if one.app is None else {"app_id": one.app.id}),
    }
