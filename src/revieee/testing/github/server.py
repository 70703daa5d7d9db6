"""The practice GitHub's web application, and the server that runs it inside a test or a command."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from revieee.testing.github import (
    answering,
    api,
    api_apps,
    api_comments,
    api_deployments,
    api_hooks,
    api_meta,
    api_pulls,
    api_repositories,
    git_http,
    pages,
)
from revieee.testing.github.auth import not_found
from revieee.testing.github.hub import Hub

RULES = [
    *api_meta.ROUTES,
    *api_apps.ROUTES,
    *api_deployments.ROUTES,
    *api_pulls.ROUTES,
    *api_comments.ROUTES,
    *api_hooks.ROUTES,
    *api_repositories.ROUTES,
    *api_repositories.COMMIT_ROUTES,
]


GRACE_SECONDS = 1.0
"""How long work on a dropped connection may go on at the end."""


class ById:
    """Lets `/repositories/{id}/…`, where GitHub sends who uses a former name, answer like `/repos/{owner}/{repo}/…`."""

    def __init__(self, app: ASGIApp, hub: Hub, prefix: str) -> None:
        self.app, self.hub, self.prefix = app, hub, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the path and pass on."""
        start = f"{self.prefix}/repositories/"
        path = scope.get("path", "")
        if path.startswith(start):
            number, slash, rest = path[len(start) :].partition("/")
            found = self.hub.state.repositories.get(int(number) if number.isdecimal() else -1)
            if found is not None:
                scope = {**scope, "path": f"{self.prefix}/repos/{found.full_name}{slash}{rest}"}
        await self.app(scope, receive, send)


def application(hub: Hub, prefix: str) -> ASGIApp:
    """Put the API (below `prefix`), git and the pages together."""

    async def unknown(request: Request) -> Response:
        route = f"{request.method} {request.url.path.removeprefix(prefix)}"
        return await answering.met(hub, request, route, _no_route)

    routes = api.routes(hub, prefix, RULES) + git_http.routes(hub)
    if prefix:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        routes.append(Route(prefix + "/{rest:path}", unknown, methods=methods))
    return ById(Starlette(routes=[*routes, *pages.routes(hub)]), hub, prefix)


async def _no_route() -> Response:
    return answering.error(not_found())


class _Quiet(uvicorn.Server):
    """A server that leaves the process's signals to whoever runs it, and says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready, self.stopping = asyncio.Event(), asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Wait for the end instead of looking for it ten times a second."""
        await self.on_tick(0)
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop all connections at once and end what still worked on them: nobody waits for a practice server."""
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()


class Server:
    """An HTTP server on one address, running in the present event loop."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        # asyncio sets it only where the socket names its protocol; without it every POST waits 40 ms for an ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._server: _Quiet | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: ASGIApp) -> None:
        """Serve from now on."""
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,  # made once a second by the loop that we do without
        )
        self._server = _Quiet(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self._server.ready.wait()

    def cut(self, client: tuple[str, int] | None) -> None:
        """Drop the connection of a client (host, port)."""
        if self._server is None or client is None:
            return
        for connection in list(self._server.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                connection.transport.abort()

    async def stop(self) -> None:
        """Drop all connections and stop."""
        if self._server is None or self._task is None:
            self._socket.close()
            return
        self._server.stopping.set()
        await self._task
