"""GitHub does not answer, or answers strangely: deployments never wait for it, and reports catch up later."""

from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from revieee.testing.github import Opening
from revieee.testing.github.faults import Fault, FaultKind
from revieee.testing.serving import until
from support.plane import Opened, Plane, page

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

REPORTS = ("POST /repos/*", "PATCH /repos/*")
"""What a reporter says."""
QUESTIONS = "GET /*"
"""Whatever is asked of the API; git's own requests have other names."""
ONE_QUESTION = 20.0
"""Seconds for which one request waits for GitHub."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(plane: Plane) -> Opened:
    opened = await plane.open("shop", page("first"))
    await opened.reaches("live")
    return opened


def met(*faults: Fault) -> Callable[[], Awaitable[bool]]:
    """Ask whether a request met one of these faults."""

    async def was() -> bool:
        return any(one.met.is_set() for one in faults)

    return was


async def shows(opened: Opened, text: str, *, seconds: float = 60) -> None:
    """Wait until the environment shows a text."""

    async def shown() -> bool:
        return (await opened.get()).text == f"{text}\n"

    assert await until(shown, seconds=seconds), opened.plane.control.tail()


@pytest.mark.parametrize("kind", ["error", "bad gateway", "unauthorized", "forbidden", "secondary limit", "cut"])
async def test_a_push_is_live_without_github_and_told_when_it_is_back(opened: Opened, kind: FaultKind) -> None:
    faults = opened.plane.github.faults
    silent = [faults.next(kind, route, times=None, seconds=1) for route in REPORTS]
    try:
        await opened.push({"index.html": f"while {kind}\n"})
        await shows(opened, f"while {kind}")
        assert await until(met(*silent)), "it was tried to tell"
        assert opened.state != "live"
    finally:
        faults.clear()
    await opened.reaches("live")
    assert len(opened.comments) == 1


async def test_a_fetch_that_breaks_off_is_tried_again(opened: Opened) -> None:
    broken = opened.plane.github.faults.next("error", "POST git/git-upload-pack")
    await opened.push({"index.html": "fetched\n"})
    await shows(opened, "fetched")
    assert broken.met.is_set()
    await opened.reaches("live")


async def test_a_github_that_hangs_holds_up_no_push(opened: Opened) -> None:
    for route in (*REPORTS, QUESTIONS):
        opened.plane.github.faults.next("hang", route, times=None)
    try:
        for text in ("hung", "hung still"):
            await opened.push({"index.html": f"{text}\n"})
            await shows(opened, text, seconds=ONE_QUESTION - 1)
    finally:
        opened.plane.github.faults.clear()
    await opened.reaches("live", seconds=60)
    assert len(opened.comments) == 1


async def proposed(plane: Plane, repository: str, text: str, how: Opening | None = None) -> Opened:
    """Open one more pull request, from a branch of its own, by whoever owns the fork that it comes from."""
    source, author = (how.fork, how.fork.partition("/")[0]) if how and how.fork else (repository, None)
    branch = text.replace(" ", "-")
    await plane.github.commit(source, branch, page(text), author=author)
    return Opened(plane, await plane.github.open_pull_request(repository, branch, "Another", how))


@pytest.mark.parametrize("kind", ["error", "unauthorized", "secondary limit"])
async def test_a_pull_request_is_live_though_nothing_can_be_asked(opened: Opened, kind: FaultKind) -> None:
    faults = opened.plane.github.faults
    fault = faults.next(kind, QUESTIONS, times=None, seconds=1)
    try:
        another = await proposed(opened.plane, opened.pull.repository.full_name, f"asked {kind}")
        await shows(another, f"asked {kind}")
        assert await until(met(fault)), "something was asked"
    finally:
        faults.clear()
    await another.reaches("live")
    assert len(another.comments) == 1
    await another.close()


async def test_a_fork_waits_with_a_reason_until_it_can_be_asked_who_may_write(opened: Opened) -> None:
    plane, repository = opened.plane, opened.pull.repository.full_name
    plane.github.set_permission(repository, "contributor", "write")
    fork = await plane.github.fork(repository, "contributor")
    fault = plane.github.faults.next("error", "GET /repos/*/collaborators/*", times=None)
    try:
        another = await proposed(plane, repository, "a fork", Opening(fork=fork.full_name))
        assert await until(met(fault))

        async def told() -> bool:
            return "whether contributor may write" in another.comment

        assert await until(told), another.comment
        assert await another.containers() == []
    finally:
        plane.github.faults.clear()
    await shows(another, "a fork")
    await another.reaches("live")
    assert len(another.comments) == 1
    await another.close()


async def test_a_listing_that_fails_at_the_start_is_soon_tried_again(opened: Opened) -> None:
    plane = opened.plane
    await plane.control.stop()
    await opened.push({"index.html": "listed\n"})
    await plane.github.settled()
    fault = plane.github.faults.next("error", "GET /repos/{owner}/{repo}/pulls")
    await plane.control.start()
    await shows(opened, "listed")
    assert fault.met.is_set()
    await opened.reaches("live")


async def test_a_comment_that_a_person_deleted_comes_back_once(opened: Opened) -> None:
    (comment,) = [one for one in opened.pull.comments if one.body == opened.comment]
    opened.plane.github.delete_comment(comment)
    await opened.push({"index.html": "after the comment\n"})
    await opened.reaches("live")
    assert len(opened.comments) == 1


async def test_after_a_rename_and_a_transfer_pushes_arrive_and_are_told(opened: Opened) -> None:
    github, host = opened.plane.github, opened.host
    github.rename_repository("acme/shop", "store")
    await opened.push({"index.html": "renamed\n"})
    await opened.reaches("live")
    github.transfer_repository("acme/store", "other")
    await opened.push({"index.html": "transferred\n"})
    await opened.reaches("live")
    assert len(opened.comments) == 1
    hosts = [one["url"] for one in (await opened.plane.control.command("list", "--json")).json()]
    (url,) = hosts
    shown = await opened.plane.control.get(url.partition("://")[2].partition(":")[0])
    assert shown.text == "transferred\n", f"{host} was its first host"


async def test_a_deleted_repository_takes_its_environments_along(opened: Opened) -> None:
    opened.plane.github.delete_repository(opened.pull.repository.full_name)
    plane: Plane = opened.plane

    async def nothing_left() -> bool:
        await plane.control.command("sync")
        return not any((await plane.mine()).values())

    assert await until(nothing_left, seconds=60, pause=1), plane.control.tail()
