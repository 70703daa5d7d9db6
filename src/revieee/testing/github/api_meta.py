"""REST: who am I, what is this, how much may I still ask."""

from __future__ import annotations

from starlette.responses import Response

from revieee.testing.github import shapes
from revieee.testing.github.api import Call, Rule, answer
from revieee.testing.github.auth import ApiError


async def get_user(call: Call) -> Response:
    """GET the signed-in person; an installation is no person."""
    if call.caller.installation is not None:
        raise ApiError(403, "Resource not accessible by integration")
    result = answer(shapes.public_user(call.at, call.caller.signed_in(), call.hub.clock()))
    result.headers["X-OAuth-Scopes"] = "admin:repo_hook, repo"
    return result


async def get_meta(call: Call) -> Response:  # noqa: ARG001 - a handler's form
    """GET what this installation of GitHub is; the version marks it as an Enterprise Server."""
    return answer({"verifiable_password_authentication": False, "installed_version": "3.14.0"})


async def get_rate_limit(call: Call) -> Response:
    """GET what remains; asking costs nothing."""
    limit = call.hub.faults.rate_limit
    reset = int((limit.reset or call.hub.clock()).timestamp())
    core = {"limit": limit.limit, "remaining": limit.remaining, "used": limit.limit - limit.remaining, "reset": reset}
    search = {"limit": 30, "remaining": 30, "used": 0, "reset": reset}
    return answer({"resources": {"core": core, "search": search}, "rate": core})


ROUTES = [
    Rule("GET", "/user", get_user),
    Rule("GET", "/meta", get_meta),
    Rule("GET", "/rate_limit", get_rate_limit),
]
