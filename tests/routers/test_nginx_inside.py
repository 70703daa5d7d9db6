"""The address for containers: who asks there reaches the hosts of its own environment, and nothing tells of others.

Environments are played by subnets of the loopback network: apps have 127.0.0.1, so 127.0.0.0/26 is their environment.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from revieee.model.route import Endpoint, Route, RouteState
from revieee.routers.nginx import Inside, RouterOptions
from support.routing import App, Place, app, running, says

ADDRESS = "127.9.0.1"
OWN, OTHER = "127.0.0.62", "127.0.0.66"
"""Containers: one of the apps' environment, and one of the next."""
HOST = "web-pr-1.localhost"
FOREIGN = Endpoint("127.0.0.65", 9)


@pytest.fixture
def options(options: RouterOptions) -> RouterOptions:
    return replace(options, inside=Inside(host=ADDRESS, port=options.listen[1], subnet_prefix=26))


@pytest.fixture
async def web(place: Place) -> AsyncIterator[App]:
    """An app at HOST that says hello."""
    async with app(says("hello")) as web:
        await place.router.push([web.route(HOST, 1)])
        yield web


async def ask(place: Place, host: str, path: str = "/", *, client: str = OWN, **headers: str) -> httpx.Response:
    """Ask at the address for containers, as one of them."""
    way = httpx.AsyncHTTPTransport(local_address=client)
    async with httpx.AsyncClient(transport=way, trust_env=False, timeout=20) as session:
        return await session.get(f"http://{ADDRESS}:{place.port}{path}", headers={"Host": host, **headers})


def told(answer: httpx.Response) -> tuple[object, ...]:
    """All that a client sees of an answer, but the time."""
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.content


async def test_a_container_reaches_the_hosts_of_its_own_environment(place: Place, web: App) -> None:
    assert (await ask(place, HOST)).text == "hello"
    assert web.requests[0].headers["x-forwarded-for"] == OWN


async def test_another_environment_s_host_is_unknown_also_after_others_asked_for_it(place: Place, web: App) -> None:
    assert (await place.get(HOST)).text == (await ask(place, HOST)).text == "hello"
    web.requests.clear()
    answer = await ask(place, HOST, client=OTHER)
    assert answer.status_code == 404
    assert told(answer) == told(await ask(place, "nobody.localhost", client=OTHER))
    assert web.requests == []
    assert (await place.get(HOST)).text == (await ask(place, HOST)).text == "hello"


@pytest.mark.parametrize("state", [one for one in RouteState if one is not RouteState.UP])
@pytest.mark.parametrize("endpoint", [None, FOREIGN], ids=["nowhere", "foreign"])
async def test_no_state_of_a_host_is_told_to_others(place: Place, state: RouteState, endpoint: Endpoint | None) -> None:
    place.answers.routes["asked.localhost"] = Route(hostname="asked.localhost", state=state, version=1)
    await place.router.push([Route(hostname=HOST, state=state, endpoint=endpoint, version=1)])
    async with asyncio.timeout(15):
        answers = [await ask(place, host) for host in (HOST, "asked.localhost", "nobody.localhost")]
    assert [told(answer) for answer in answers] == [told(answers[0])] * 3
    assert answers[0].status_code == 404
    assert place.answers.asked == [], "how long an answer takes tells nothing either"
    assert await place.router.last_seen() == {}, "it keeps nobody awake"


async def test_without_a_control_plane_it_is_the_same(place: Place, web: App) -> None:
    before = await ask(place, HOST, client=OTHER)
    await place.stop_control()
    assert (await ask(place, HOST)).text == "hello"
    for host in (HOST, "nobody.localhost", "localhost"):
        assert told(await ask(place, host, client=OTHER)) == told(before)
    assert len(web.requests) == 1


@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST", ADDRESS, "_"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/api/v1/environments", "/webhooks/github", "/_route"])
async def test_the_control_plane_is_not_there(place: Place, host: str, path: str) -> None:
    assert told(await ask(place, host, path)) == told(await ask(place, "nobody.localhost"))


async def test_a_container_is_who_it_is_whatever_load_balancers_may_say(options: RouterOptions) -> None:
    async with running(replace(options, trusted_proxies=("127.0.0.0/8",))) as place, app(says("hello")) as web:
        await place.router.push([web.route(HOST, 1)])
        assert (await ask(place, HOST, client=OTHER, **{"X-Forwarded-For": OWN})).status_code == 404
        assert (await ask(place, HOST, **{"X-Forwarded-For": OTHER})).text == "hello"


async def test_a_held_request_of_its_own_waits_like_any_other(place: Place, web: App) -> None:
    await place.router.push([web.route(HOST, 2, RouteState.HOLD)])
    visit = asyncio.create_task(ask(place, HOST))
    done, _ = await asyncio.wait([visit], timeout=0.3)
    assert not done
    await place.router.push([web.route(HOST, 3)])
    assert (await visit).text == "hello"


async def test_a_held_request_does_not_follow_its_host_to_another_environment(place: Place, web: App) -> None:
    await place.router.push([Route(hostname=HOST, state=RouteState.HOLD, endpoint=FOREIGN, version=2)])
    visit = asyncio.create_task(ask(place, HOST, client=OTHER))
    done, _ = await asyncio.wait([visit], timeout=0.3)
    assert not done
    await place.router.push([web.route(HOST, 3)])
    assert (await visit).status_code == 404


async def test_where_people_come_in_at_every_address_containers_have_theirs_all_the_same(
    options: RouterOptions,
) -> None:
    everywhere = replace(options, listen=("0.0.0.0", options.listen[1]))  # noqa: S104 - what is tested
    async with running(everywhere) as place, app(says("hello")) as web:
        await place.router.push([web.route(HOST, 1)])
        assert (await place.get(HOST)).text == (await ask(place, HOST)).text == "hello"
        assert (await ask(place, HOST, client=OTHER)).status_code == 404
