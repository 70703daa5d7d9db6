"""Talks to a running nginx of ours over its unix socket. Knows paths and lines, not what they mean.

A connection per call: a unix socket costs microseconds, and nothing of an event loop outlives a call.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_LONGEST_ADDRESS = 100
"""Bytes of a unix socket's path (``sun_path`` in unix(7) has 108)."""


class NoAnswer(Exception):
    """Nobody listens, or whoever does took too long or made no sense."""


class NginxClient:
    """The pushing and asking side of nginx's private socket."""

    def __init__(self, socket: Path, *, timeout: float = 10) -> None:
        """Take the socket's path and the seconds that an answer may take."""
        self._socket = socket
        self._timeout = timeout

    async def get(self, path: str) -> str:
        """Ask for a text.

        Raises:
            NoAnswer: there is none.
        """
        return await self._ask("GET", path, b"")

    async def post(self, path: str, body: bytes) -> str:
        """Send a text; gives the answer.

        Raises:
            NoAnswer: it was not acknowledged.
        """
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: bytes) -> str:
        try:
            with _short(self._socket) as socket:
                # No certificates are loaded for a connection without TLS.
                transport = httpx.AsyncHTTPTransport(uds=socket, verify=False)
                async with httpx.AsyncClient(transport=transport, timeout=self._timeout, trust_env=False) as client:
                    answer = await client.request(method, f"http://nginx{path}", content=body or None)
        except (httpx.HTTPError, OSError) as error:
            raise NoAnswer(f"{self._socket}: {str(error) or type(error).__name__}") from error
        if answer.status_code != httpx.codes.OK:
            raise NoAnswer(f"{self._socket}{path}: {answer.status_code} {answer.text[:200].strip()}")
        return answer.text


@contextmanager
def _short(socket: Path) -> Iterator[str]:
    """Give a path to the socket that fits into an address, by way of its opened folder."""
    if len(os.fsencode(socket)) <= _LONGEST_ADDRESS:
        yield str(socket)
        return
    folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{socket.name}"
    finally:
        os.close(folder)
