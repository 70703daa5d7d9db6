"""Secrets the whole way on real parts: services and builds have them, and people see `***`."""

import base64
import hashlib
import re

import pytest

from revieee.testing.github import Opening
from support.docker import docker
from support.plane import Opened, Plane

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

VALUE = "hunter22/with+odd&chars"
NEWER = "an entirely different value"
KEY = "\n".join(base64.b64encode(hashlib.sha512(b"%d" % n).digest()[:48]).decode() for n in range(50))
DOCKERFILE = """FROM busybox
RUN --mount=type=secret,id=API_TOKEN mkdir /www; cat /run/secrets/API_TOKEN; \\
    cat /run/secrets/API_TOKEN 2>/dev/null | sha256sum > /www/built
COPY start.sh version /
EXPOSE 80
CMD ["sh", "/start.sh"]
"""
START = """echo "plain: $API_TOKEN"
printf 'encoded: '; printf %s "$API_TOKEN" | base64
printf %s "$API_TOKEN" | sha256sum > /www/running
[ "$(cat /version)" = broken ] && exit 7
exec httpd -f -p 80 -h /www
"""


def files(version: str) -> dict[str, str]:
    return {"Dockerfile": DOCKERFILE, "start.sh": START, "version": version}


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def nothing_of(value: str, *texts: str) -> None:
    """See that no part of a value is shown, in whichever lines: eight characters, or twelve as base64."""
    encoded = base64.b64encode(value.encode()).decode()[:-3]
    for text in (re.sub(r"\n(#\d+ )?(\d+\.\d+ )?", "", text) for text in texts):
        assert [part for part in _parts(value.replace("\n", ""), 8) if part in text] == []
        assert [part for part in _parts(encoded, 12) if part in text] == []


def _parts(value: str, length: int) -> list[str]:
    return [value[at : at + length] for at in range(len(value) - length + 1)]


async def test_set_before_the_release_it_is_in_services_and_builds_and_in_no_output(plane: Plane) -> None:
    control = plane.control
    await plane.open("other", files("one"))
    opened = await plane.open("shop", {"README.md": "nothing to run yet\n"})
    await opened.reaches("none", "failed")
    assert (await control.command("secret", "key")).code == 0
    done = await control.command("secret", "set", "acme/shop", "API_TOKEN", said=f"{VALUE}\n".encode())
    assert done.code == 0, done.err
    await opened.push(files("one"))
    await opened.reaches("live")
    for page in ("/built", "/running"):
        assert (await opened.get(page)).text.split()[0] == digest(VALUE), page
    build = await control.command("logs", "--build", opened.name)
    running = await control.command("logs", opened.name)
    assert "plain: ***" in running.out
    assert "***" in build.out
    nothing_of(VALUE, build.out, running.out, opened.comment, control.tail(200))
    for command in (("show", opened.name, "--json"), ("list", "--json"), ("secret", "list", "acme/shop", "--json")):
        nothing_of(VALUE, (await control.command(*command)).out)
    (image,) = await opened.containers(form="{{.Image}}")
    nothing_of(VALUE, docker("history", "--no-trunc", image), docker("image", "inspect", image))


async def test_another_repository_has_none_of_it(plane: Plane) -> None:
    other = Opened(plane, plane.github.repository("acme/other").pulls[1])
    await other.reaches("live")
    assert (await other.get("/running")).text.split()[0] == digest("")


async def test_a_release_that_fails_with_it_on_its_lips_shows_stars(plane: Plane) -> None:
    opened = Opened(plane, plane.github.repository("acme/shop").pulls[1])
    await opened.push(files("broken"))
    comment = await opened.reaches("failed")
    assert "plain: ***" in comment
    nothing_of(VALUE, comment)
    assert (await opened.get("/running")).text.split()[0] == digest(VALUE), "the live one goes on"


async def test_a_build_that_fails_printing_a_long_one_line_by_line_shows_no_part_of_it(plane: Plane) -> None:
    opened = Opened(plane, plane.github.repository("acme/shop").pulls[1])
    assert (await plane.control.command("secret", "set", "acme/shop", "KEY", said=KEY.encode())).code == 0
    step = "RUN --mount=type=secret,id=KEY base64 /run/secrets/KEY; cat /run/secrets/KEY | tr -d '\\n'; false"
    await opened.push({"Dockerfile": f"FROM busybox\n{step}\n"})
    comment = await opened.reaches("failed")
    build = await plane.control.command("logs", "--build", opened.name)
    assert "***" in comment
    nothing_of(KEY, comment, build.out, (await plane.control.command("show", opened.name, "--json")).out)


async def test_a_changed_one_comes_with_the_next_release_and_the_old_one_stays_masked(plane: Plane) -> None:
    opened = Opened(plane, plane.github.repository("acme/shop").pulls[1])
    await plane.control.command("secret", "set", "acme/shop", "API_TOKEN", said=NEWER.encode())
    nothing_of(VALUE, (await plane.control.command("logs", opened.name)).out)
    assert (await plane.control.command("secret", "rotate")).code == 0
    await opened.push(files("two"))
    await opened.reaches("live")
    assert (await opened.get("/running")).text.split()[0] == digest(NEWER)


async def test_an_approved_stranger_gets_none(plane: Plane) -> None:
    plane.github.set_permission("acme/shop", "maintainer", "write")
    fork = await plane.github.fork("acme/shop", "stranger")
    await plane.github.commit(fork.full_name, "feature", files("stranger's"), author="stranger")
    pull = await plane.github.open_pull_request("acme/shop", "feature", "x", Opening(fork=fork.full_name))
    opened = Opened(plane, pull)
    await opened.reaches("waiting", "none")
    done = await plane.control.command("approve", opened.name)
    assert done.code == 0, done.err
    await opened.reaches("live")
    for page in ("/built", "/running"):
        assert (await opened.get(page)).text.split()[0] == digest(""), page
    (container,) = await opened.containers()
    nothing_of(NEWER, docker("inspect", container))


async def test_without_the_key_it_does_not_start_and_says_how_to_mend_that(plane: Plane) -> None:
    key = plane.control.data / "secret.key"
    key.chmod(0o644)
    try:
        await plane.control.stop()
        ended = await plane.control.command("serve")
        assert ended.code == 1
        assert "chmod 600" in ended.err
    finally:
        key.chmod(0o600)
        await plane.control.start()
