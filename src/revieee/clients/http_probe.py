"""One HTTP request that tells whether a port answers. What answers is hostile: nothing of it is kept but the status."""

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import quote

_FIRST_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")
_MOST = 4096
_PRINTABLE = "/?&=%:@!$'()*+,;~-._"
_BELOW = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What the port did."""

    healthy: bool
    words: str = ""
    """Why it is not healthy, for people."""
    listening: bool = True
    """Whether anything took the connection."""


async def probe(host: str, port: int, path: str, *, within: float) -> Answer:
    """Ask ``GET path``; a status below 500 is healthy, redirects (not followed) and 401 included.

    Args:
        host: an IP address.
        port: of TCP.
        path: the author's; what may not stand in a request line is quoted.
        within: seconds for everything.
    """
    try:
        async with asyncio.timeout(within):
            return await _ask(host, port, path)
    except TimeoutError:
        return Answer(healthy=False, words=f"port {port} did not answer within {within:g} seconds")
    except ConnectionRefusedError:
        return Answer(healthy=False, words=f"nothing listens on port {port}", listening=False)
    except OSError as error:
        return Answer(healthy=False, words=f"port {port} broke off the connection ({error.strerror or error})")


async def _ask(host: str, port: int, path: str) -> Answer:
    target = quote(path if path.startswith("/") else f"/{path}", safe=_PRINTABLE)
    reader, writer = await asyncio.open_connection(host, port, limit=_MOST)
    try:
        head = (f"GET {target} HTTP/1.1", "Host: localhost", "User-Agent: revieee", "Accept: */*", "Connection: close")
        writer.write("\r\n".join((*head, "", "")).encode("ascii"))
        await writer.drain()
        line = await _first_line(reader)
    finally:
        writer.transport.abort()
    found = _FIRST_LINE.match(line)
    if not found:
        return Answer(healthy=False, words=f"port {port} answers, but not with HTTP")
    status = int(found[1])
    if status < _BELOW:
        return Answer(healthy=True)
    return Answer(healthy=False, words=f"GET {target} on port {port} answers {status}")


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    """Read at most ``_MOST`` bytes, up to the end of the first line."""
    line = b""
    while b"\n" not in line and len(line) < _MOST and (piece := await reader.read(_MOST - len(line))):
        line += piece
    return line
