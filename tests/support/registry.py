"""A registry of this machine that has nothing, and says so in one of the ways in which registries do."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

JSON = "Content-Type: application/json\r\n"


def says(code: str, message: str) -> str:
    """The body of a registry's error (distribution's ``errcode``)."""
    return json.dumps({"errors": [{"code": code, "message": message}]})


PASSING = {
    "busy": ("429 Too Many Requests", JSON, says("TOOMANYREQUESTS", "You have reached your pull rate limit.")),
    "busy, and says so in its own words": ("429 Too Many Requests", "", "slow down: access denied, not found"),
    "down": ("503 Service Unavailable", "", ""),
    "behind a gateway": ("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>not found</html>"),
    "gone in the middle": ("", "", ""),
}
"""What passes: status, headers, body; without a status the connection is closed."""
FINAL = {
    "no such image": ("404 Not Found", JSON, says("MANIFEST_UNKNOWN", "manifest unknown")),
    "no such page": ("404 Not Found", "", "<html>here is nothing</html>"),
    "login": ("401 Unauthorized", f'{JSON}WWW-Authenticate: Basic realm="x"\r\n', says("UNAUTHORIZED", "who is it?")),
    "forbidden": ("403 Forbidden", JSON, says("DENIED", "requested access to the resource is denied")),
}
"""What will be the same the next time."""


@contextlib.asynccontextmanager
async def registry(answer: tuple[str, str, str]) -> AsyncIterator[str]:
    """A registry of which every image is answered so; gives its host and port."""
    status, headers, body = answer

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            first = await reader.readexactly(1)
            if first == b"\x16":  # TLS, which engines try first
                raise ConnectionAbortedError
            method, path, *_ = (first + await reader.readuntil(b"\r\n\r\n")).split()
            parts = ("200 OK", JSON, "{}") if path == b"/v2/" else (status, headers, "" if method == b"HEAD" else body)
            if parts[0]:
                head = f"HTTP/1.1 {parts[0]}\r\n{parts[1]}Connection: close\r\n"
                writer.write(f"{head}Content-Length: {len(parts[2])}\r\n\r\n{parts[2]}".encode())
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"
