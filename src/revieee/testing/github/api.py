"""How one request to the REST API is answered: who asks, what it is about, what was sent, and the paging of lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from revieee.testing.github import answering, pulls
from revieee.testing.github.auth import ApiError, Caller, authenticate, not_found
from revieee.testing.github.hub import Hub
from revieee.testing.github.shapes import Address, Json
from revieee.testing.github.state import PullRequest, Repository, Role

PER_PAGE, MOST_PER_PAGE = 30, 100

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request, understood: the handlers' only argument."""

    hub: Hub
    request: Request
    caller: Caller
    sent: Any
    about: Repository | None = None

    @property
    def at(self) -> Address:
        """Where the practice GitHub is."""
        return self.hub.at

    @property
    def repository(self) -> Repository:
        """The repository that the path names; visible to the caller."""
        if self.about is None:
            raise not_found()
        return self.about

    @property
    def body(self) -> Json:
        """The JSON object that was sent (empty where none was)."""
        return cast("Json", self.sent) if isinstance(self.sent, dict) else {}

    def path(self, name: str) -> str:
        """Give a part of the path."""
        return str(self.request.path_params[name])

    def number(self, name: str) -> int:
        """Give a number in the path; what is no number is not found."""
        text = self.path(name)
        if not text.isdecimal():
            raise not_found()
        return int(text)

    def pull(self, name: str = "number") -> PullRequest:
        """Give the pull request that the path names."""
        return pulls.find(self.repository, self.number(name))

    def text(self, key: str) -> str | None:
        """Give a text that may have been sent."""
        value = self.body.get(key)
        if value is not None and not isinstance(value, str):
            raise ApiError(422, f"Invalid request.\n\nFor 'properties/{key}', {json.dumps(value)} is not a string.")
        return value

    def must_text(self, key: str) -> str:
        """Give a text that must have been sent."""
        value = self.text(key)
        if value is None:
            raise ApiError(422, f'Invalid request.\n\n"{key}" wasn\'t supplied.')
        return value

    def flag(self, key: str, default: bool) -> bool:  # noqa: FBT001 - the value itself
        """Give a yes or no that may have been sent."""
        value = self.body.get(key)
        return value if isinstance(value, bool) else default


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True)
class Rule:
    """A route of the API: the role asked of people, and the permissions (one is enough) asked of installations."""

    method: str
    path: str
    handler: Handler
    role: Role = "read"
    needs: tuple[str, ...] = ("metadata:read",)

    @property
    def name(self) -> str:
        """The route as faults and counters name it."""
        return f"{self.method} {self.path.replace(':path', '')}"


def routes(hub: Hub, prefix: str, rules: Iterable[Rule]) -> list[Route]:
    """Make Starlette's routes of rules, below a prefix such as `/api/v3`."""
    return [Route(prefix + rule.path, _endpoint(hub, rule, prefix), methods=[rule.method]) for rule in rules]


def _endpoint(hub: Hub, rule: Rule, prefix: str) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        body = await request.body()

        async def work() -> Response:
            return await answering.in_words(lambda: _handle(hub, rule, prefix, (request, body)))

        answer = await answering.met(hub, request, rule.name, work)
        if answer.status_code and "X-RateLimit-Limit" not in answer.headers:
            for name, value in hub.faults.rate_limit.headers().items():
                answer.headers.setdefault(name, value)
        return answer

    return respond


async def _handle(hub: Hub, rule: Rule, prefix: str, came: tuple[Request, bytes]) -> Response:
    request, body = came
    caller = authenticate(hub.state, request.headers.get("Authorization"), hub.clock())
    request.state.login = caller.login
    if rule.path != "/rate_limit" and not hub.faults.rate_limit.spend(hub.clock()):
        raise ApiError(403, f"API rate limit exceeded for {caller.login or 'this address'}.")
    about = None
    if "owner" in request.path_params:
        name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        about = hub.state.repository(name)
        former = hub.state.renamed(name)
        if about is None and former is not None and caller.sees(former):
            rest = request.url.path.removeprefix(prefix).split("/", 4)[4:]
            place = "/".join([f"{hub.at.api}/repositories/{former.id}", *rest])
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(place + query, 301 if request.method in {"GET", "HEAD"} else 307)
        if about is None:
            raise not_found()
        caller.must(about, rule.role, rule.needs)
    answer = await rule.handler(Call(hub, request, caller, _parsed(body), about))
    return _tagged(request, answer)


def _parsed(body: bytes) -> object:
    if not body:
        return {}
    try:
        return json.loads(body)
    except ValueError:
        raise ApiError(400, "Problems parsing JSON") from None


def _tagged(request: Request, answer: Response) -> Response:
    """Give a read its `ETag`, and answer 304 to who has it already."""
    if request.method != "GET" or answer.status_code != 200:  # noqa: PLR2004 - OK
        return answer
    tag = f'W/"{hashlib.sha256(bytes(answer.body)).hexdigest()}"'
    if request.headers.get("If-None-Match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    answer.headers["ETag"] = tag
    return answer


def answer(content: object, status: int = 200) -> Response:
    """Answer with JSON."""
    return JSONResponse(content, status)


def nothing() -> Response:
    """Answer 204."""
    return Response(status_code=204)


def _asked_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return max(1, int(text)) if text.isdecimal() else default


def page(call: Call, items: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
    """Cut the page that was asked for (`page`, `per_page`) out of a list; gives it and the `Link` header."""
    size = min(_asked_number(call.request.query_params, "per_page", PER_PAGE), MOST_PER_PAGE)
    number = _asked_number(call.request.query_params, "page", 1)
    last = max(1, -(-len(items) // size))
    leads = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    shown = {"prev", "first"} if number > 1 else set()
    shown |= {"next", "last"} if number < last else set()
    url = call.request.url
    links = [f'<{url.include_query_params(page=to)}>; rel="{rel}"' for rel, to in leads.items() if rel in shown]
    return items[(number - 1) * size : number * size], ({"Link": ", ".join(links)} if links else {})


def paged(call: Call, items: Sequence[T], shape: Callable[[T], object]) -> Response:
    """Answer with one page of a list."""
    part, links = page(call, items)
    return JSONResponse([shape(one) for one in part], headers=links)
