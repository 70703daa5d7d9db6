"""Whatever happens to the control plane, every environment reaches what is wanted, and visitors notice nothing."""

import asyncio
import time

import pytest

from revieee.testing.demo.traffic import requests
from revieee.testing.serving import docker, until
from support.plane import Opened, Plane, gone, page, slow, under_way

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def builds(plane: Plane, name: str, text: str, seconds: float) -> Opened:
    """Open a pull request whose build takes that long, and wait until it is under way, and was told of."""
    files = slow(text, seconds)
    opened = await plane.open(name, files)
    await under_way(files)

    async def told() -> bool:
        return bool(opened.comments)

    assert await until(told), plane.control.tail()
    return opened


async def test_killed_in_the_middle_of_a_build_it_goes_on_and_visitors_notice_nothing(plane: Plane) -> None:
    good = await plane.open("good", page("good"))
    await good.reaches("live")
    kept = await good.containers()
    url, host = f"http://127.0.0.1:{plane.control.given.port}/", plane.control.at(good.host)
    async with plane.control.client() as client, requests(client, url, host, ("good",)) as traffic:
        building = await builds(plane, "killed", "built", 2.5)
        plane.control.kill()
        await plane.control.stop()
        await asyncio.sleep(0.5)
        await plane.control.start()
        await building.reaches("live")
    assert traffic.failures == {}
    assert (await building.get()).text == "built\n"
    assert await good.containers() == kept
    assert len(await building.containers()) == 1
    assert len(building.comments) == 1


async def test_what_happened_while_it_was_down_is_found_out(plane: Plane) -> None:
    closed = await plane.open("closed", page("to be closed"))
    pushed = await plane.open("pushed", page("old"))
    await closed.reaches("live")
    await pushed.reaches("live")
    quiet = await plane.repository("quiet")
    await plane.github.settled()  # its webhook was set up, and nothing was opened yet
    plane.control.kill()
    await plane.control.stop()
    await closed.close()
    await pushed.push({"index.html": "new\n"})
    missed = await plane.propose(quiet, page("missed"))
    await plane.github.settled()
    assert (await pushed.get()).text == "old\n", "the router goes on without the control plane"
    await plane.control.start()
    await closed.reaches("gone")
    await pushed.reaches("live")
    assert (await pushed.get()).text == "new\n"
    await missed.reaches("live")


async def test_a_close_ends_a_running_build(plane: Plane) -> None:
    building = await builds(plane, "cancelled", "never", 120)
    began = time.monotonic()
    await building.close()
    await building.reaches("gone")
    assert time.monotonic() - began < 20
    assert await building.containers() == []


async def test_a_newer_push_ends_the_build_of_an_older_one(plane: Plane) -> None:
    building = await builds(plane, "superseded", "never", 120)
    await plane.github.force_push(building.pull, page("newer"))
    await plane.github.forget_unreachable(building.pull.repository.full_name)
    await building.reaches("live")
    assert (await building.get()).text == "newer\n"


async def test_a_container_that_was_removed_by_hand_comes_back(plane: Plane) -> None:
    hurt = await plane.open("hurt", page("hurt"))
    await hurt.reaches("live")
    await docker("container", "rm", "--force", "--", *await hurt.containers())

    async def back() -> bool:
        return (await hurt.get()).text == "hurt\n"

    assert await until(back, seconds=30), plane.control.tail()


async def test_a_stop_and_a_start_change_nothing(plane: Plane) -> None:
    listed = (await plane.control.command("list", "--json")).json()

    async def settled() -> bool:
        there = await plane.mine()  # an update's old release may still drain
        return len(there["containers"]) == len(there["images"]) == len(listed)

    assert await until(settled), await plane.mine()
    before = await plane.mine()
    assert await plane.control.stop() == 0, "it ended by itself, in time"
    assert await plane.mine() == before
    await plane.control.start()
    ended = await plane.control.command("list", "--json")
    assert {one["state"] for one in ended.json()} == {"live"}
    assert await plane.mine() == before


async def test_what_carries_the_label_and_has_no_row_is_swept(plane: Plane) -> None:
    labels = [f"--label=revieee.instance={plane.control.instance}", "--label=revieee.environment=4711"]
    (stray,) = await docker("container", "create", *labels, "busybox", "true")
    (other,) = await docker(
        "container", "create", "--label=revieee.instance=someone-else", *labels[1:], "busybox", "true"
    )

    async def swept() -> bool:
        return stray not in await docker("container", "ls", "--all", "--quiet", "--no-trunc")

    try:
        assert await until(swept, seconds=25, pause=0.3)
        assert other in await docker("container", "ls", "--all", "--quiet", "--no-trunc")
    finally:
        await docker("container", "rm", "--force", "--", other)


async def test_all_closed_nothing_is_left(plane: Plane) -> None:
    for repository in list(plane.github.state.repositories.values()):
        for pull in repository.pulls.values():
            if pull.state == "open":
                await plane.github.close(pull)
    assert await gone(plane) == {}
    assert await plane.control.routes() == []


async def test_a_container_killed_by_hand_is_back_before_the_tick(plane: Plane) -> None:
    opened = await plane.open("victim", page("back"))
    await opened.reaches("live")
    (killed,) = await opened.containers()
    await docker("kill", killed)

    async def back() -> bool:
        return bool(await opened.containers())

    assert await until(back, seconds=6, pause=0.1), plane.control.tail()
