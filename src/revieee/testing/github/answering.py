"""How a request is met: counted, made to go wrong on demand, and its errors put into GitHub's words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from revieee.testing.github.auth import ApiError
from revieee.testing.github.faults import Asked, Fault
from revieee.testing.github.git import GitFailed
from revieee.testing.github.hub import Hub

DOCUMENTATION = "https://docs.github.com/rest"
SECONDARY_LIMIT = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."

Work = Callable[[], Awaitable[Response]]


class NoAnswer(Response):
    """No answer at all: waits until the asker is gone, or drops the connection at once."""

    def __init__(self, hub: Hub, *, cut: bool) -> None:
        super().__init__()
        self.status_code, self._hub, self._cut = 0, hub, cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Send nothing."""
        if self._cut:
            self._hub.cut(scope["client"])
        while (await receive())["type"] != "http.disconnect":
            continue


def error(problem: ApiError) -> Response:
    """Write an error as GitHub's JSON."""
    content: dict[str, object] = {"message": problem.message}
    if problem.errors is not None:
        content["errors"] = problem.errors
    return JSONResponse(content | {"documentation_url": DOCUMENTATION, "status": str(problem.status)}, problem.status)


async def met(hub: Hub, request: Request, route: str, work: Work) -> Response:
    """Answer a request by `work`, unless a fault meets it; either way it is counted under `route`."""
    fault = hub.faults.take(route)
    answer = await _answer(hub, fault, work)
    hub.faults.record(Asked(route, request.url.path, getattr(request.state, "login", None), answer.status_code))
    return answer


async def _answer(hub: Hub, fault: Fault | None, work: Work) -> Response:
    if fault is None:
        return await work()
    if fault.kind == "hold":
        await fault.gate.wait()
    elif fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "landed":
        await work()
        return NoAnswer(hub, cut=True)
    elif fault.kind in {"hang", "cut"}:
        return NoAnswer(hub, cut=fault.kind == "cut")
    else:
        return _refusal(hub, fault)
    return await work()


def _refusal(hub: Hub, fault: Fault) -> Response:
    if fault.kind == "bad gateway":
        return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
    status, message = {
        "error": (500, "Server Error"),
        "unavailable": (503, "Service unavailable"),
        "unauthorized": (401, "Bad credentials"),
        "forbidden": (403, "Resource not accessible by integration"),
        "secondary limit": (403, SECONDARY_LIMIT),
        "rate limit": (403, "API rate limit exceeded for this token."),
        "not found": (404, "Not Found"),
    }[fault.kind]
    answer = error(ApiError(status, message))
    if fault.kind == "secondary limit":
        answer.headers["Retry-After"] = str(int(fault.seconds))
    if fault.kind == "rate limit":
        reset = int(hub.clock().timestamp() + fault.seconds)
        answer.headers.update({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)})
    return answer


async def in_words(work: Work) -> Response:
    """Do the work; what it raises becomes GitHub's answer."""
    try:
        return await work()
    except ApiError as problem:
        return error(problem)
    except GitFailed as problem:
        return error(ApiError(409, f"Git refused: {problem}"))
