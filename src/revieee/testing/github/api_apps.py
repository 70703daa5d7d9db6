"""REST: GitHub Apps, their installations, tokens, webhook and manifest."""

from __future__ import annotations

from starlette.responses import Response

from revieee.testing.github import api_hooks, apps, shapes, shapes_apps
from revieee.testing.github.api import Call, Rule, answer, nothing, page, paged
from revieee.testing.github.auth import ApiError, not_found
from revieee.testing.github.shapes import moment
from revieee.testing.github.state import App, Installation, Repository


def _app(call: Call) -> App:
    if call.caller.app is None:
        raise ApiError(401, "A JSON web token could not be decoded")
    return call.caller.app


def _installation(call: Call) -> Installation:
    found = call.hub.state.installations.get(call.number("installation_id"))
    if found is None or found.app is not _app(call):
        raise not_found()
    return found


async def get_app(call: Call) -> Response:
    """GET the app that asks."""
    app = _app(call)
    count = sum(one.app is app for one in call.hub.state.installations.values())
    return answer(shapes_apps.app(call.at, app) | {"installations_count": count})


async def list_installations(call: Call) -> Response:
    """GET the app's installations."""
    app = _app(call)
    found = [one for one in call.hub.state.installations.values() if one.app is app]
    return paged(call, found, lambda one: shapes_apps.installation(call.at, one))


async def get_installation(call: Call) -> Response:
    """GET one installation."""
    return answer(shapes_apps.installation(call.at, _installation(call)))


async def delete_installation(call: Call) -> Response:
    """DELETE an installation."""
    apps.uninstall(call.hub, _installation(call))
    return nothing()


async def repository_installation(call: Call) -> Response:
    """GET the app's installation that covers a repository, named by path, also a private one."""
    app = _app(call)
    found = call.hub.state.repository(f"{call.path('account')}/{call.path('name')}")
    for one in call.hub.state.installations.values():
        if found is not None and one.app is app and one.covers(found):
            return answer(shapes_apps.installation(call.at, one))
    raise not_found()


async def create_token(call: Call) -> Response:
    """POST: give out a token of an installation, for some repositories and rights or for all."""
    one, body = _installation(call), call.body
    ids: list[int] | None = None
    if body.get("repository_ids") or body.get("repositories"):
        names = {str(name).lower() for name in body.get("repositories") or []}
        every = call.hub.state.repositories.values()
        ids = [int(number) for number in body.get("repository_ids") or []]
        found = [repository for repository in every if one.covers(repository) and repository.name.lower() in names]
        ids += [repository.id for repository in found] if len(found) == len(names) else [-1]
    token = apps.installation_token(call.hub, one, dict(body.get("permissions") or {}), ids)
    shape = {
        "token": token.value,
        "expires_at": moment(token.expires_at or call.hub.clock()),
        "permissions": token.permissions,
    }
    selection = "all" if one.repository_ids is None and ids is None else "selected"
    return answer(shape | {"repository_selection": selection}, 201)


def _page_of_repositories(call: Call, found: list[Repository]) -> Response:
    part, links = page(call, found)
    listed = [shapes.repository(call.at, one) for one in part]
    result = answer({"total_count": len(found), "repositories": listed})
    result.headers.update(links)
    return result


async def installation_repositories(call: Call) -> Response:
    """GET the repositories that the installation's token reaches."""
    if call.caller.installation is None:
        words = "You must authenticate with an installation access token in order to list repositories"
        raise ApiError(403, f"{words} for an installation.")
    return _page_of_repositories(
        call, [one for one in call.hub.state.repositories.values() if call.caller.reaches(one)]
    )


async def user_installations(call: Call) -> Response:
    """GET the installations that the signed-in person can reach."""
    user = call.caller.signed_in()
    found = [one for one in call.hub.state.installations.values() if _shared(call, one) or one.account is user]
    part, _ = page(call, found)
    return answer(
        {"total_count": len(found), "installations": [shapes_apps.installation(call.at, one) for one in part]}
    )


def _shared(call: Call, one: Installation) -> list[Repository]:
    user = call.caller.signed_in()
    every = call.hub.state.repositories.values()
    return [repo for repo in every if one.covers(repo) and (repo.owner is user or user.login.lower() in repo.roles)]


async def user_installation_repositories(call: Call) -> Response:
    """GET the repositories of an installation that the signed-in person can reach."""
    one = call.hub.state.installations.get(call.number("installation_id"))
    if one is None:
        raise not_found()
    return _page_of_repositories(call, _shared(call, one))


async def get_hook_config(call: Call) -> Response:
    """GET where the app's webhook goes."""
    return answer(shapes_apps.hook_config(_app(call).hook))


async def edit_hook_config(call: Call) -> Response:
    """PATCH where the app's webhook goes; what is not sent stays."""
    hook = _app(call).hook
    api_hooks.configure(hook, {"secret": hook.secret, "insecure_ssl": hook.insecure_ssl, **call.body})
    return answer(shapes_apps.hook_config(hook))


async def list_deliveries(call: Call) -> Response:
    """GET the deliveries of the app's webhook, newest first."""
    return paged(call, call.hub.webhooks.of(_app(call).hook), api_hooks.delivery)


async def redeliver(call: Call) -> Response:
    """POST: deliver again."""
    return api_hooks.again(call, _app(call).hook)


async def convert_manifest(call: Call) -> Response:
    """POST the code of a registration by manifest, once: gives the app with its key and secrets."""
    app = call.hub.state.manifests.pop(call.path("code"), None)
    if app is None:
        raise not_found()
    kept = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "webhook_secret": app.hook.secret,
        "pem": app.pem,
    }
    return answer(shapes_apps.app(call.at, app) | kept, 201)


INSTALLATION = "/app/installations/{installation_id}"
ROUTES = [
    Rule("GET", "/app", get_app),
    Rule("GET", "/app/installations", list_installations),
    Rule("GET", INSTALLATION, get_installation),
    Rule("DELETE", INSTALLATION, delete_installation),
    Rule("POST", f"{INSTALLATION}/access_tokens", create_token),
    Rule("GET", "/repos/{account}/{name}/installation", repository_installation),
    Rule("GET", "/installation/repositories", installation_repositories),
    Rule("GET", "/user/installations", user_installations),
    Rule("GET", "/user/installations/{installation_id}/repositories", user_installation_repositories),
    Rule("GET", "/app/hook/config", get_hook_config),
    Rule("PATCH", "/app/hook/config", edit_hook_config),
    Rule("GET", "/app/hook/deliveries", list_deliveries),
    Rule("POST", "/app/hook/deliveries/{delivery_id}/attempts", redeliver),
    Rule("POST", "/app-manifests/{code}/conversions", convert_manifest),
]
