"""The webhook's endpoint, asked as GitHub and as others would ask."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from revieee.intake import endpoint
from revieee.intake.endpoint import MAX_BODY, webhook_route
from revieee.model.delivery import Delivery
from revieee.ports import RetryLater

SECRET = "the secret"
NEW_SECRET = "the next secret"
ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@dataclass
class Inbox:
    stored: list[Delivery] = field(default_factory=list)
    failing: bool = False
    error: Exception = field(default_factory=lambda: OSError("the disk is full"))

    async def store(self, delivery: Delivery) -> bool:
        if self.failing:
            raise self.error
        new = delivery.id not in {one.id for one in self.stored}
        if new:
            self.stored.append(delivery)
        return new


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def http(inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[webhook_route(inbox.store, (SECRET, NEW_SECRET), lambda: 1234.5)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://revieee") as client:
        yield client


def signature(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(secret.encode(), body, algorithm).hexdigest()}"


def headers(body: bytes, event: str = "pull_request", **more: str | None) -> dict[str, str]:
    usual: dict[str, str | None] = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": ID,
        "X-Hub-Signature-256": signature(body),
    }
    changed = {name.replace("_", "-"): value for name, value in more.items()}
    return {name: value for name, value in (usual | changed).items() if value is not None}


@pytest.fixture
def opened(payload_bytes: Callable[[str], bytes]) -> bytes:
    return payload_bytes("pull_request.opened")


async def send(http: httpx.AsyncClient, body: bytes, event: str = "pull_request", **more: str | None) -> httpx.Response:
    return await http.post("/webhooks/github", content=body, headers=headers(body, event, **more))


class TestAccepted:
    async def test_a_delivery_is_stored_and_then_answered(
        self, http: httpx.AsyncClient, inbox: Inbox, opened: bytes
    ) -> None:
        answer = await send(http, opened)
        assert answer.status_code == 202
        assert inbox.stored == [Delivery(id=ID, event="pull_request", body=opened, received_at=1234.5)]

    async def test_the_same_one_twice_is_one(self, http: httpx.AsyncClient, inbox: Inbox, opened: bytes) -> None:
        answers = [await send(http, opened) for _ in range(2)]
        assert [one.status_code for one in answers] == [202, 202]
        assert len(inbox.stored) == 1

    async def test_as_a_form(self, http: httpx.AsyncClient, inbox: Inbox, opened: bytes) -> None:
        form = urlencode({"payload": opened.decode()}).encode()
        answer = await send(http, form, Content_Type="application/x-www-form-urlencoded")
        assert answer.status_code == 202
        assert json.loads(inbox.stored[0].body) == json.loads(opened)

    async def test_with_the_secret_that_is_to_come(self, http: httpx.AsyncClient, opened: bytes) -> None:
        answer = await send(http, opened, X_Hub_Signature_256=signature(opened, NEW_SECRET))
        assert answer.status_code == 202

    @pytest.mark.parametrize(
        "name",
        [
            "pull_request.closed", "pull_request.synchronize", "pull_request.opened.organization", "push", "delete",
            "installation.created", "installation_repositories.added", "issue_comment.created",
        ],
    )  # fmt: skip
    async def test_githubs_own(
        self, http: httpx.AsyncClient, inbox: Inbox, payload_bytes: Callable[[str], bytes], name: str
    ) -> None:
        answer = await send(http, payload_bytes(name), name.partition(".")[0])
        assert answer.status_code == 202
        assert len(inbox.stored) == 1

    async def test_ping_is_answered_and_stored_for_it_names_the_repository(
        self, http: httpx.AsyncClient, inbox: Inbox, payload_bytes: Callable[[str], bytes]
    ) -> None:
        answer = await send(http, payload_bytes("ping"), "ping")
        assert answer.status_code == 200
        assert "Revieee hears you" in answer.text
        assert [one.event for one in inbox.stored] == ["ping"]

    async def test_an_unknown_event_is_noted_without_its_body(self, http: httpx.AsyncClient, inbox: Inbox) -> None:
        answer = await send(http, b'{"action": "created"}', "star")
        assert answer.status_code == 202
        assert "does not concern" in answer.text
        assert [(one.event, one.body) for one in inbox.stored] == [("star", b"")]


class TestRefused:
    @pytest.mark.parametrize(
        "given",
        [
            None,
            "",
            "sha256=",
            "sha256=" + "0" * 64,
            "SHA256=" + "0" * 64,
            signature(b"another body"),
            signature(b"{}", "another secret"),
            signature(b"{}", ""),
            signature(b"{}", algorithm="sha1"),
            signature(b"{}").upper(),
            signature(b"{}") + " ",
            "sha256=é",
        ],
    )
    async def test_a_wrong_signature_is_401(self, http: httpx.AsyncClient, inbox: Inbox, given: str | None) -> None:
        sent = headers(b"{}", X_Hub_Signature_256=None)
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        if given is not None:
            raw.append((b"X-Hub-Signature-256", given.encode()))
        answer = await http.post("/webhooks/github", content=b"{}", headers=raw)
        assert answer.status_code == 401
        assert not inbox.stored

    async def test_the_old_signature_header_alone_is_401(self, http: httpx.AsyncClient) -> None:
        sha1 = signature(b"{}", algorithm="sha1")
        assert (await send(http, b"{}", X_Hub_Signature_256=None, X_Hub_Signature=sha1)).status_code == 401

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b'{"action":"opened"}', b"payload=1"]
    )
    async def test_what_is_not_githubs_is_400(self, http: httpx.AsyncClient, inbox: Inbox, body: bytes) -> None:
        answer = await send(http, body)
        assert answer.status_code == 400
        assert not inbox.stored

    @pytest.mark.parametrize("body", [b"", b"other=1", b"payload=1&payload=2", b"payload=%7B", b"payload=%FF", b"\xff"])
    async def test_a_malformed_form_is_400(self, http: httpx.AsyncClient, body: bytes) -> None:
        answer = await send(http, body, Content_Type="application/x-www-form-urlencoded")
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        "wrong",
        [
            {"X_GitHub_Event": None},
            {"X_GitHub_Event": "../x"},
            {"X_GitHub_Delivery": None},
            {"X_GitHub_Delivery": "a b"},
            {"X_GitHub_Delivery": "x" * 65},
            {"X_GitHub_Delivery": "'; DROP TABLE delivery"},
            {"Content_Type": None},
            {"Content_Type": "text/xml"},
        ],
    )
    async def test_missing_and_strange_headers_are_400(
        self, http: httpx.AsyncClient, opened: bytes, wrong: dict[str, str | None]
    ) -> None:
        sent = headers(opened, **wrong)  # type: ignore[arg-type]  # the table names its keys
        answer = await http.post("/webhooks/github", content=opened, headers=sent)
        assert answer.status_code == 400

    async def test_other_methods_are_405(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/webhooks/github")).status_code == 405


class TestSize:
    async def test_the_largest_that_github_sends_is_taken(self, http: httpx.AsyncClient, inbox: Inbox) -> None:
        body = b'{"zen": "' + b"x" * (MAX_BODY - 11) + b'"}'
        assert len(body) == MAX_BODY
        assert (await send(http, body, "star")).status_code == 202
        assert len(inbox.stored) == 1

    async def test_one_byte_more_is_413(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/webhooks/github", content=b"", headers={"Content-Length": str(MAX_BODY + 1)})
        assert answer.status_code == 413

    @pytest.mark.parametrize("length", [b"\xb2", b"-1", b"1e9", b"9" * 5000])
    async def test_a_length_that_is_none_is_no_error_of_ours(self, http: httpx.AsyncClient, length: bytes) -> None:
        answer = await http.post("/webhooks/github", content=b"", headers=[(b"Content-Length", length)])
        assert answer.status_code in {401, 413}

    async def test_a_body_without_end_is_read_no_further(self, http: httpx.AsyncClient) -> None:
        read = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read
            while True:
                read += 1
                yield b"x" * 1024 * 1024

        answer = await http.post("/webhooks/github", content=endless())
        assert answer.status_code == 413
        assert read <= 30

    async def test_a_body_that_does_not_come_is_408(self, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(endpoint, "BODY_TIMEOUT", 0.0)
        app = Starlette(routes=[webhook_route(inbox.store, (SECRET,), lambda: 0.0)])
        scope = {"type": "http", "method": "POST", "path": "/webhooks/github", "headers": [], "query_string": b""}
        answered: list[Message] = []

        async def nothing() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def answer(message: Message) -> None:
            answered.append(message)

        await app(scope, nothing, answer)
        assert answered[0]["status"] == 408


async def test_what_cannot_be_stored_is_503_and_can_be_sent_again(
    http: httpx.AsyncClient, inbox: Inbox, opened: bytes
) -> None:
    inbox.failing = True
    answer = await send(http, opened)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "disk" not in answer.text
    inbox.failing = False
    assert (await send(http, opened)).status_code == 202


async def test_a_database_that_is_away_is_a_sentence_in_the_log(
    http: httpx.AsyncClient, inbox: Inbox, opened: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.error = RetryLater("The database did not answer.")
    inbox.failing = True
    assert (await send(http, opened)).status_code == 503
    (said,) = [one for one in caplog.records if "could not be stored" in one.getMessage()]
    assert "The database did not answer." in said.getMessage()
    assert not said.exc_info


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), ("good", ""), ("a", "b", "c")])
def test_no_endpoint_without_a_secret(inbox: Inbox, secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="secret"):
        webhook_route(inbox.store, secrets, lambda: 0.0)
