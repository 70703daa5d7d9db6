"""A drain ends when nobody is left on the old endpoint: requests are counted whatever becomes of them."""

import asyncio
from collections.abc import Mapping

import httpx
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from revieee.model.route import Endpoint, Route, RouteState
from support.routing import Place, Request, app, says

HOST = "web-pr-1.localhost"


async def settled(place: Place, wanted: Mapping[Endpoint, int]) -> Mapping[Endpoint, int]:
    """What is open, once it is as wanted or after a while: a connection's end takes nginx a moment to see."""
    for _ in range(200):
        if (found := await place.router.open_requests()) == wanted:
            return found
        await asyncio.sleep(0.02)
    return found


async def test_a_stream_lives_through_a_change_and_is_counted_until_its_end(place: Place) -> None:
    go_on = asyncio.Event()

    async def stream(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await request.writer.drain()
        await go_on.wait()
        request.writer.write(b"data: 2\n\n")
        await request.writer.drain()
        request.writer.close()

    async with app(stream) as old, app(says("new")) as new, httpx.AsyncClient(trust_env=False) as client:
        await place.router.push([old.route(HOST, 1)])
        async with client.stream("GET", f"http://127.0.0.1:{place.port}/", headers={"Host": HOST}) as answer:
            parts = answer.aiter_raw()
            assert await anext(parts) == b"data: 1\n\n"
            await place.router.push([new.route(HOST, 2)])
            assert (await place.get(HOST)).text == "new"
            assert await settled(place, {old.endpoint: 1}) == {old.endpoint: 1}
            go_on.set()
            assert await anext(parts) == b"data: 2\n\n"
        assert await settled(place, {}) == {}


async def test_a_websocket_lives_through_a_change_and_is_counted_until_its_end(place: Place) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as server, app(says("new")) as new:
        endpoint = Endpoint(*server.sockets[0].getsockname()[:2])
        await place.router.push([Route(hostname=HOST, state=RouteState.UP, endpoint=endpoint, version=1)])
        async with connect(f"ws://{HOST}:{place.port}/", host="127.0.0.1", port=place.port, proxy=None) as socket:
            await socket.send("one")
            assert await socket.recv() == "one"
            await place.router.push([new.route(HOST, 2)])
            await socket.send("two")
            assert await socket.recv() == "two"
            assert await place.router.open_requests() == {endpoint: 1}
        assert await settled(place, {}) == {}


async def test_another_protocol_than_websockets_is_not_spoken_past_the_router(place: Place) -> None:
    async with app(says("plain")) as web:
        await place.router.push([web.route(HOST, 1)])
        await place.get(HOST, Upgrade="h2c", Connection="Upgrade, HTTP2-Settings")
        assert "upgrade" not in web.requests[0].headers


async def test_a_visitor_who_leaves_is_counted_no_more(place: Place) -> None:
    arrived = asyncio.Event()

    async def never(request: Request) -> None:
        arrived.set()
        await request.reader.read()

    async with app(never) as web:
        await place.router.push([web.route(HOST, 1)])
        visit = asyncio.create_task(place.get(HOST))
        await arrived.wait()
        assert await place.router.open_requests() == {web.endpoint: 1}
        visit.cancel()
        assert await settled(place, {}) == {}


async def test_a_request_that_ends_on_a_state_page_is_counted_no_more(place: Place) -> None:
    async def slams_the_door(request: Request) -> None:
        request.writer.close()

    async with app(slams_the_door) as web:
        await place.router.push([web.route(HOST, 1)])
        answer = await place.ask("POST", HOST, content=b"x" * 300_000)
        assert answer.status_code == 502
    answer = await place.get(HOST)  # nothing listens there any more
    assert answer.status_code == 502
    assert "does not answer" in answer.text
    assert await settled(place, {}) == {}


async def test_errors_of_the_apps_own_pass_as_they_are(place: Place) -> None:
    async def fails(request: Request) -> None:
        await request.answer(b"my own words", status="502 Bad Gateway")

    async with app(fails) as web:
        await place.router.push([web.route(HOST, 1)])
        answer = await place.get(HOST)
    assert (answer.status_code, answer.text) == (502, "my own words")


async def test_many_requests_at_once_add_up_and_end_at_none(place: Place) -> None:
    everyone = asyncio.Event()
    answer_now = asyncio.Event()

    async def waits(request: Request) -> None:
        if len(web.requests) == 50:
            everyone.set()
        await answer_now.wait()
        await request.answer(b"ok")

    async with app(waits) as web:
        await place.router.push([web.route(HOST, 1), web.route("same.localhost", 1)])
        visits = [asyncio.create_task(place.get((HOST, "same.localhost")[n % 2])) for n in range(50)]
        await everyone.wait()
        assert await place.router.open_requests() == {web.endpoint: 50}
        answer_now.set()
        assert {(await visit).status_code for visit in visits} == {200}
        assert await settled(place, {}) == {}
