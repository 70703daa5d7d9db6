"""REST: webhooks of repositories, and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from revieee.testing.github import events, repositories, shapes_apps
from revieee.testing.github.api import Call, Rule, answer, nothing, paged
from revieee.testing.github.auth import ApiError, not_found
from revieee.testing.github.hub import DefaultHook, invalid
from revieee.testing.github.shapes import Json, moment
from revieee.testing.github.state import Hook
from revieee.testing.github.webhooks import Delivery

HOOKS = "/repos/{owner}/{repo}/hooks"
HOOK = "/repos/{owner}/{repo}/hooks/{hook_id}"


def _hook(call: Call) -> Hook:
    found = call.repository.hooks.get(call.number("hook_id"))
    if found is None:
        raise not_found()
    return found


def configure(hook: Hook, config: Mapping[str, object]) -> None:
    """Change where a hook goes; a secret that is not sent is taken away, as GitHub does on a full `config`."""
    kind = str(config.get("content_type", hook.content_type))
    if kind not in {"json", "form"}:
        raise invalid("Hook", "content_type", "content_type is not one of json, form")
    hook.url, hook.content_type = str(config.get("url", hook.url)), kind
    hook.secret, hook.insecure_ssl = str(config.get("secret", "")), str(config.get("insecure_ssl", "0"))


async def list_hooks(call: Call) -> Response:
    """GET hooks."""
    return paged(call, list(call.repository.hooks.values()), lambda one: shapes_apps.hook(call.at, one))


async def create_hook(call: Call) -> Response:
    """POST a hook; it is pinged at once. A second one with the same address is refused."""
    config = call.body.get("config")
    if not isinstance(config, dict) or not config.get("url"):
        raise invalid("Hook", "url", "url cannot be blank", "missing_field")
    if any(one.url == config["url"] for one in call.repository.hooks.values()):
        raise ApiError(
            422,
            "Validation Failed",
            [{"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"}],
        )
    asked = call.body.get("events") or ["push"]
    kind = str(config.get("content_type", "form"))
    new = DefaultHook(str(config["url"]), str(config.get("secret", "")), kind, tuple(map(str, asked)))
    hook = repositories.add_hook(call.hub, call.repository, new)
    hook.active = call.flag("active", default=True)
    return answer(shapes_apps.hook(call.at, hook), 201)


async def get_hook(call: Call) -> Response:
    """GET one hook."""
    return answer(shapes_apps.hook(call.at, _hook(call)))


async def edit_hook(call: Call) -> Response:
    """PATCH a hook."""
    hook, body = _hook(call), call.body
    if isinstance(body.get("config"), dict):
        configure(hook, body["config"])
    chosen = list(map(str, body.get("events") or hook.events)) + list(map(str, body.get("add_events") or []))
    dropped = set(map(str, body.get("remove_events") or []))
    hook.events = tuple(dict.fromkeys(one for one in chosen if one not in dropped))
    hook.active, hook.updated_at = call.flag("active", hook.active), call.hub.clock()
    return answer(shapes_apps.hook(call.at, hook))


async def delete_hook(call: Call) -> Response:
    """DELETE a hook."""
    del call.repository.hooks[_hook(call).id]
    return nothing()


async def ping_hook(call: Call) -> Response:
    """POST: send a ping."""
    hook = _hook(call)
    call.hub.webhooks.send_to(hook, events.ping(call.at, hook, call.caller.signed_in()))
    return nothing()


def delivery(one: Delivery) -> Json:
    """Write a delivery as lists do (openapi: hook-delivery-item)."""
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": moment(one.delivered_at),
        "redelivery": one.redelivery,
        "duration": one.duration,
        "status": one.status,
        "status_code": one.status_code,
        "event": one.event,
        "action": one.action,
        "installation_id": None if one.installation is None else one.installation.id,
        "repository_id": one.repository_id,
        "throttled_at": None,
    }


async def list_deliveries(call: Call) -> Response:
    """GET a hook's deliveries, newest first."""
    return paged(call, call.hub.webhooks.of(_hook(call)), delivery)


async def redeliver(call: Call) -> Response:
    """POST: deliver again."""
    return again(call, _hook(call))


def again(call: Call, hook: Hook) -> Response:
    """Deliver one of a hook's deliveries again."""
    wanted = call.number("delivery_id")
    for one in call.hub.webhooks.of(hook):
        if one.id == wanted:
            call.hub.webhooks.redeliver(one)
            return answer({}, 202)
    raise not_found()


READ, WRITE = ("repository_hooks:read",), ("repository_hooks:write",)
ROUTES = [
    Rule("GET", HOOKS, list_hooks, "admin", READ),
    Rule("POST", HOOKS, create_hook, "admin", WRITE),
    Rule("GET", HOOK, get_hook, "admin", READ),
    Rule("PATCH", HOOK, edit_hook, "admin", WRITE),
    Rule("DELETE", HOOK, delete_hook, "admin", WRITE),
    Rule("POST", f"{HOOK}/pings", ping_hook, "admin", WRITE),
    Rule("GET", f"{HOOK}/deliveries", list_deliveries, "admin", READ),
    Rule("POST", f"{HOOK}/deliveries/{{delivery_id}}/attempts", redeliver, "admin", WRITE),
]
