"""Signed webhooks: what is to be delivered, in which order, what came back; and deliveries that go wrong on demand.

Signing and headers follow https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers and
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries. Like GitHub, it does not try again by
itself. Kinder than GitHub, it delivers one after another for each hook, so that a test decides about disorder (`hold`,
`release`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import ssl
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from urllib.parse import urlencode

import httpx

from revieee.testing.github import shapes
from revieee.testing.github.events import Event
from revieee.testing.github.shapes import Json
from revieee.testing.github.state import Clock, Hook, Installation, State

TIMEOUT_SECONDS = 10.0
"""How long GitHub waits for an answer."""


@cache
def authorities() -> ssl.SSLContext:
    """Give the certificate authorities to trust; read once, since reading them takes longer than most tests."""
    return ssl.create_default_context()


@dataclass(eq=False)
class Delivery:
    """One delivery, as GitHub's page of recent deliveries shows it; `status_code` is 0 until (or where) none came."""

    id: int
    guid: str
    hook: Hook
    event: str
    action: str | None
    payload: Json
    delivered_at: datetime
    redelivery: bool = False
    installation: Installation | None = None
    repository_id: int | None = None
    status_code: int = 0
    status: str = "pending"
    duration: float = 0.0
    response: str = ""

    def body(self) -> bytes:
        """Give the body as it is sent: JSON, or a form with the JSON in `payload`."""
        text = json.dumps(self.payload, separators=(",", ":"))
        return urlencode({"payload": text}).encode() if self.hook.content_type == "form" else text.encode()

    def headers(self) -> dict[str, str]:
        """Give the headers, signed where the hook has a secret."""
        form, hook = self.hook.content_type == "form", self.hook
        owner, target = ("repository", self.repository_id) if hook.app is None else ("integration", hook.app.id)
        headers = {
            "Accept": "*/*",
            "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
            "User-Agent": "GitHub-Hookshot/7e5c1ab",
            "X-GitHub-Delivery": self.guid,
            "X-GitHub-Event": self.event,
            "X-GitHub-Hook-ID": str(hook.id),
            "X-GitHub-Hook-Installation-Target-ID": str(target),
            "X-GitHub-Hook-Installation-Target-Type": owner,
        }
        if hook.secret:
            body, key = self.body(), hook.secret.encode()
            headers["X-Hub-Signature"] = "sha1=" + hmac.new(key, body, hashlib.sha1).hexdigest()
            headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        return headers


class Webhooks:
    """Sends events to the hooks that want them, and keeps the list of deliveries.

    Args:
        state: where repositories, their hooks and installations are found.
        clock: gives `delivered_at`.
    """

    def __init__(self, state: State, clock: Clock) -> None:
        self.deliveries: list[Delivery] = []
        self.state, self.clock = state, clock
        self._ids = itertools.count(1)
        self._queues: dict[int, asyncio.Queue[Delivery]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, verify=authorities())
        self._held: list[Delivery] | None = None
        self._faults: dict[str, int] = defaultdict(int)

    # ---- what happens

    def emit(self, event: Event) -> list[Delivery]:
        """Deliver an event to every hook that wants it; gives the deliveries, which are sent in the background."""
        return [self._enqueue(self._delivery(event, hook, at)) for hook, at in self._receivers(event)]

    def _receivers(self, event: Event) -> Iterable[tuple[Hook, Installation | None]]:
        if event.repository is None:
            if event.installation is not None:
                yield event.installation.app.hook, event.installation
            return
        hooks = list(event.repository.hooks.values())
        for hook in hooks + [one for one in event.hooks if one not in hooks]:
            if hook.wants(event.name):
                yield hook, None
        for installation in list(self.state.installations.values()):
            suspended = installation.suspended_at is not None
            if installation.covers(event.repository) and not suspended and installation.app.hook.wants(event.name):
                yield installation.app.hook, installation

    def send_to(self, hook: Hook, event: Event) -> Delivery:
        """Deliver an event to one hook, such as its first ping."""
        return self._enqueue(self._delivery(event, hook, None))

    def _delivery(self, event: Event, hook: Hook, installation: Installation | None) -> Delivery:
        payload = event.payload
        if installation is not None and "installation" not in payload:
            node = shapes.node_id("IntegrationInstallation", installation.id)
            payload = payload | {"installation": {"id": installation.id, "node_id": node}}
        repository = None if event.repository is None else event.repository.id
        guid = str(uuid.uuid4())
        one = Delivery(next(self._ids), guid, hook, event.name, event.action, payload, self.clock())
        one.installation, one.repository_id = installation, repository
        return one

    def redeliver(self, delivery: Delivery) -> Delivery:
        """Send a delivery again, under the same guid, as the "Redeliver" button does."""
        again = replace(delivery, id=next(self._ids), redelivery=True, delivered_at=self.clock())
        again.status_code, again.status, again.response = 0, "pending", ""
        return self._enqueue(again)

    def of(self, hook: Hook) -> list[Delivery]:
        """Give the deliveries of a hook, newest first."""
        return [one for one in reversed(self.deliveries) if one.hook is hook]

    # ---- what goes wrong on demand

    def drop_next(self, count: int = 1) -> None:
        """Lose the next deliveries: they are recorded, and never sent."""
        self._faults["dropped"] += count

    def duplicate_next(self, count: int = 1) -> None:
        """Send each of the next deliveries twice, under one guid."""
        self._faults["duplicated"] += count

    def hold(self) -> None:
        """Keep deliveries back until `release`."""
        self._held = [] if self._held is None else self._held

    def release(self, order: Callable[[list[Delivery]], Iterable[Delivery]] = list) -> None:
        """Send what was held, in the order that `order` puts it in (such as `reversed`)."""
        held, self._held = self._held or [], None
        for delivery in order(held):
            self._queue(delivery.hook).put_nowait(delivery)

    # ---- sending

    def _enqueue(self, delivery: Delivery) -> Delivery:
        self.deliveries.append(delivery)
        if self._take("dropped"):
            delivery.status = "dropped"
            return delivery
        copies = 2 if self._take("duplicated") else 1
        for _ in range(copies):
            if self._held is not None:
                self._held.append(delivery)
            else:
                self._queue(delivery.hook).put_nowait(delivery)
        return delivery

    def _take(self, fault: str) -> bool:
        if self._faults[fault] == 0:
            return False
        self._faults[fault] -= 1
        return True

    def _queue(self, hook: Hook) -> asyncio.Queue[Delivery]:
        if hook.id not in self._queues:
            queue: asyncio.Queue[Delivery] = asyncio.Queue()
            self._queues[hook.id] = queue
            self._tasks.append(asyncio.create_task(self._work(queue)))
        return self._queues[hook.id]

    async def _work(self, queue: asyncio.Queue[Delivery]) -> None:
        while True:
            delivery = await queue.get()
            try:
                await self._send(delivery)
            finally:
                queue.task_done()

    async def _send(self, delivery: Delivery) -> None:
        began = time.monotonic()
        try:
            answer = await self._client.post(delivery.hook.url, content=delivery.body(), headers=delivery.headers())
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            delivery.status_code, delivery.status = (
                0,
                "timed out" if isinstance(problem, httpx.TimeoutException) else "failed to connect to host",
            )
            delivery.response = str(problem)
        else:
            delivery.status_code, delivery.response = answer.status_code, answer.text
            delivery.status = "OK" if answer.is_success else answer.reason_phrase
        delivery.duration = round(time.monotonic() - began, 3)
        delivery.hook.last_code = delivery.status_code

    async def settled(self) -> None:
        """Wait until all that was to be sent (and is not held) has been sent and answered."""
        for queue in list(self._queues.values()):
            await queue.join()

    async def close(self) -> None:
        """Stop sending; what was not sent stays recorded as pending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()
