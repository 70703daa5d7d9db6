"""The client: limits, redirects, pages, time, and that no secret leaks; against servers that answer strangely."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from revieee.clients import github_session
from revieee.clients.github import GitHub
from revieee.clients.github_errors import (
    Absent,
    Forbidden,
    GitHubError,
    Limited,
    Rejected,
    Unauthorized,
    Unavailable,
    from_response,
)
from revieee.clients.github_session import Cache
from revieee.clients.github_tokens import App, Token
from revieee.forges.github import connect
from revieee.testing.github import PracticeGitHub
from revieee.testing.github.server import Server
from support.practice import AppMode, Clock, repository_facts

SECRET = "ghp_thesecretofthetest"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Answer = Callable[[Request], Awaitable[Response]]


@pytest.fixture
async def strange(clock: Clock) -> AsyncIterator[Callable[[Answer], Awaitable[GitHub]]]:
    """Gives a client of a server whose every answer is the given function's."""
    servers: list[Server] = []
    clients: list[GitHub] = []

    async def start(answer: Answer) -> GitHub:
        server = Server("127.0.0.1", 0)
        methods = ["GET", "POST", "PATCH", "DELETE"]
        await server.start(Starlette(routes=[Route("/{path:path}", answer, methods=methods)]))
        servers.append(server)
        clients.append(connect(token=SECRET, api_url=f"http://127.0.0.1:{server.port}/api/v3/", clock=clock))
        return clients[-1]

    yield start
    for client in clients:
        await client.close()
    for server in servers:
        await server.stop()


Strange = Callable[[Answer], Awaitable[GitHub]]


class TestRequests:
    async def test_say_who_asks_and_in_which_version(self, strange: Strange) -> None:
        seen: list[Mapping[str, str]] = []

        async def answer(request: Request) -> Response:
            seen.append(request.headers)
            assert request.url.path == "/api/v3/repos/acme/shop/pulls/1"
            return JSONResponse({"ok": True})

        github = await strange(answer)
        assert await github.repository(1, "acme/shop").get("/pulls/1") == {"ok": True}
        (headers,) = seen
        assert headers["authorization"] == f"Bearer {SECRET}"
        assert headers["user-agent"].startswith("revieee/")
        assert headers["accept"] == "application/vnd.github+json"
        assert headers["x-github-api-version"] == "2022-11-28"

    async def test_follow_a_moved_repository_with_method_and_body(self, strange: Strange) -> None:
        async def answer(request: Request) -> Response:
            if "former" in request.url.path:
                return RedirectResponse("/api/v3/repositories/7/statuses/x", 307 if request.method == "POST" else 301)
            return JSONResponse({"method": request.method, "body": (await request.body()).decode()})

        repository = (await strange(answer)).repository(7, "acme/former")
        assert await repository.post("/statuses/x", {"a": 1}) == {"method": "POST", "body": '{"a": 1}'}
        assert await repository.get("/statuses/x") == {"method": "GET", "body": ""}

    @pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:1/x", "https://evil.example/", "//evil.example/"])
    async def test_credentials_never_follow_to_another_host(self, strange: Strange, elsewhere: str) -> None:
        async def answer(_: Request) -> Response:
            return RedirectResponse(elsewhere, 302)

        with pytest.raises(Rejected, match="another host"):
            await (await strange(answer)).root.get("/user")

    async def test_pages_of_another_host_are_not_followed(self, strange: Strange) -> None:
        async def answer(_: Request) -> Response:
            return JSONResponse([{"id": 1}], headers={"Link": '<https://evil.example/?page=2>; rel="next"'})

        github = await strange(answer)
        with pytest.raises(Rejected, match="another host"):
            assert [one async for one in github.root.pages("/x")]

    async def test_circles_of_redirects_end(self, strange: Strange) -> None:
        async def answer(request: Request) -> Response:
            return RedirectResponse(str(request.url), 301)

        with pytest.raises(Rejected, match="on and on"):
            await (await strange(answer)).root.get("/user")

    async def test_one_that_hangs_is_given_up(self, strange: Strange, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(github_session, "WHOLE_TIMEOUT", 0.05)
        release = asyncio.Event()

        async def answer(_: Request) -> Response:
            await release.wait()
            return Response()

        github = await strange(answer)
        with pytest.raises(Unavailable, match="did not answer in time"):
            await github.root.get("/user")
        release.set()

    async def test_nobody_there(self) -> None:
        github = connect(api_url="http://127.0.0.1:1")
        with pytest.raises(Unavailable, match="could not be asked"):
            await github.root.get("/user")
        await github.close()

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"<html>", "application/json"),
            (b"\xff\xfe", "application/json"),
            (b"[" * 100_000, "application/json"),
            (b"1", "application/json; charset=none-such"),
        ],
    )
    async def test_an_answer_that_cannot_be_read(self, strange: Strange, body: bytes, kind: str) -> None:
        async def answer(_: Request) -> Response:
            return Response(body, headers={"Content-Type": kind})

        with pytest.raises(Unavailable, match="cannot be read"):
            await (await strange(answer)).root.get("/user")

    async def test_strange_limit_headers_are_no_crash(self, strange: Strange) -> None:
        async def answer(_: Request) -> Response:
            headers = {"X-RateLimit-Limit": "x", "X-RateLimit-Remaining": "y", "X-RateLimit-Reset": "z"}
            return JSONResponse({}, headers=headers)

        with pytest.raises(Unavailable):
            await (await strange(answer)).root.get("/user")

    async def test_nothing_is_asked_while_a_limit_lasts(self, strange: Strange, clock: Clock) -> None:
        asked = 0

        async def answer(_: Request) -> Response:
            nonlocal asked
            asked += 1
            return JSONResponse({}, 429, headers={"Retry-After": "30"}) if asked == 1 else JSONResponse({"ok": True})

        github = await strange(answer)
        for delay in (30.0, 30.0):
            with pytest.raises(Limited) as caught:
                await github.root.get("/user")
            assert caught.value.delay == delay
        assert asked == 1
        clock.forward(seconds=31)
        assert await github.root.get("/user") == {"ok": True}

    async def test_a_clock_that_is_set_back_makes_no_limit_longer(self, strange: Strange, clock: Clock) -> None:
        answers = [JSONResponse({"ok": True}), JSONResponse({}, 429, headers={"Retry-After": "30"})]

        async def answer(_: Request) -> Response:
            return answers.pop()

        github = await strange(answer)
        with pytest.raises(Limited):
            await github.root.get("/user")
        clock.forward(hours=-2)
        assert await github.root.get("/user") == {"ok": True}


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "headers", "body", "kind", "delay"),
        [
            (500, {}, b"", Unavailable, None),
            (502, {}, b"<html>Bad Gateway", Unavailable, None),
            (503, {"retry-after": "7"}, b"", Unavailable, 7),
            (408, {}, b"", Unavailable, None),
            (401, {}, b'{"message": "Bad credentials"}', Unauthorized, None),
            (403, {}, b'{"message": "Resource not accessible by integration"}', Forbidden, None),
            (403, {"x-ratelimit-remaining": "4999"}, b"{}", Forbidden, None),
            (403, {"retry-after": "90"}, b"{}", Limited, 90),
            (403, {"retry-after": "Sun, 01 Mar 2026 12:02:00 GMT"}, b"{}", Limited, 120),
            (403, {"retry-after": "soon"}, b"{}", Limited, 60),
            (403, {"retry-after": "9" * 400}, b"{}", Limited, 3700),
            (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW.timestamp() + 600)}, b"{}", Limited, 600),
            (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, b"{}", Limited, 1),
            (403, {"x-ratelimit-remaining": "0"}, b"{}", Limited, 60),
            (429, {}, b"", Limited, 60),
            (403, {}, b'{"message": "You have exceeded a secondary rate limit."}', Limited, 60),
            (403, {}, b'{"documentation_url": "https://docs/rest#abuse-rate-limits"}', Limited, 60),
            (404, {}, b'{"message": "Not Found"}', Absent, None),
            (410, {}, b"", Absent, None),
            (451, {}, b"", Absent, None),
            (422, {}, b'{"message": "Validation Failed", "errors": [{"field": "ref"}]}', Rejected, None),
            (409, {}, b"[]", Rejected, None),
            (302, {}, b"", Rejected, None),
        ],
    )
    def test_mean(
        self, status: int, headers: dict[str, str], body: bytes, kind: type[GitHubError], delay: float | None
    ) -> None:
        error = from_response("GET /x", status, headers, body, NOW)
        assert type(error) is kind
        assert error.delay == delay
        assert error.status == status
        assert error.passing is issubclass(kind, Unavailable)
        assert f"{status} to GET /x" in str(error)

    def test_say_what_github_said_on_one_line(self) -> None:
        body = b'{"message": "Not\\nvalid", "errors": [{"field": "ref", "code": "invalid"}, "too \\u001b[31mlong"]}'
        error = from_response("POST /x", 422, {}, body, NOW)
        assert str(error) == "GitHub answered 422 to POST /x: Not valid; ref invalid; too  [31mlong"


class TestSecrets:
    @pytest.mark.parametrize("status", [200, 401, 403, 500, 0])
    async def test_are_in_no_log_error_or_repr(
        self, strange: Strange, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        caplog.set_level(logging.DEBUG)

        async def answer(_: Request) -> Response:
            return Response("<", status, headers={"Content-Type": "application/json"})

        github = await strange(answer) if status else connect(token=SECRET, api_url="http://127.0.0.1:1")
        with pytest.raises(GitHubError) as caught:
            await github.root.get("/user")
        await github.close()
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(github.credentials)
        assert SECRET not in told + caplog.text
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "tök€n", "a\x00b"])
    def test_a_token_that_cannot_be_one_is_not_repeated(self, token: str) -> None:
        with pytest.raises(ValueError, match="REVIEEE_GITHUB_TOKEN") as caught:
            Token(token)
        if token.strip():
            assert token not in str(caught.value)

    @pytest.mark.parametrize("key", ["", "key", "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----"])
    def test_a_key_that_cannot_be_one_is_not_repeated(self, key: str) -> None:
        with pytest.raises(ValueError, match=r"\.pem file") as caught:
            App("1", key)
        assert "hidden" not in "".join(traceback.format_exception(caught.value))

    def test_a_key_of_another_kind_is_refused(self) -> None:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ValueError, match=r"\.pem file"):
            App("1", pem.decode())

    @pytest.mark.parametrize("id_", ["", "1 2", "x\r\ny"])
    def test_an_id_that_cannot_be_one_is_refused(self, id_: str) -> None:
        with pytest.raises(ValueError, match="id"):
            App(id_, "")

    def test_one_way_to_sign_in(self) -> None:
        with pytest.raises(ValueError, match="not both"):
            connect(token="t", app_id="1", private_key="k")
        with pytest.raises(ValueError, match="needs both"):
            connect(app_id="1")


class TestInstallationTokens:
    async def test_are_made_once_for_all_who_wait(self, practice: PracticeGitHub, app_mode: AppMode) -> None:
        one = repository_facts(practice, installation=app_mode.installation.id)
        repository = app_mode.client.repository(one.id, one.name, one.installation)
        await asyncio.gather(*(repository.get("") for _ in range(10)))
        assert practice.faults.count("POST */access_tokens") == 1

    async def test_that_ended_are_forgotten(self, practice: PracticeGitHub, app_mode: AppMode, clock: Clock) -> None:
        one, client = repository_facts(practice), app_mode.client
        for _ in range(3):
            await client.token_for(one.id, one.name, app_mode.installation.id, {"contents": "read"})
            clock.forward(hours=2)
        await client.token_for(one.id, one.name, app_mode.installation.id, {"metadata": "read"})
        assert len(client._tokens._kept) <= 2


class TestCache:
    def test_keeps_what_it_was_given(self) -> None:
        cache = Cache()
        entry = ('"etag"', None, [{"id": 1}], "https://next")
        cache["url"] = entry
        assert cache["url"] == entry
        with pytest.raises(KeyError):
            cache["other"]

    def test_drops_what_was_not_used_for_longest(self) -> None:
        cache = Cache(most=200)
        for name in ("a", "b", "c"):
            cache[name] = (name, None, list(range(10)), None)
        assert cache["a"]
        for name in ("d", "e", "f", "g"):
            cache[name] = (name, None, list(range(10)), None)
            assert cache["a"]
        assert "b" not in cache
        assert sum(len(packed) for packed in cache._entries.values()) <= 200

    def test_one_that_is_too_large_is_not_kept(self) -> None:
        cache = Cache(most=10)
        cache["a"] = ("a", None, list(range(1000)), None)
        assert len(cache) == 0
