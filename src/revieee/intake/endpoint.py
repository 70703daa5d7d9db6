"""``POST /webhooks/github``: a delivery is checked, stored, and only then answered; handling it comes later.

How GitHub signs and sends: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
"""

import asyncio
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from revieee.intake import payloads
from revieee.model.delivery import Delivery
from revieee.model.github import Malformed, Part
from revieee.ports import RetryLater

log = logging.getLogger(__name__)

PATH = "/webhooks/github"
MAX_BODY = 25 * 1024 * 1024
"""Bytes: GitHub sends no larger payload."""
BODY_TIMEOUT = 30.0
"""Seconds in which a body must have come; GitHub itself gives up after 10."""
MOST_SECRETS = 2

_DELIVERY_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_EVENT = re.compile(r"[a-z][a-z0-9_]{0,63}")

Store = Callable[[Delivery], Awaitable[bool]]
"""Stores a delivery for good; False where one of the same id was there already."""
Clock = Callable[[], float]
"""Gives the present moment: Unix time, seconds."""


class _Answer(Exception):
    """Ends the handling of a request early, with a status and a sentence."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def webhook_route(store_delivery: Store, secrets: Sequence[str], clock: Clock) -> Route:
    """Make the route that takes GitHub's deliveries.

    Args:
        store_delivery: stores a delivery; awaited before the answer. If it raises, GitHub is told 503: nothing is
            promised, though whoever stores may do so later.
        secrets: the webhook's secret; two while one is being changed for the other.
        clock: gives the present moment.

    Raises:
        ValueError: no secret, an empty one, or more than two.
    """
    keys = _keys(secrets)

    async def endpoint(request: Request) -> Response:
        try:
            delivery = await _delivery(request, keys, clock)
            return await _stored(delivery, store_delivery)
        except _Answer as answer:
            return PlainTextResponse(answer.words + "\n", answer.status)

    return Route(PATH, endpoint, methods=["POST"], name="webhook")


def _keys(secrets: Sequence[str]) -> tuple[bytes, ...]:
    if not secrets or any(not secret.strip() for secret in secrets):
        raise ValueError(
            "The webhook secret is empty, so anyone could send deliveries. Set REVIEEE_WEBHOOK_SECRET to the secret "
            "that the webhook has at GitHub (make one with: openssl rand -hex 32)."
        )
    if len(secrets) > MOST_SECRETS:
        raise ValueError(f"At most {MOST_SECRETS} webhook secrets are accepted at once: the old one and the new one.")
    return tuple(secret.encode() for secret in secrets)


async def _delivery(request: Request, keys: Sequence[bytes], clock: Clock) -> Delivery:
    """Take the request apart; nothing of its body is looked at before the signature was found right."""
    body = await _body(request)
    if not _signed(body, request.headers.get("x-hub-signature-256", ""), keys):
        log.warning("refused a delivery: its signature is missing or wrong")
        raise _Answer(401, "The signature is missing or wrong. The webhook at GitHub and Revieee need the same secret.")
    event = _header(request, "X-GitHub-Event", _EVENT)
    delivery_id = _header(request, "X-GitHub-Delivery", _DELIVERY_ID)
    try:
        body = _document(body, request.headers.get("content-type", ""))
        payloads.read(event, Part.of(payloads.parse(body)).data)
    except Malformed as error:
        log.warning("refused delivery %s (%s): %s", delivery_id, event, error)
        raise _Answer(400, f"This is not a delivery as GitHub writes it: {error}") from None
    if event not in payloads.EVENTS:
        log.info("noted delivery %s of event %s, which does not concern us", delivery_id, event)
        body = b""
    return Delivery(id=delivery_id, event=event, body=body, received_at=clock())


async def _stored(delivery: Delivery, store_delivery: Store) -> Response:
    try:
        new = await store_delivery(delivery)
    except Exception as error:
        # The database's being away says enough in a sentence, and may be said a thousand times.
        trace = not isinstance(error, RetryLater)
        log.warning("delivery %s (%s) could not be stored: %s", delivery.id, delivery.event, error, exc_info=trace)
        words = "The delivery could not be stored. Send it again later.\n"
        return PlainTextResponse(words, 503, headers={"Retry-After": "10"})
    if delivery.event == "ping":
        return PlainTextResponse("Revieee hears you: address and secret are right.\n")
    if not new:
        return PlainTextResponse("Known already.\n", 202)
    concerns = delivery.event in payloads.EVENTS
    return PlainTextResponse("Stored.\n" if concerns else "Noted; this event does not concern Revieee.\n", 202)


async def _body(request: Request) -> bytes:
    """Read the body, and never more of it than GitHub would send."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > MAX_BODY:
        raise _Answer(413, f"A delivery has at most {MAX_BODY} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                if len(body) + len(chunk) > MAX_BODY:
                    raise _Answer(413, f"A delivery has at most {MAX_BODY} bytes.")
                body += chunk
    except TimeoutError:
        raise _Answer(408, f"The body did not come within {BODY_TIMEOUT:.0f} s.") from None
    except ClientDisconnect:
        raise _Answer(400, "The body ended early.") from None
    return bytes(body)


def _signed(body: bytes, signature: str, keys: Sequence[bytes]) -> bool:
    """Tell whether one of the keys made the signature; takes the same time whichever it was, or none."""
    given = signature.encode("latin-1", "replace")
    matches = [hmac.compare_digest(b"sha256=" + hmac.digest(key, body, "sha256").hex().encode(), given) for key in keys]
    return any(matches)


def _header(request: Request, name: str, form: re.Pattern[str]) -> str:
    value = request.headers.get(name, "")
    if not form.fullmatch(value):
        raise _Answer(400, f"The header {name} is missing or not of its form.")
    return value


def _document(body: bytes, content_type: str) -> bytes:
    """Give the JSON document, which GitHub sends as it is or as the form field ``payload``.

    Raises:
        Malformed: it is sent as neither.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return body
    if kind != "application/x-www-form-urlencoded":
        raise Malformed("its content type is neither application/json nor application/x-www-form-urlencoded.")
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10, strict_parsing=True, errors="strict")
        (document,) = fields["payload"]
    except (ValueError, KeyError):
        raise Malformed("the form has no field payload, or more than one.") from None
    return document.encode()
