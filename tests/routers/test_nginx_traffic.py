"""What visitors and apps may send each other, and what not."""

import asyncio
import os
from collections.abc import AsyncIterator

import httpx
import pytest

from revieee.model.route import Route, RouteState
from support.routing import App, Place, Request, app, says

HOST = "web-pr-1.localhost"
MEGABYTE = 1024 * 1024


@pytest.fixture
async def web(place: Place) -> AsyncIterator[App]:
    """An app at HOST that says hello."""
    async with app(says("hello")) as web:
        await place.router.push([web.route(HOST, 1)])
        yield web


async def test_an_upload_of_128_mb_streams(place: Place) -> None:
    first = asyncio.Event()
    sizes: list[int] = []

    async def counts(request: Request) -> None:
        size = 0
        while size < 128 * MEGABYTE:
            size += len(await request.reader.read(MEGABYTE))
            first.set()
        sizes.append(size)
        await request.answer(b"thanks")

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * MEGABYTE
        await asyncio.wait_for(first.wait(), 20)  # the app has some before we sent the rest
        for _ in range(127):
            yield b"x" * MEGABYTE

    async with app(counts) as web, httpx.AsyncClient(trust_env=False, timeout=60) as client:
        await place.router.push([web.route(HOST, 1)])
        headers = {"Host": HOST, "Content-Length": str(128 * MEGABYTE)}
        answer = await client.post(f"http://127.0.0.1:{place.port}/", content=body(), headers=headers)
    assert answer.text == "thanks"
    assert sizes == [128 * MEGABYTE]
    tmp = place.router.options.folder / "tmp"
    assert [name for _, _, names in os.walk(tmp) for name in names] == []


@pytest.mark.parametrize(
    "answer", [b"X-Accel-Redirect: /.revieee/route\r\n", b"X-Accel-Redirect: @state\r\nX-Upstream: 127.0.0.1:1\r\n"]
)
async def test_an_app_cannot_lead_the_router_to_its_internal_locations(place: Place, answer: bytes) -> None:
    async def attacks(request: Request) -> None:
        await request.answer(b"my own", headers=answer.decode())

    async with app(attacks) as web:
        await place.router.push([web.route(HOST, 1)])
        assert (await place.get(HOST)).text == "my own"


@pytest.mark.parametrize(
    "path", ["/.revieee/route", "/.revieee/page", "/.revieee/", "/%2erevieee/route", "//.revieee/route"]
)
async def test_internal_locations_are_not_there_for_visitors(place: Place, path: str, web: App) -> None:
    answer = await place.get(HOST, path)
    assert answer.status_code == 404
    assert web.requests == []
    assert place.answers.asked == []


@pytest.mark.parametrize(
    "path", ["/_route", "/_page", "//_route", "/%5froute", "/x/../_route", "/x/..%2f_route", "/./_route", "/_route?x"]
)
async def test_questions_are_not_answered_to_strangers(place: Place, path: str) -> None:
    place.answers.routes[HOST] = Route(hostname=HOST, state=RouteState.FAILED, version=1)
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Revieee-Question: 1\r\nX-Original-Host: {HOST}\r\n"
    answer = await place.raw(f"{head}Connection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404")
    assert place.answers.asked == []


async def test_a_question_header_from_outside_is_taken_off(place: Place) -> None:
    answer = await place.get("localhost", "/healthz", **{"X-Revieee-Question": "1"})
    assert answer.text == "ok\n"


async def test_an_app_sees_who_asked_and_nothing_that_a_visitor_made_up(place: Place, web: App) -> None:
    await place.get(
        HOST,
        **{
            "X-Forwarded-For": "8.8.8.8",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example",
            "Forwarded": "for=8.8.8.8",
            "X-Real-IP": "8.8.8.8",
            "X-Route-State": "up",
            "X-Auth-User": "admin",
            "Proxy": "http://evil.example",
        },
    )
    sent = web.requests[0].headers
    assert sent["host"] == HOST
    assert sent["x-forwarded-host"] == HOST
    assert sent["x-forwarded-for"] == sent["x-real-ip"] == "127.0.0.1"
    assert sent["x-forwarded-proto"] == "http"
    assert sent["x-forwarded-port"] == str(place.port)
    assert {"forwarded", "x-route-state", "x-auth-user", "proxy", "x-revieee-question"}.isdisjoint(sent)


@pytest.mark.parametrize(
    "host",
    [HOST, HOST.upper(), f"{HOST}.", f"{HOST}:8080", f"{HOST.upper()}:80"],
    ids=["plain", "A", "dot", "port", "A:"],
)
async def test_a_host_is_known_however_it_is_written(place: Place, web: App, host: str) -> None:
    assert (await place.get(host)).text == "hello"
    assert web.requests[0].headers["host"] == host


@pytest.mark.parametrize(
    "host",
    ["web_pr_1.localhost", "127.0.0.1", "..", "-", "a" * 300, "x y", "web|pr", "%00", "[::1]", "{{7*7}}", '"><script>'],
)
async def test_a_hostile_host_gets_an_answer_and_reaches_nobody(place: Place, web: App, host: str) -> None:
    answer = await place.raw(
        f"GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer[:12] in {b"HTTP/1.1 404", b"HTTP/1.1 400"}
    assert b"<script>" not in answer
    assert web.requests == []
    assert (await place.get(HOST)).text == "hello"


async def test_a_request_of_http_1_0_without_a_host_gets_a_page(place: Place) -> None:
    assert (await place.raw(b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 404")


async def test_a_request_of_http_1_0_passes(place: Place, web: App) -> None:
    answer = await place.raw(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    assert answer.endswith(b"hello")
    assert web.requests[0].line == "GET / HTTP/1.1"


async def test_head_has_no_body_on_app_and_page(place: Place) -> None:
    async def head(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await request.writer.drain()

    async with app(head) as web:
        await place.router.push([web.route(HOST, 1)])
        assert (await place.ask("HEAD", HOST)).headers["Content-Length"] == "5"
    page = await place.ask("HEAD", "nobody.localhost")
    assert (page.status_code, page.content) == (404, b"")


async def test_long_headers_pass(place: Place, web: App) -> None:
    cookie = "c=" + "x" * 30_000
    assert (await place.get(HOST, Cookie=cookie)).text == "hello"
    assert web.requests[0].headers["cookie"] == cookie


async def test_connections_to_an_app_are_used_again(place: Place, web: App) -> None:
    for _ in range(20):
        await place.get(HOST)
    assert len(web.requests) == 20
    assert len(web.connections) <= 2  # one for each worker


async def test_a_post_does_not_meet_a_connection_that_the_app_closed(place: Place, web: App) -> None:
    for _ in range(10):
        assert (await place.ask("POST", HOST, content=b"one")).text == "hello"
        for connection in web.connections:
            connection.close()
            await connection.wait_closed()
        assert (await place.ask("POST", HOST, content=b"two")).text == "hello"


async def test_a_page_on_a_kept_connection_leaves_it_in_order(place: Place, web: App) -> None:
    """The body of a request that ends on a page is not read as the next request."""
    smuggled = f"GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    first = f"POST / HTTP/1.1\r\nHost: nobody.localhost\r\nContent-Length: {len(smuggled)}\r\n\r\n{smuggled}"
    second = f"GET /second HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    answer = await place.raw((first + second).encode())
    assert answer.count(b"HTTP/1.1 ") == 2
    assert [request.line for request in web.requests] == ["GET /second HTTP/1.1"]


async def test_the_domain_itself_leads_to_the_control_plane(place: Place) -> None:
    assert "Every pull request" in (await place.get("localhost")).text
    assert (await place.get("localhost", "/healthz")).text == "ok\n"


async def cookies(place: Place, *said: bytes) -> list[str]:
    """Let the app at HOST set cookies; gives those that a visitor gets."""

    async def sets(request: Request) -> None:
        headers = b"".join(b"Set-Cookie: " + one + b"\r\n" for one in said)
        request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + headers + b"\r\n")
        await request.writer.drain()

    async with app(sets) as web:
        await place.router.push([web.route(HOST, 1)])
        return (await place.get(HOST)).headers.get_list("Set-Cookie")


async def test_an_app_sets_cookies_for_its_own_host_alone(place: Place) -> None:
    said = (b"a=1; Domain=localhost; Path=/", b"b=2; domain=.localhost; Secure", b"c=3", b"d=4; Domain=web.localhost")
    assert await cookies(place, *said) == ["a=1; Path=/", "b=2; Secure", "c=3", "d=4"]


@pytest.mark.parametrize(
    "attribute",
    [
        b";Domain=.localhost",
        b";\tDomain=.localhost",
        b"; \t dOmAiN\t =\t.localhost",
        b";Domain = .localhost",
        b";\x0bDomain=.localhost",
        b";\xc2\xa0Domain=.localhost",
        b";;Domain=evil.example;domain=.localhost",
        b'; x="y; Domain=.localhost"',
        b";Domain",
    ],
)
async def test_no_spelling_of_a_domain_gets_past(place: Place, attribute: bytes) -> None:
    (found,) = await cookies(place, b"sid=evil" + attribute + b"; Path=/")
    assert "domain" not in found.lower()
    assert found.startswith("sid=evil")
    assert found.endswith("; Path=/")


async def test_the_rest_of_a_cookie_stays_as_it_is(place: Place) -> None:
    cookie = "Domain=localhost; Path=/Domain=x; Expires=Thu, 01 Jan 2099 00:00:00 GMT; HttpOnly; SameSite=Lax"
    assert await cookies(place, cookie.encode()) == [cookie]


async def test_a_domain_does_not_hide_behind_many_cookies(place: Place) -> None:
    found = await cookies(place, *[b"c=%d" % n for n in range(150)], b"sid=evil; Domain=.localhost")
    assert found[:100] == [f"c={n}" for n in range(100)]
    assert not [one for one in found if "Domain" in one]
