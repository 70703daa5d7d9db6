"""One identity's conversation with GitHub: gidgethub's reading of the API over httpx, with limits, time and errors.

gidgethub builds requests, reads answers and follows pages; this adds what it leaves open: an authorization that can be
renewed, timeouts, redirects of renamed repositories, limits that are kept to, a cache for conditional requests.
"""

import asyncio
import json
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx
from gidgethub import GitHubException
from gidgethub import abc as gidgethub

from revieee.clients.github_errors import Limited, Rejected, Unavailable, from_response

API_VERSION = "2022-11-28"
"""https://docs.github.com/en/rest/about-the-rest-api/api-versions"""
ACCEPT = "application/vnd.github+json"
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
"""Seconds without a byte before an attempt is given up."""
WHOLE_TIMEOUT = 30.0
"""Seconds for one request from its first byte to the answer's last."""
CACHE_BYTES = 16 * 1024 * 1024

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 307, 308})
_NOT_MODIFIED = 304
_UNAUTHORIZED = 401
_FIRST_ERROR = 300

Clock = Callable[[], datetime]
"""Gives the present moment, with a time zone."""
Entry = tuple[str | None, str | None, Any, str | None]
"""What gidgethub keeps of an answer: etag, last-modified, document, next page."""


class Authorize(Protocol):
    """Who asks."""

    async def __call__(self, *, fresh: bool) -> str | None:
        """Give the value of the Authorization header, None to ask as nobody; ``fresh``: GitHub refused the last one."""


class Cache(MutableMapping[str, Entry]):
    """Answers for conditional requests (a 304 costs none of the limit), compressed, the oldest dropped over a size."""

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._entries: OrderedDict[str, bytes] = OrderedDict()

    def __getitem__(self, url: str) -> Entry:
        packed = self._entries[url]
        self._entries.move_to_end(url)
        etag, modified, document, following = json.loads(zlib.decompress(packed))
        return etag, modified, document, following

    def __setitem__(self, url: str, entry: Entry) -> None:
        self.pop(url, None)
        packed = zlib.compress(json.dumps(entry).encode(), 1)
        self._entries[url] = packed
        self._bytes += len(packed)
        while self._bytes > self._most:
            del self[next(iter(self._entries))]

    def __delitem__(self, url: str) -> None:
        self._bytes -= len(self._entries.pop(url))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Session(gidgethub.GitHubAPI):
    """Requests under one identity. Raises the errors of :mod:`revieee.clients.github_errors`, no others."""

    def __init__(self, http: httpx.AsyncClient, api_url: str, authorize: Authorize, clock: Clock, cache: Cache) -> None:
        super().__init__(http.headers["user-agent"], base_url=api_url.rstrip("/"), cache=cache)
        self._http = http
        self._authorize = authorize
        self._clock = clock
        self._origin = _origin(httpx.URL(api_url))
        self._blocked: tuple[datetime, datetime] | None = None
        """Since when and until when a limit lasts."""
        self.scopes: str | None = None
        """The scopes of a classic token, as the last answer told them; None for other kinds."""

    async def ready(self) -> None:
        """Have an authorization at hand."""
        await self._authorize(fresh=False)

    async def get(self, path: str, **variables: str) -> Any:  # noqa: ANN401 - a JSON document
        """Ask for one document. ``{names}`` in the path are filled in, percent-encoded."""
        with _told():
            return await self.getitem(path, variables)

    async def pages(self, path: str, *, key: str = "items") -> AsyncIterator[Any]:
        """Ask for a list and go through all its pages. ``key`` names the list where it comes inside an object."""
        async with aclosing(self.getiter(path, iterable_key=key)) as items:
            while True:
                with _told():
                    item = await anext(items, None)
                if item is None:
                    return
                yield item

    async def send(self, method: str, path: str, document: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JSON document
        """Send a document with POST or PATCH and give the answer's."""
        with _told():
            return await (self.post if method == "POST" else self.patch)(path, data=document)

    async def remove(self, path: str) -> None:
        """Send a DELETE."""
        with _told():
            await self.delete(path)

    async def sleep(self, seconds: float) -> None:
        """Never called: whoever asked decides whether to wait."""
        raise NotImplementedError

    async def manage_rate_limit(self, *, method: str, url: str) -> None:
        """Ask nothing while a limit lasts: GitHub may ban who goes on (it says so on its page on limits)."""
        if self._blocked is None:
            return
        (since, until), now = self._blocked, self._clock()
        if since <= now < until:  # before it, the clock on the wall was set back, and nobody knows how much is left
            left = (until - now).total_seconds()
            words = f"{method} {httpx.URL(url).path} was not sent: GitHub's rate limit lasts {left:.0f} s more."
            raise Limited(words, delay=left)
        self._blocked = None

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        used = await self._authorize(fresh=False)
        response = await self._attempt(method, url, _with(headers, used), body)
        if response.status_code == _UNAUTHORIZED:
            renewed = await self._authorize(fresh=True)
            if renewed != used:
                response = await self._attempt(method, url, _with(headers, renewed), body)
        status, told = response.status_code, response.headers
        self.scopes = told.get("x-oauth-scopes", self.scopes)
        if status >= _FIRST_ERROR and status != _NOT_MODIFIED:
            now = self._clock()
            error = from_response(f"{method} {httpx.URL(url).path}", status, told, response.content, now)
            if isinstance(error, Limited) and error.delay is not None:
                self._blocked = now, now + timedelta(seconds=error.delay)
            raise error
        return status, told, response.content

    async def _attempt(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """Send one request, and again to wherever it is redirected, with method, body and authorization kept."""
        target = httpx.URL(url)
        for _ in range(_MOST_REDIRECTS + 1):
            if _origin(target) != self._origin:
                raise Rejected(f"GitHub sent us on to another host ({target.host}); our credentials do not go there.")
            response = await self._exchange(method, target, headers, body)
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return response
            target = target.join(response.headers["location"])
        raise Rejected(f"GitHub sent {method} {httpx.URL(url).path} on and on.")

    async def _exchange(self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        try:
            async with asyncio.timeout(WHOLE_TIMEOUT):
                return await self._http.request(method, url, headers=headers, content=body, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            kind = "did not answer in time" if isinstance(error, TimeoutError | httpx.TimeoutException) else str(error)
            # Not chained: the library's error carries the request, and with it the token.
            raise Unavailable(
                f"GitHub could not be asked ({method} {url.path}): {kind or type(error).__name__}"
            ) from None


@contextmanager
def _told() -> Iterator[None]:
    """Turn what gidgethub raises for an answer that cannot be read into our error."""
    try:
        yield
    except (GitHubException, ValueError, LookupError, RecursionError, TypeError) as error:
        raise Unavailable(f"GitHub's answer cannot be read ({type(error).__name__}).") from None


def _with(headers: Mapping[str, str], authorization: str | None) -> dict[str, str]:
    mine = {**headers, "accept": ACCEPT, "x-github-api-version": API_VERSION}
    return mine if authorization is None else mine | {"authorization": authorization}


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    return url.scheme, url.host, port
