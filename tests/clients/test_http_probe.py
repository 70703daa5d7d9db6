import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from revieee.clients.http_probe import Answer, probe

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """A server on the loopback address that talks so with whoever connects."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return talk


@pytest.mark.parametrize("status", [200, 204, 302, 401, 404, 499])
async def test_below_500_is_healthy(status: int) -> None:
    async with listening(saying(f"HTTP/1.1 {status} X\r\n\r\n".encode())) as port:
        assert (await probe("127.0.0.1", port, "/", within=2)).healthy


async def test_500_and_above_is_not() -> None:
    async with listening(saying(b"HTTP/1.0 503 Busy\r\n\r\n")) as port:
        answer = await probe("127.0.0.1", port, "/up", within=2)
        assert answer == Answer(healthy=False, words=f"GET /up on port {port} answers 503")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"\x00" * 10_000, b"HTTP/1.1 abc\r\n", b"HTTP/9 200\r\n"])
async def test_what_is_not_http_is_said(answer: bytes) -> None:
    async with listening(saying(answer)) as port:
        assert "not with HTTP" in (await probe("127.0.0.1", port, "/", within=2)).words


async def test_an_endless_line_is_not_read_to_its_end() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with listening(talk) as port:
        assert not (await probe("127.0.0.1", port, "/", within=5)).healthy


async def test_a_slow_one_is_not_waited_for() -> None:
    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(talk) as port:
        answer = await probe("127.0.0.1", port, "/", within=0.05)
        assert answer.words == f"port {port} did not answer within 0.05 seconds"


async def test_nothing_listens(free_port: int) -> None:
    answer = await probe("127.0.0.1", free_port, "/", within=2)
    assert answer == Answer(healthy=False, words=f"nothing listens on port {free_port}", listening=False)


async def test_a_hostile_path_stays_on_its_line() -> None:
    heard = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async with listening(talk) as port:
        await probe("127.0.0.1", port, "x y\r\nHost: evil\r\n\r\n☃", within=2)
    assert heard.startswith(b"GET /x%20y%0D%0AHost:%20evil%0D%0A%0D%0A%E2%98%83 HTTP/1.1\r\nHost: localhost\r\n")
