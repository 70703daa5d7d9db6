"""A stranger's pull request on real parts: it waits, is approved, runs without the internet, and waits again."""

from collections.abc import Iterator

import pytest
import pytest_asyncio

from revieee.testing.github import Opening
from revieee.testing.serving import until
from support.docker import docker
from support.elsewhere import INTERNET, played, request
from support.plane import Opened, Plane, gone, page

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with played(tmp_path_factory.mktemp("elsewhere")):
        yield


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(plane: Plane, elsewhere: None) -> Opened:  # noqa: ARG001 - asked for its effect
    full = await plane.repository("shop")
    plane.github.set_permission(full, "maintainer", "write")
    fork = await plane.github.fork(full, "stranger")
    await plane.github.commit(fork.full_name, "feature", page("first"), author="stranger")
    return Opened(plane, await plane.github.open_pull_request(full, "feature", "A page", Opening(fork=fork.full_name)))


async def says(opened: Opened, words: str) -> None:
    async def said() -> bool:
        return words in opened.comment

    assert await until(said), f"{words!r} is not in: {opened.comment}\n{opened.plane.control.tail(30)}"


async def approve(opened: Opened) -> None:
    """Comment in a later second than that of the push: which came first, GitHub does not tell within one."""
    moment = opened.pull.updated_at.replace(microsecond=0)

    async def later() -> bool:
        return opened.plane.github.settings.clock().replace(microsecond=0) > moment

    await until(later)
    opened.plane.github.comment(opened.pull, "maintainer", "/revieee approve")


def answers(container: str, address: str) -> bool:
    return "reached" in docker("exec", container, "sh", "-c", f"{request(address)} || true")


def asked(container: str, host: str, path: str = "/") -> str:
    """Ask for a host, from a container, where its own public URL leads to."""
    request = f"wget -q -O - --header 'Host: {host}' $REVIEEE_URL{path} 2>&1 || true"
    return docker("exec", container, "sh", "-c", request).strip()


async def test_it_waits_and_is_told_why_and_how_to_approve(opened: Opened) -> None:
    await says(opened, "stranger may not write to acme/shop")
    assert "/revieee approve" in opened.comment
    assert await opened.plane.mine() == {"containers": [], "networks": [], "volumes": [], "images": []}


async def test_one_without_write_access_is_answered_in_the_comment(opened: Opened) -> None:
    opened.plane.github.comment(opened.pull, "stranger", "/revieee approve")
    await says(opened, "Not approved: stranger may not write to acme/shop.")
    assert len(opened.comments) == 1


async def test_approved_it_runs_without_the_internet(opened: Opened, plane: Plane) -> None:
    await approve(opened)
    await opened.reaches("live")
    assert "Approved by maintainer" in opened.comment
    assert (await opened.get()).text == "first\n"
    own = await plane.open("site", page("own"))
    await own.reaches("live")
    (trusted,), (stranger,) = await own.containers(), await opened.containers()
    assert answers(trusted, INTERNET), "the stand-in can be reached"
    assert not answers(stranger, INTERNET)
    assert asked(stranger, opened.host) == "first", "its own public URL"
    assert asked(trusted, own.host) == "own"
    closed = ((stranger, own.host), (trusted, opened.host), (stranger, plane.control.given.domain))
    assert all("404 Not Found" in asked(*one) for one in closed), "nobody else's, nor the control plane"
    await own.close()
    await own.reaches("gone")


async def test_a_new_push_waits_again_while_the_approved_commit_stays(opened: Opened) -> None:
    before = await opened.containers()
    commit = await opened.plane.github.push(opened.pull, {"index.html": "second\n"}, author="stranger")
    await says(opened, f"Commit `{commit[:12]}` waits for approval")
    assert (await opened.get()).text == "first\n"
    assert await opened.containers() == before

    async def status() -> list[str]:
        return [one.state for one in opened.pull.repository.statuses if one.sha == commit]

    assert await until(status) == ["success"], "a commit that waits stands in the way of no merge"
    assert [one.state for one in opened.pull.deployments] == ["success"], "of the one that runs"
    await approve(opened)
    await opened.reaches("live")
    assert (await opened.get()).text == "second\n"
    assert len(opened.comments) == 1


async def test_the_command_line_approves_the_commit_that_was_looked_at(opened: Opened) -> None:
    commit = await opened.plane.github.push(opened.pull, {"index.html": "third\n"}, author="stranger")
    await says(opened, f"Commit `{commit[:12]}` waits for approval")
    other = await opened.plane.control.command("approve", opened.name, "--commit", "0" * 40)
    assert other.code == 1
    assert commit in other.err
    done = await opened.plane.control.command("approve", opened.name, "--commit", commit)
    assert done.code == 0, done.err
    assert (await opened.get()).text == "third\n"
    again = await opened.plane.control.command("approve", opened.name)
    assert (again.code, "waits for approval" in again.err) == (1, True)


async def test_closed_it_leaves_nothing(opened: Opened) -> None:
    await opened.close()
    await opened.reaches("gone")
    assert await gone(opened.plane) == {}
