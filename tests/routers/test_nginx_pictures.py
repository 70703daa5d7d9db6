"""State pages as a visitor's browser shows them. `REVIEEE_SCREENSHOTS` names a folder that keeps the pictures."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from revieee.model.route import Endpoint, Route, RouteState
from revieee.model.view import State, View
from support.routing import Place

WIDTHS = {"desk": (1280, 800), "phone": (390, 844)}
VIEW = View(
    environment="example/shop#12",
    instance="main",
    state=State.FAILED,
    headline="The release of commit 4f1c2aa failed.",
    reason="Dockerfile, line 14: the step `npm run build` ended with exit code 1.",
    next_act="Push a commit that mends it; nothing else is needed.",
    commit="4f1c2aa90b7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f",
)


@pytest.mark.parametrize("state", ["unknown", "building", "failed", "asleep", "unreachable", "down", "index"])
@pytest.mark.parametrize("device", WIDTHS)
async def test_a_page_in_a_browser(place: Place, screenshot: Callable[..., Path], state: str, device: str) -> None:
    host = f"{state}.localhost"
    place.answers.views[host] = VIEW
    if state == "unreachable":
        nothing_there = Endpoint("127.0.0.1", 9)
        await place.router.push([Route(hostname=host, state=RouteState.UP, endpoint=nothing_there, version=1)])
    elif state in set(RouteState):
        await place.router.push([Route(hostname=host, state=RouteState(state), version=1)])
    if state == "down":
        await place.stop_control()
    url = f"http://{'localhost' if state in {'index', 'down'} else host}:{place.port}/"
    width, height = WIDTHS[device]
    picture = await asyncio.to_thread(screenshot, url, f"{state}-{device}", width, height)
    png = await asyncio.to_thread(picture.read_bytes)
    assert struct.unpack(">II", png[16:24])[0] == width
    assert len(png) > 10_000  # and not an empty page
