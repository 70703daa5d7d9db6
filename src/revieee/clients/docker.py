"""The Docker Engine API over its socket: requests as plain values, answers as JSON or bytes.

The API is HTTP (https://docs.docker.com/reference/api/engine/); httpx speaks it over unix sockets, so this only adds
addresses, time limits and errors. It knows nothing of what the requests mean.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import quote

import httpcore
import httpx

from revieee.clients.wording import brief

OLDEST = (1, 41)
"""The oldest API version we speak: Docker 20.10."""

_MOST_LINE = 1 << 20
_MANY = 64
_PIECE = 65536

Json: TypeAlias = Any  # what `json.loads` gives; the readers check the shape


class DockerError(Exception):
    """Something between us and the engine did not work."""


class DockerAnswered(DockerError):
    """The engine said no. ``status`` is that of HTTP, ``message`` the engine's own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class DockerSilent(DockerError):
    """The engine is not there, or too slow."""


class DockerForbidden(DockerError):
    """This user may not talk to the engine."""


class DockerClient:
    """One engine.

    Args:
        host: ``unix:///path``, ``tcp://host:port``, ``http://…`` or ``https://…``.
        timeout: seconds that a call may take unless it says otherwise.
    """

    def __init__(self, host: str, *, timeout: float = 30.0) -> None:
        scheme, _, rest = host.partition("://")
        if scheme not in {"unix", "tcp", "http", "https"} or not rest:
            raise ValueError(f"{host!r} is no address of a Docker engine. Write unix:///path/to/docker.sock.")
        self.host = host
        self._timeout = timeout
        self._version = ""
        limits = httpx.Limits(max_connections=_MANY, max_keepalive_connections=16)
        path = f"/{rest.lstrip('/')}" if scheme == "unix" else None
        base = "http://docker" if path else f"{'http' if scheme == 'tcp' else scheme}://{rest}"
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=path, limits=limits, verify=scheme == "https"),
            base_url=base,
            timeout=httpx.Timeout(timeout),
            trust_env=False,
        )

    async def call(
        self,
        method: str,
        *path: str,
        query: Mapping[str, Json] | None = None,
        body: Json = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a limit of the whole call, whatever the caller waits for
    ) -> Json:
        """Send one request and give the answer's JSON, or None where it has none.

        Args:
            method: of HTTP.
            path: its parts, unquoted: ``("containers", name, "json")``.
            query: lists and mappings are sent as JSON, the way filters are.
            body: sent as JSON; bytes as a tar archive.
            timeout: seconds; None is the client's.

        Raises:
            DockerAnswered: status 400 and above.
            DockerSilent: no answer, or not in time.
            DockerForbidden: the socket is closed to this user.
        """
        async with self._in_time(timeout):
            url = f"{await self._base()}/{_join(path)}"
            response = await self._http.request(method, url, params=_query(query), **_content(body))
        if response.is_error:
            raise DockerAnswered(response.status_code, _message(response.content))
        return _json(response.content) if response.content else None

    @asynccontextmanager
    async def stream(
        self, method: str, *path: str, query: Mapping[str, Json] | None = None, patience: float | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send one request and give the answer's bytes as they come.

        Args:
            method: of HTTP.
            path: its parts, unquoted.
            query: as in :meth:`call`.
            patience: seconds that may pass between two pieces; None waits for ever.

        Raises:
            DockerAnswered: status 400 and above.
            DockerSilent: no answer, or it broke off.
            DockerForbidden: the socket is closed to this user.
        """
        limits = httpx.Timeout(self._timeout, read=patience)
        with _translated():
            async with self._in_time(None):
                url = f"{await self._base()}/{_join(path)}"
            request = self._http.build_request(method, url, params=_query(query), timeout=limits)
            response = await self._http.send(request, stream=True)
            try:
                if response.is_error:
                    raise DockerAnswered(response.status_code, _message(await response.aread()))
                yield response.aiter_bytes()
            finally:
                await response.aclose()

    @asynccontextmanager
    async def upgrade(self, *path: str, body: Json) -> AsyncIterator["Upgraded"]:
        """Send a POST and give the connection, which is no HTTP any more: a terminal's bytes.

        Raises:
            DockerAnswered: the engine does not.
            DockerSilent: no answer.
        """
        with _translated():
            async with self._in_time(None):
                url = f"{await self._base()}/{_join(path)}"
            headers = {"connection": "upgrade", "upgrade": "tcp"}
            request = self._http.build_request("POST", url, json=body, headers=headers)
            response = await self._http.send(request, stream=True)
            try:
                if response.status_code != httpx.codes.SWITCHING_PROTOCOLS:
                    raise DockerAnswered(response.status_code, _message(await response.aread()))
                yield Upgraded(response.extensions["network_stream"])
            finally:
                await response.aclose()

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def _base(self) -> str:
        if not self._version:
            response = await self._http.get("/version")
            if response.is_error:
                raise DockerAnswered(response.status_code, _message(response.content))
            self._version = _speak(_json(response.content))
        return f"/v{self._version}"

    @asynccontextmanager
    async def _in_time(self, seconds: float | None) -> AsyncIterator[None]:
        limit = self._timeout if seconds is None else seconds
        with _translated():
            try:
                async with asyncio.timeout(limit):
                    yield
            except TimeoutError as error:
                raise DockerSilent(f"no answer within {limit:g} seconds") from error


class Upgraded:
    """A connection that carries plain bytes both ways."""

    def __init__(self, stream: Json) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        """Give the next bytes; nothing at the end."""
        try:
            return bytes(await self._stream.read(_PIECE))
        except httpcore.NetworkError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        await self._stream.write(data)

    def end(self) -> None:
        """Say that nothing more is sent; what comes back can still be read."""
        self._stream.get_extra_info("socket").shutdown(socket.SHUT_WR)


class _translated:  # noqa: N801 - used as a function
    """Turns httpx's errors into ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, httpx.HTTPError):
            return
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, PermissionError):
                raise DockerForbidden("permission denied") from error
            cause = cause.__cause__ or cause.__context__
        raise DockerSilent(str(error) or type(error).__name__) from error


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[Mapping[str, Json]]:
    """Read a stream of JSON objects, one per line: events, the progress of a pull. Longer lines are skipped."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip() and isinstance(value := _json(line), dict):
                yield value
        if len(rest) > _MOST_LINE:
            rest = b""


def _speak(version: Mapping[str, Json]) -> str:
    """Choose the API version: the oldest that we know and the engine still speaks."""
    oldest = str(version.get("MinAPIVersion") or "1.0")
    major, _, minor = oldest.partition(".")
    chosen = max(OLDEST, (int(major), int(minor or 0)))
    return f"{chosen[0]}.{chosen[1]}"


def _join(path: tuple[str, ...]) -> str:
    if any(part in {"", ".", ".."} for part in path):
        raise ValueError(f"{path!r} does not name one thing of the engine")
    return "/".join(quote(part, safe="") for part in path)


def _query(query: Mapping[str, Json] | None) -> dict[str, str]:
    """Write a query as the API reads it."""
    return {name: _text(value) for name, value in (query or {}).items() if value is not None}


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _content(body: Json) -> dict[str, Json]:
    if body is None:
        return {}
    if isinstance(body, bytes):
        return {"content": body, "headers": {"content-type": "application/x-tar"}}
    return {"json": body}


def _json(content: bytes) -> Json:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _message(content: bytes) -> str:
    value = _json(content)
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return brief(str(value["message"]).strip())
    return brief(content.decode(errors="replace").strip())
