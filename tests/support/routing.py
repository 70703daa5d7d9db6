"""A real nginx of ours, a control plane behind it in this process, and apps that do as a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn

from revieee.model.route import Endpoint, Route, RouteState
from revieee.model.view import View
from revieee.routers.nginx import NginxRouter, RouterOptions
from revieee.web import create_app
from revieee.web.questions import Figures


@dataclass
class Answers:
    """The control plane's knowledge, and a record of what it was asked."""

    routes: dict[str, Route] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, it makes every answer wait."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def route(self, hostname: str) -> Route | None:
        self.asked.append(hostname)
        await self.gate.wait()
        return self.routes.get(hostname)

    async def view(self, hostname: str) -> View | None:
        self.asked.append(f"page {hostname}")
        await self.gate.wait()
        return self.views.get(hostname)

    async def figures(self) -> Figures:
        return {"environments": ("Environments.", {"present": 3})}

    async def environments(self) -> int:
        return len(self.views)

    async def ready(self) -> Sequence[str]:
        return []


@dataclass
class Place:
    """A router and what is behind it."""

    router: NginxRouter
    answers: Answers
    control: uvicorn.Server | None = None

    @property
    def port(self) -> int:
        return self.router.options.listen[1]

    async def get(self, host: str, path: str = "/", **headers: str) -> httpx.Response:
        return await self.ask("GET", host, path, headers=headers)

    async def ask(
        self, method: str, host: str, path: str = "/", *, headers: dict[str, str] | None = None, content: bytes = b""
    ) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            url = f"http://127.0.0.1:{self.port}{path}"
            return await client.request(method, url, headers={"Host": host, **(headers or {})}, content=content)

    async def raw(self, request: bytes) -> bytes:
        """Send bytes as they are, and give all that comes back until the connection closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        await writer.wait_closed()
        return answer

    async def start_control(self) -> None:
        app = create_app(self.answers)
        config = uvicorn.Config(
            app, uds=str(self.router.options.control_sockets[0]), log_level="warning", ws="none", lifespan="off"
        )
        self.control = uvicorn.Server(config)
        self._task = asyncio.create_task(self.control.serve())
        while not self.control.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)

    async def stop_control(self) -> None:
        if self.control:
            self.control.should_exit = True
            self.control.force_exit = True
            self.answers.gate.set()
            await self._task
            self.control = None


@asynccontextmanager
async def running(options: RouterOptions) -> AsyncIterator[Place]:
    """Run a router with these options until the block ends."""
    place = Place(NginxRouter(options), Answers())
    try:
        await place.router.ensure()
        yield place
    finally:
        await place.stop_control()
        await place.router.stop()


@dataclass
class Request:
    """What an app was sent."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        pairs = (line.partition(b": ") for line in self.head.split(b"\r\n")[1:] if line)
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, _, value in pairs}

    async def body(self) -> bytes:
        return await self.reader.readexactly(int(self.headers.get("content-length", "0")))

    async def answer(self, body: bytes = b"", status: str = "200 OK", headers: str = "") -> None:
        self.writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        await self.writer.drain()


@dataclass
class App:
    """A web app that does as a test says."""

    endpoint: Endpoint
    requests: list[Request]
    connections: list[asyncio.StreamWriter]

    def route(self, hostname: str, version: int, state: RouteState = RouteState.UP) -> Route:
        return Route(hostname=hostname, state=state, endpoint=self.endpoint, version=version)


Does = Callable[[Request], Awaitable[None]]


@asynccontextmanager
async def app(does: Does) -> AsyncIterator[App]:
    """Run an app until the block ends."""
    requests: list[Request] = []
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request = Request(head.removesuffix(b"\r\n"), reader, writer)
                requests.append(request)
                await does(request)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield App(Endpoint(host, port), requests, connections)
    finally:
        server.close()
        for writer in connections:
            writer.close()
        await server.wait_closed()
        await asyncio.sleep(0)


def says(text: str) -> Does:
    """An app that answers everything with one text."""

    async def does(request: Request) -> None:
        await request.body()
        await request.answer(text.encode())

    return does
