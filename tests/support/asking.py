"""The web app and the webhook's endpoint, asked with whatever bytes a header may hold."""

import asyncio
import hmac
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import Message

from revieee.intake.endpoint import PATH, webhook_route
from revieee.model.delivery import Delivery
from revieee.store.database import Database
from revieee.web import create_app
from revieee.web.answers import Answers
from support.storing import opened

SECRET = "the webhook's secret"
BODY = b'{"zen": "", "hook_id": 1, "hook": {}}'
HEADERS = (
    b"content-type: application/json\nx-github-event: ping\nx-github-delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958\n"
    b"x-hub-signature-256: sha256="
    + hmac.digest(SECRET.encode(), BODY, "sha256").hex().encode()
    + b"\ncontent-length: 37"
)
Headers = Sequence[tuple[bytes, bytes]]


def delivered(data: bytes) -> None:
    """A delivery whose headers are these lines."""

    async def store(delivery: Delivery) -> bool:
        return bool(delivery.id)

    app = Starlette(routes=[webhook_route(store, (SECRET,), lambda: 1.0)])
    lines = (line.partition(b":") for line in data.split(b"\n"))
    status, _ = _asked(app, "POST", PATH, [(name.strip().lower(), value.strip()) for name, _, value in lines], BODY)
    assert status in {200, 202, 400, 401, 413}, status


def hosted(data: bytes) -> None:
    """A visitor's host, as nginx asks about it, and the page that is shown there."""
    for path in ("/_route", "/_page"):
        for kind in (b"html", b"text"):
            question = [(b"x-revieee-question", b"1"), (b"x-original-host", data), (b"x-page-kind", kind)]
            status, body = _asked(_web(), "GET", path, question)
            assert status in {200, 404, 503}, status
            assert kind == b"text" or b"<script>" not in body


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def _web() -> Starlette:
    database = opened(Path(_folder().name), Database)
    return create_app(Answers(database, instance="i", base_url="http://localhost"))


def _asked(app: Starlette, method: str, path: str, headers: Headers, body: bytes = b"") -> tuple[int, bytes]:
    """Ask an app as its server would; gives status and body. What it raises is raised."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    return said[0]["status"], b"".join(one.get("body", b"") for one in said)
