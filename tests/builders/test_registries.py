"""What a Dockerfile names cannot send the engine to this machine's own services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from builders.conftest import Yard
from revieee.ports import Refused, RetryLater
from support.registry import FINAL, PASSING, registry


@contextlib.asynccontextmanager
async def service() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A service of this machine, and what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


@pytest.mark.parametrize(
    "text",
    [
        "FROM {host}/x\n",
        "ARG where={host}\nFROM $where/x\n",
        "FROM FRESH\nCOPY --from={host}/x /a /b\n",
        "FROM FRESH\nRUN --mount=type=bind,from={host}/x,target=/m ls /m\n",
    ],
)
async def test_a_service_of_this_machine_is_not_asked_until_it_is_allowed(yard: Yard, text: str) -> None:
    async with service() as (host, asked):
        request = yard.request(text.format(host=host))
        with pytest.raises(Refused, match=rf"Dockerfile: The image {host}/x is at the registry {host}"):
            await yard.builder().build(request, yard.write)
        assert asked == []
        with pytest.raises(Refused):
            await yard.builder(registries=(host,)).build(request, yard.write)
        assert asked, "without the rule it would have been"


async def test_nor_by_an_argument_that_buildkit_would_set_itself(yard: Yard) -> None:
    async with service() as (host, asked):
        request = yard.request("FROM $TARGETOS\n", args=(("TARGETOS", f"{host}/x"),))
        with pytest.raises(Refused, match=rf"Dockerfile: The image {host}/x is at the registry {host}"):
            await yard.builder().build(request, yard.write)
        assert asked == []


@pytest.mark.parametrize("how", PASSING)
async def test_a_registry_of_a_base_image_that_is_away_is_waited_for(yard: Yard, how: str) -> None:
    async with registry(PASSING[how]) as host:
        request = yard.request(f"FROM {host}/{yard.instance}:1\n")
        words = (
            rf"^Dockerfile: the base image {host}/{yard.instance}:1 is not on .+ cannot be pulled now: .+ tried again.$"
        )
        with pytest.raises(RetryLater, match=words):
            await yard.builder(registries=(host,)).build(request, yard.write)


@pytest.mark.parametrize("how", FINAL)
async def test_a_registry_of_a_base_image_that_says_no_is_believed(yard: Yard, how: str) -> None:
    async with registry(FINAL[how]) as host:
        request = yard.request(f"FROM BASE\nCOPY --from={host}/{yard.instance}:1 /a /b\n")
        with pytest.raises(
            Refused, match=rf"the base image {host}/{yard.instance}:1 is not on .+ could not be pulled: "
        ):
            await yard.builder(registries=(host,)).build(request, yard.write)


async def test_a_step_that_fails_as_registries_do_has_failed(yard: Yard) -> None:
    with pytest.raises(Refused, match=r"^Dockerfile:2: RUN "):
        await yard.build("FROM BASE\nRUN echo 'received unexpected HTTP status: 503 Service Unavailable'; false\n")
