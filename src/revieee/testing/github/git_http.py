"""Git over HTTP, by git's own `git http-backend` (git-http-backend(1)), called as a web server would (RFC 3875)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from revieee.testing.github import answering, repositories
from revieee.testing.github.auth import ApiError, Caller, authenticate
from revieee.testing.github.git import ENVIRONMENT, NOTHING
from revieee.testing.github.hub import Hub
from revieee.testing.github.state import ROLES, Repository

CHUNK = 65536
LONGEST_HEADER = 65536
CHALLENGE = {"WWW-Authenticate": 'Basic realm="GitHub"'}


@dataclass(frozen=True)
class Errand:
    """What git asks: of which repository, who, and whether it wants to push."""

    repository: Repository
    caller: Caller
    action: str
    pushes: bool


def routes(hub: Hub) -> list[Route]:
    """Make the routes of the smart protocol (gitprotocol-http(5)), with and without `.git`."""
    actions = {"info/refs": "GET", "git-upload-pack": "POST", "git-receive-pack": "POST"}
    return [
        Route(f"/{{owner}}/{{repo}}/{action}", _endpoint(hub, action, method), methods=[method])
        for action, method in actions.items()
    ]


def _endpoint(hub: Hub, action: str, method: str) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        return await answering.met(hub, request, f"{method} git/{action}", lambda: _serve(hub, request, action))

    return respond


async def _serve(hub: Hub, request: Request, action: str) -> Response:
    name = f"{request.path_params['owner']}/{request.path_params['repo'].removesuffix('.git')}"
    former = hub.state.renamed(name) if hub.state.repository(name) is None else None
    if former is not None and action == "info/refs":
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{hub.at.web}/{former.full_name}.git/{action}{query}", 301)
    pushes = "git-receive-pack" in {action, request.query_params.get("service")}
    try:
        caller = authenticate(hub.state, request.headers.get("Authorization"), hub.clock())
    except ApiError:
        return PlainTextResponse("Invalid username or token.\n", 401, CHALLENGE)
    request.state.login = caller.login
    repository = hub.state.repository(name) or former
    if repository is None or not caller.sees(repository) or (pushes and not _may_push(caller, repository)):
        return _refusal(caller, hidden=repository is None or not caller.sees(repository))
    return await _run(hub, request, Errand(repository, caller, action, pushes))


def _may_push(caller: Caller, repository: Repository) -> bool:
    if caller.installation is not None:
        return caller.reaches(repository) and caller.permissions.get("contents") == "write"
    return ROLES.index(repository.role(caller.user)) >= ROLES.index("write")


def _refusal(caller: Caller, *, hidden: bool) -> Response:
    if caller.user is None:
        return PlainTextResponse("Authentication required.\n", 401, CHALLENGE)
    return (
        PlainTextResponse("Repository not found.\n", 404) if hidden else PlainTextResponse("Permission denied.\n", 403)
    )


def _environment(hub: Hub, request: Request, errand: Errand) -> dict[str, str]:
    variables = {
        "GIT_PROJECT_ROOT": str(hub.git.folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{errand.repository.id}.git/{errand.action}",
        "QUERY_STRING": request.url.query,
        "REQUEST_METHOD": request.method,
        "REMOTE_USER": errand.caller.login or "",
        "REMOTE_ADDR": request.client.host if request.client else "",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    passed = {
        "CONTENT_TYPE": "Content-Type",
        "CONTENT_LENGTH": "Content-Length",
        "HTTP_CONTENT_ENCODING": "Content-Encoding",
        "GIT_PROTOCOL": "Git-Protocol",
    }
    headers = request.headers
    return ENVIRONMENT | variables | {name: headers[header] for name, header in passed.items() if header in headers}


async def _run(hub: Hub, request: Request, errand: Errand) -> Response:
    """Start the backend, feed it the request, and stream what it says; a push is looked at when it is done."""
    before = await hub.git.branches(errand.repository.id) if errand.action == "git-receive-pack" else {}
    process = await asyncio.create_subprocess_exec(
        "git", "http-backend",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=_environment(hub, request, errand), limit=LONGEST_HEADER,
    )  # fmt: skip
    feeding = asyncio.create_task(_feed(request, process))
    status, headers = await _head(process)

    async def body() -> AsyncIterator[bytes]:
        try:
            while chunk := await _stdout(process).read(CHUNK):
                yield chunk
            await process.wait()
            if errand.action == "git-receive-pack":
                await _pushed(hub, errand, before)
        finally:
            feeding.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    if errand.action == "git-receive-pack":
        # Small, and what it changed must be told even if the one who pushed hangs up early.
        return Response(b"".join([chunk async for chunk in body()]), status, headers)
    return StreamingResponse(body(), status, headers)


def _stdout(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise RuntimeError("the backend was started without a pipe")
    return process.stdout


async def _feed(request: Request, process: asyncio.subprocess.Process) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(ClientDisconnect, ConnectionError):
        async for chunk in request.stream():
            process.stdin.write(chunk)
            await process.stdin.drain()
    process.stdin.close()


async def _head(process: asyncio.subprocess.Process) -> tuple[int, dict[str, str]]:
    status, headers = 200, {}
    while line := (await _stdout(process).readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return (status, headers) if headers or status != 200 else (500, {})  # noqa: PLR2004 - OK


async def _pushed(hub: Hub, errand: Errand, before: dict[str, str]) -> None:
    after = await hub.git.branches(errand.repository.id)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    moves = {name: (before.get(name, NOTHING), after.get(name, NOTHING)) for name in names}
    await repositories.moved(hub, errand.repository, moves, errand.caller.signed_in())
