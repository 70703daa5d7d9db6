"""Hosts that nobody pushed, and a control plane that is slow, hung or not there."""

import asyncio

from revieee.model.route import Route, RouteState
from revieee.model.view import State, View
from support.routing import Place, app, says

HOST = "web-pr-1.localhost"


async def asked(place: Place, count: int) -> None:
    while len(place.answers.asked) < count:  # noqa: ASYNC110 - nginx asks when it does
        await asyncio.sleep(0.005)


async def test_a_host_that_was_not_pushed_is_asked_for_once(place: Place) -> None:
    async with app(says("me")) as web:
        place.answers.routes[HOST] = web.route(HOST, 1)
        assert [(await place.get(HOST)).text for _ in range(3)] == ["me", "me", "me"]
    assert place.answers.asked == [HOST]


async def test_many_first_visitors_are_one_question(place: Place) -> None:
    async with app(says("me")) as web:
        place.answers.routes[HOST] = web.route(HOST, 1)
        place.answers.gate.clear()
        visits = [asyncio.create_task(place.get(HOST)) for _ in range(30)]
        await asked(place, 1)
        place.answers.gate.set()
        assert {(await visit).text for visit in visits} == {"me"}
    assert place.answers.asked == [HOST]


async def test_an_unknown_host_is_remembered_for_a_moment_and_takes_no_room(place: Place) -> None:
    for _ in range(5):
        assert (await place.get("nobody.localhost")).status_code == 404
    assert place.answers.asked == ["nobody.localhost"]
    assert await place.router.push_all([]) == 0


async def test_a_push_is_stronger_than_the_memory_of_an_unknown_host(place: Place) -> None:
    assert (await place.get(HOST)).status_code == 404
    async with app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        assert (await place.get(HOST)).text == "me"


async def test_without_a_control_plane_known_hosts_go_on_and_others_get_a_page(place: Place) -> None:
    async with app(says("me")) as web:
        await place.router.push(
            [web.route(HOST, 1), Route(hostname="b.localhost", state=RouteState.BUILDING, version=1)]
        )
        await place.stop_control()
        assert (await place.get(HOST)).text == "me"
        building = await place.get("b.localhost", Accept="text/html")
        assert (building.status_code, building.headers["Retry-After"]) == (503, "5")
        assert "On its way" in building.text
        unknown = await place.get("nobody.localhost", Accept="text/html")
        assert (unknown.status_code, unknown.headers["Retry-After"]) == (503, "5")
        own = await place.get("localhost", Accept="text/html")
        assert own.status_code == 503
        assert "not there right now" in own.text
        await place.start_control()
        assert (await place.get("localhost", "/healthz")).text == "ok\n"


async def test_a_hung_control_plane_costs_known_hosts_nothing(place: Place) -> None:
    async with app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        await place.get(HOST)
        place.answers.gate.clear()
        strangers = [asyncio.create_task(place.get(f"nobody{n}.localhost")) for n in range(100)]
        await asked(place, 1)
        answered = 0
        while answered < 100 and not any(stranger.done() for stranger in strangers):  # they wait for 3 s
            assert (await place.get(HOST)).text == "me"
            answered += 1
        assert answered > 10
        place.answers.gate.set()
        assert {(await stranger).status_code for stranger in strangers} <= {404, 503}


async def test_a_page_tells_what_the_control_plane_knows_and_is_asked_for_once_a_second(
    place: Place,
) -> None:
    place.answers.views[HOST] = View(
        environment="owner/web#1",
        instance="main",
        state=State.FAILED,
        headline="The release failed.",
        reason="<script>alert(1)</script> is no Dockerfile",
        commit="0123456789abcdef",
        log="PASSWORD=hunter2",
    )
    await place.router.push([Route(hostname=HOST, state=RouteState.FAILED, version=1)])
    pages = [await place.get(HOST, Accept="text/html,*/*") for _ in range(20)]
    assert {page.status_code for page in pages} == {503}
    assert 'href="https://github.com/owner/web/pull/1"' in pages[0].text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; is no Dockerfile" in pages[0].text
    assert "hunter2" not in pages[0].text
    assert place.answers.asked.count(f"page {HOST}") <= 3


async def test_a_page_is_told_in_the_form_that_is_asked_for(place: Place) -> None:
    await place.router.push([Route(hostname=HOST, state=RouteState.BUILDING, version=1)])
    for accept, content_type in {
        "text/html,application/xhtml+xml,*/*;q=0.8": "text/html; charset=utf-8",
        "application/json": "application/json",
        "application/problem+json": "application/json",
        "*/*": "text/plain; charset=utf-8",
        "image/avif,image/webp": "text/plain; charset=utf-8",
    }.items():
        assert (await place.get(HOST, Accept=accept)).headers["Content-Type"] == content_type
