"""Routes pushed, compared, held and forgotten, on a real nginx."""

import asyncio
import dataclasses

import pytest

from revieee.model.route import Endpoint, Route, RouteState
from revieee.ports import Refused
from revieee.routers.nginx import RouterOptions
from support.routing import Place, Request, app, running, says

HOST = "web-pr-1.localhost"
NOWHERE = Endpoint("127.0.0.1", 9)


def gone(version: int) -> Route:
    return Route(hostname=HOST, state=RouteState.GONE, version=version)


async def test_a_pushed_route_is_there_when_the_push_returns(place: Place) -> None:
    async with app(says("old")) as old, app(says("new")) as new:
        await place.router.push([old.route(HOST, 1)])
        assert (await place.get(HOST)).text == "old"
        await place.router.push([new.route(HOST, 2)])
        assert (await place.get(HOST)).text == "new"
    assert place.answers.asked == []


async def test_a_lower_version_never_replaces_a_higher_one(place: Place) -> None:
    async with app(says("new")) as new:
        await place.router.push([new.route(HOST, 7)])
        await place.router.push([Route(hostname=HOST, state=RouteState.UP, endpoint=NOWHERE, version=6)])
        assert (await place.get(HOST)).text == "new"


async def test_a_late_push_does_not_bring_back_what_is_gone(place: Place) -> None:
    async with app(says("back")) as web:
        await place.router.push([web.route(HOST, 1)])
        await place.router.push([gone(2)])
        await place.router.push([web.route(HOST, 1)])
        assert (await place.get(HOST)).status_code == 404
        await place.router.push([web.route(HOST, 3)])
        assert (await place.get(HOST)).text == "back"


async def test_an_answer_older_than_a_push_that_came_meanwhile_is_dropped(place: Place) -> None:
    async with app(says("new")) as new:
        place.answers.routes[HOST] = Route(hostname=HOST, state=RouteState.UP, endpoint=NOWHERE, version=1)
        place.answers.gate.clear()
        visit = asyncio.create_task(place.get(HOST))
        while not place.answers.asked:  # noqa: ASYNC110 - nginx asks when it does
            await asyncio.sleep(0.005)
        await place.router.push([new.route(HOST, 2)])
        place.answers.gate.set()
        assert (await visit).text == "new"


async def test_a_held_request_waits_and_reaches_the_new_endpoint_with_its_body(place: Place) -> None:
    async def echo(request: Request) -> None:
        await request.answer(b"new " + await request.body())

    async with app(echo) as new:
        await place.router.push([Route(hostname=HOST, state=RouteState.HOLD, version=1)])
        visits = [asyncio.create_task(place.ask("POST", HOST, content=b"%d" % n)) for n in range(20)]
        done, _ = await asyncio.wait(visits, timeout=0.3)
        assert not done
        assert await place.router.open_requests() == {}
        await place.router.push([new.route(HOST, 2)])
        assert [(await visit).text for visit in visits] == [f"new {n}" for n in range(20)]


@pytest.mark.parametrize("state", [RouteState.BUILDING, RouteState.FAILED, RouteState.ASLEEP])
async def test_a_state_has_its_page(place: Place, state: RouteState) -> None:
    await place.router.push([Route(hostname=HOST, state=state, version=1)])
    answer = await place.get(HOST, Accept="application/json")
    assert answer.status_code == 503
    assert answer.json()["state"] == state.value
    assert answer.json()["host"] == HOST
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in answer.headers) is (state is not RouteState.FAILED)


async def test_push_all_mends_what_was_lost_and_removes_what_is_unknown(place: Place) -> None:
    async with app(says("one")) as one:
        await place.router.push([one.route("stray.localhost", 1), one.route("same.localhost", 1)])
        table = [one.route(HOST, 5), one.route("same.localhost", 1)]
        assert await place.router.push_all(table) == 2
        assert await place.router.push_all(table) == 0
        assert (await place.get(HOST)).text == "one"
        assert (await place.get("stray.localhost")).status_code == 404
        assert place.router.options.snapshot.read_text().count("\n") == 2


async def test_push_all_leaves_a_newer_route_alone_once_and_then_believes_the_store(place: Place) -> None:
    async with app(says("new")) as new, app(says("set back")) as set_back:
        await place.router.push([new.route(HOST, 9)])
        assert await place.router.push_all([set_back.route(HOST, 2)]) == 1
        assert (await place.get(HOST)).text == "new"
        assert await place.router.push_all([set_back.route(HOST, 2)]) == 1
        assert (await place.get(HOST)).text == "set back"


async def test_a_thousand_routes_are_pushed_at_once(place: Place) -> None:
    async with app(says("me")) as web:
        await place.router.push([web.route(f"h{n}.localhost", 1) for n in range(1000)])
        assert (await place.get("h999.localhost")).text == "me"
        assert await place.router.push_all([web.route(f"h{n}.localhost", 1) for n in range(1000)]) == 0


async def test_a_push_of_a_name_that_is_no_hostname_is_refused_before_it_is_sent(place: Place) -> None:
    with pytest.raises(Refused, match="cannot be a hostname"):
        await place.router.push([Route(hostname="a up 1.2.3.4:5 9\nb", state=RouteState.FAILED, version=1)])


async def test_hosts_that_were_requested_are_seen(place: Place) -> None:
    async with app(says("me")) as web:
        await place.router.push([web.route(HOST, 1), web.route("other.localhost", 1)])
        await place.get(HOST)
        seen = await place.router.last_seen()
    assert set(seen) == {HOST}
    assert seen[HOST] > 1.7e9


async def test_a_request_is_held_no_longer_than_the_limit(options: RouterOptions) -> None:
    async with running(dataclasses.replace(options, hold_seconds=0.3)) as place:
        await place.router.push([Route(hostname=HOST, state=RouteState.HOLD, version=1)])
        async with asyncio.timeout(20):
            answer = await place.get(HOST)
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
