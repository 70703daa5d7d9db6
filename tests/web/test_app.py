from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route as Path

from revieee.model.route import Endpoint, Route, RouteState
from revieee.model.view import View
from revieee.web import create_app
from revieee.web.questions import Figures

ROUTES = {
    "up.localhost": Route(hostname="up.localhost", state=RouteState.UP, endpoint=Endpoint("10.0.0.2", 80), version=3),
    "six.localhost": Route(hostname="six.localhost", state=RouteState.UP, endpoint=Endpoint("fd00::2", 80), version=1),
    "new.localhost": Route(hostname="new.localhost", state=RouteState.BUILDING, version=4),
    "old.localhost": Route(hostname="old.localhost", state=RouteState.GONE, version=5),
}


class Store:
    def __init__(self) -> None:
        self.problems: list[str] = []

    async def route(self, hostname: str) -> Route | None:
        return ROUTES.get(hostname)

    async def view(self, hostname: str) -> View | None:
        del hostname
        return None

    async def figures(self) -> Figures:
        return {"environments": ("Environments.", {"present": 3})}

    async def environments(self) -> int:
        return 2

    async def ready(self) -> Sequence[str]:
        return self.problems


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def web(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async def hook(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"took {len(await request.body())}", 202)

    app = create_app(store, routes=[Path("/webhooks/github", hook, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


def question(host: str, **more: str) -> dict[str, str]:
    return {"X-Revieee-Question": "1", "X-Original-Host": host, **more}


@pytest.mark.parametrize(
    ("host", "status", "text"),
    [
        ("up.localhost", 200, "up 10.0.0.2:80 3"),
        ("six.localhost", 200, "up [fd00::2]:80 1"),
        ("new.localhost", 200, "building - 4"),
        ("old.localhost", 404, "unknown"),
        ("nobody.localhost", 404, "unknown"),
    ],
)
async def test_nginx_is_told_a_hosts_route(web: httpx.AsyncClient, host: str, status: int, text: str) -> None:
    answer = await web.get("/_route", headers=question(host))
    assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize("path", ["/_route", "/_page"])
async def test_strangers_are_told_nothing(web: httpx.AsyncClient, path: str) -> None:
    headers = {"X-Original-Host": "up.localhost", "X-Route-State": "building"}
    assert (await web.get(path, headers=headers)).status_code == 404


async def test_nginx_gets_the_page_of_a_state(web: httpx.AsyncClient) -> None:
    headers = question("new.localhost", **{"X-Route-State": "building", "X-Page-Kind": "json"})
    answer = await web.get("/_page", headers=headers)
    assert (answer.status_code, answer.json()["state"]) == (503, "building")


@pytest.mark.parametrize("state", ["", "nonsense", "<b>"])
async def test_a_state_that_is_none_gets_a_page_too(web: httpx.AsyncClient, state: str) -> None:
    answer = await web.get("/_page", headers=question("a", **{"X-Route-State": state, "X-Page-Kind": "html"}))
    assert answer.status_code == 503
    assert "<b>" not in answer.text


async def test_it_tells_whether_it_is_ready(web: httpx.AsyncClient, store: Store) -> None:
    assert (await web.get("/healthz")).text == "ok\n"
    assert (await web.get("/readyz")).status_code == 200
    store.problems.append("The database does not answer.")
    answer = await web.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "The database does not answer.\n")


async def test_metrics_are_there_for_prometheus(web: httpx.AsyncClient) -> None:
    text = (await web.get("/metrics")).text
    assert "python_info" in text
    assert 'revieee_environments{state="present"} 3.0' in text


async def test_other_rooms_routes_stand_beside_its_own(web: httpx.AsyncClient) -> None:
    answer = await web.post("/webhooks/github", content=b"{}")
    assert (answer.status_code, answer.text) == (202, "took 2")


async def test_the_index_says_what_this_is(web: httpx.AsyncClient) -> None:
    assert "2 environments" in (await web.get("/")).text
