"""What cannot work ends in a clear message on the pull request, and leaves everything else running."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
import pytest_asyncio

from revieee.testing.demo.traffic import Traffic, requests
from revieee.testing.github import GitFile
from revieee.testing.serving import until
from support.plane import Files, Opened, Plane, page

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True)
class Bad:
    """A commit that cannot become an environment, and what the pull request must be told."""

    files: Files
    told: tuple[str, ...]


def running(command: str, *, more: str = "", port: bool = True) -> Files:
    ports = '    ports: ["80"]\n' if port else ""
    compose = f"services:\n  web:\n    image: busybox\n    command: [sh, -c, {command!r}]\n{ports}{more}"
    return {"compose.yaml": compose, "revieee.yml": "start_timeout: 3s\n"}


BAD: Mapping[str, Bad] = {
    "no-manifest": Bad({"notes.txt": "nothing to run\n"}, ("revieee.yml", "Dockerfile")),
    "not-yaml": Bad({"compose.yaml": "services:\n  web:\n    image: [busybox\n"}, ("compose.yaml:",)),
    "unknown-key": Bad({**page("x"), "revieee.yml": "expose: web\nhelath: /\n"}, ("revieee.yml:2", "helath", "health")),
    "unknown-compose-key": Bad(
        {"compose.yaml": "services:\n  web:\n    image: busybox\n    prots: [80]\n"}, ("compose.yaml:4", "prots")
    ),
    "refused": Bad(
        {"compose.yaml": "services:\n  web:\n    image: busybox\n    privileged: true\n"},
        ("compose.yaml:4", "privileged"),
    ),
    "deaf-port": Bad(running("echo I listen elsewhere; exec httpd -f -p 81"), ("80", "I listen elsewhere")),
    "build-fails": Bad({"Dockerfile": "FROM busybox\nRUN echo oh dear >&2; exit 7\n"}, ("oh dear", "7")),
    "exits": Bad(running("echo no settings; exit 3"), ("3", "no settings")),
    "hangs": Bad(running("echo thinking; exec sleep 1000"), ("thinking",)),
    "unhealthy": Bad(
        running("echo up; exec httpd -f -p 80", more='    healthcheck: {test: "exit 1", interval: 1s, retries: 2}\n'),
        ("up",),
    ),
    "answers-500": Bad(
        {
            "revieee.yml": "start_timeout: 3s\nhealth: /cgi-bin/broken\n",
            "Dockerfile": 'FROM busybox\nCOPY www /www\nEXPOSE 80\nCMD ["httpd", "-f", "-p", "80", "-h", "/www"]\n',
            "www/cgi-bin/broken": GitFile(b"#!/bin/sh\nprintf 'Status: 500 No\\r\\n\\r\\n'\n", "100755"),
        },
        ("500",),
    ),
}


@dataclass
class Scene:
    """A good environment that is asked all the while, and the bad ones."""

    good: Opened
    traffic: Traffic
    bad: dict[str, Opened]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(plane: Plane) -> AsyncIterator[Scene]:
    good = await plane.open("good", page("good"))
    await good.reaches("live")
    url, host = f"http://127.0.0.1:{plane.control.given.port}/", plane.control.at(good.host)
    async with plane.control.client() as client, requests(client, url, host, ("good",)) as traffic:
        yield Scene(good, traffic, {name: await plane.open(name, one.files) for name, one in BAD.items()})


@pytest.mark.parametrize("name", BAD)
async def test_the_pull_request_is_told_what_is_wrong(scene: Scene, name: str) -> None:
    comment = await scene.bad[name].reaches("failed")
    assert [words for words in BAD[name].told if words not in comment] == [], comment
    assert "Next:" in comment
    assert len(scene.bad[name].comments) == 1


async def test_nothing_of_a_failed_release_goes_on_running(scene: Scene) -> None:
    async def none_runs() -> bool:
        return await docker_names(scene) == []

    assert await until(none_runs, seconds=30), await docker_names(scene)


async def docker_names(scene: Scene) -> list[str]:
    found = [await one.containers(form="{{.Names}}") for one in scene.bad.values()]
    return [name for names in found for name in names]


async def test_a_commit_that_mends_it_is_live(scene: Scene) -> None:
    mended = scene.bad["exits"]
    await mended.push({"compose.yaml": "services:\n  web:\n    build: .\n    ports: [80]\n", **page("mended")})
    await mended.reaches("live")
    assert (await mended.get()).text == "mended\n"


async def test_a_commit_that_breaks_it_leaves_the_old_one_live(scene: Scene) -> None:
    mended = scene.bad["exits"]
    good = mended.pull.head_sha
    await mended.push({"Dockerfile": "FROM busybox\nRUN exit 9\n"})
    comment = await mended.reaches("failed")
    assert f"{good[:7]}" in comment
    assert "stays live" in comment
    assert (await mended.get()).text == "mended\n"


async def test_a_repository_that_cannot_be_fetched_waits_and_says_so(plane: Plane, scene: Scene) -> None:
    plane.github.faults.next("error", "* git/*", times=None)
    waiting = await plane.open("unreachable", page("late"))
    comment = await waiting.reaches("building", "waiting")

    async def reason() -> bool:
        return "acme/unreachable" in waiting.comment

    assert await until(reason, seconds=30), comment
    plane.github.faults.clear()
    await waiting.reaches("live")
    assert (await scene.good.get()).text == "good\n"


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("no-image", {"compose.yaml": "services:\n  web:\n    image: nobody/nothing:1\n    ports: [80]\n"}),
        ("no-base-image", {"Dockerfile": "FROM nobody/nothing:1\nEXPOSE 80\n"}),
    ],
)
async def test_an_image_whose_registry_cannot_be_asked_is_waited_for(
    plane: Plane, name: str, files: dict[str, str]
) -> None:
    waiting = await plane.open(name, files)

    async def reason() -> bool:
        return "nobody/nothing:1" in waiting.comment and "tried again" in waiting.comment

    assert await until(reason, seconds=40), waiting.comment
    await waiting.close()


async def test_everything_else_went_on(scene: Scene) -> None:
    assert scene.traffic.failures == {}
    assert scene.traffic.requests > 100
    assert await scene.good.containers() != []
