"""Names that strangers choose, through open, update, logs and destroy: nothing of them is ever more than text."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from click.testing import CliRunner
from markdown_it import MarkdownIt

from revieee.cli import main
from revieee.testing.serving import Ended, docker
from support.hostile_compose import BUSYBOX
from support.hostile_names import (
    BRANCHES,
    CANARY,
    ENVIRONMENTS,
    NO_IMAGES,
    NO_SERVICES,
    PATHS,
    REPOSITORIES,
    SERVICES,
    TAGS,
)
from support.plane import Files, Opened, Plane, gone, page

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SETTINGS = {"network_pool": "10.101.0.0/16"}
MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""What moves a cursor, turns the reading direction, or is a line of its own."""
OURS = {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "a", "details", "summary", "ul", "li"}
PLAIN = re.compile(r"[A-Za-z0-9._+=:,~-]+")
SECONDS = 60


@dataclass
class Scene:
    """Pull requests that run, pull requests that are refused, and the file that a shell would have made."""

    plane: Plane
    canary: Path
    live: Sequence[Opened]
    refused: Sequence[Opened]

    @property
    def all(self) -> Sequence[Opened]:
        return [*self.live, *self.refused]


def quoted(text: str) -> str:
    """Write a name into a compose file, where a dollar sign alone would be a variable."""
    return json.dumps(text.replace("$", "$$"))


def services() -> str:
    lines = [f"  {quoted(name)}: {{image: busybox, command: httpd -f -p 80 -h /etc}}\n" for name in SERVICES]
    return f"services:\n{''.join(lines)}"


def built(paths: Sequence[str]) -> Files:
    """One service for each Dockerfile, and each of them mounted as a file, too."""
    lines = [
        f"  f{number}:\n    build: {{context: ., dockerfile: {quoted(path)}}}\n    command: sleep 100000\n"
        f"    stop_signal: SIGKILL\n"
        f"    volumes: [{{type: bind, source: {quoted(f'./{path}')}, target: /x/{number}}}]\n"
        for number, path in enumerate(paths)
    ]
    compose = f"{BUSYBOX}{''.join(lines)}"
    return {"compose.yaml": compose, "revieee.yml": "expose: web\n"} | {
        path: f"FROM busybox\nLABEL number={number}\n" for number, path in enumerate(paths)
    }


def no_services() -> str:
    return "services:\n" + "".join(f"  {quoted(name)}: {{image: busybox}}\n" for name in NO_SERVICES)


def no_images() -> str:
    return "services:\n" + "".join(f"  s{n}: {{image: {quoted(name)}}}\n" for n, name in enumerate(NO_IMAGES))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    canary = tmp_path_factory.getbasetemp() / "c"
    full = await plane.repository("branches", page("first"))
    repository = plane.github.repository(full)
    first = (await plane.github.hub.git.branches(repository.id))["main"]
    for tag in TAGS:
        await plane.github.hub.git.set_ref(repository.id, f"refs/tags/{named(tag, canary)}", first)
    live = []
    for number, branch in enumerate(BRANCHES):
        name = named(branch, canary)
        await plane.github.commit(full, name, {"index.html": f"first {number}\n"})
        live.append(Opened(plane, await plane.github.open_pull_request(full, name, name)))
    live += [await plane.open(name, {"compose.yaml": BUSYBOX}) for name in REPOSITORIES]
    exposed = "expose: {" + ", ".join(f"{quoted(name)}: 80" for name in SERVICES) + "}\nhealth: /passwd\n"
    live.append(await plane.open("services", {"compose.yaml": services(), "revieee.yml": exposed}))
    live.append(await plane.open("paths", built([named(path, canary) for path in PATHS])))
    refused = [
        await plane.open("no-services", {"compose.yaml": named(no_services(), canary)}),
        await plane.open("no-images", {"compose.yaml": named(no_images(), canary)}),
    ]
    yield Scene(plane, canary, live, refused)


def named(text: str, canary: Path) -> str:
    return text.replace(CANARY, str(canary))


def asked(plane: Plane, *commands: Sequence[str]) -> list[Ended]:
    """Run commands one after the other, in this process: starting it for each takes a second of the processor."""
    runner, given = CliRunner(), plane.control.environment()
    ended = [runner.invoke(main, list(command), env=given, catch_exceptions=False) for command in commands]
    return [Ended(one.exit_code, one.stdout, one.stderr) for one in ended]


def harmless(comment: str) -> None:
    """Check that a comment is made of our own elements, and that its text refers to nobody and nothing."""
    shown = MARKDOWN.render(comment)
    body = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", shown, flags=re.DOTALL)
    assert {tag.lower() for tag in re.findall(r"</?([a-zA-Z0-9]+)", body)} <= OURS, body
    assert body.count("<!--") == 2, body
    links = re.findall(r'href="([^"]*)"', body)
    assert all(urlsplit(link).hostname.endswith(".localhost") for link in links), links
    told = re.sub(r"<[^>]*>", "", re.sub(r"<a .*?</a>", "", body))
    assert not re.search(r"@\w|#\d|\bGH-\d|://\w|\bwww\.", told), told
    assert not STEERS.search(shown), shown


async def check_traces(scene: Scene) -> None:
    """Check what is read by people and programs: comments, the log, nginx's files, names of files."""
    for opened in scene.all:
        assert len(opened.comments) == 1
        harmless(opened.comment)
    control = scene.plane.control
    log = control.log.read_text()
    assert [line for line in log.split("\n") if STEERS.search(line) or "Traceback" in line] == []
    for route in await control.routes():
        assert re.fullmatch(r"[a-z0-9.-]+", route.split(" ")[0]), route
        assert not STEERS.search(route)
        assert route.isascii()
    files = list(control.data.rglob("*"))
    assert [file for file in files if not PLAIN.fullmatch(file.name)] == []
    for file in (control.data / "router").rglob("*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            assert not re.search(r"alert\(1\)|touch|Set-Cookie=x|\u202e", text), file
    assert not scene.canary.exists()


async def test_each_becomes_an_environment_with_a_host_of_its_own(scene: Scene) -> None:
    for opened in scene.live:
        await opened.reaches("live", seconds=SECONDS)
    urls = [opened.pull.deployments[-1].environment_url for opened in scene.live]
    hosts = [str(urlsplit(url).hostname) for url in urls]
    assert len(set(hosts)) == len(scene.live)
    assert [one for one in hosts if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.localhost", one)] == []
    answers = [(await scene.plane.control.get(host)).text for host in hosts[: len(BRANCHES)]]
    assert answers == [f"first {number}\n" for number in range(len(BRANCHES))]


async def test_what_cannot_be_a_name_is_refused_with_its_place(scene: Scene) -> None:
    for opened in scene.refused:
        comment = await opened.reaches("failed", seconds=SECONDS)
        assert len(re.findall(r"^compose.yaml:\d+: ", comment, re.MULTILINE)) >= 14, comment
        control = scene.plane.control
        url, host = f"http://127.0.0.1:{control.given.port}/", control.at(opened.host)
        async with control.client() as client:
            shown = (await client.get(url, headers={"Host": host, "Accept": "text/html"})).text
        assert "<html" in shown
        assert "onerror" in html.unescape(shown)
        assert not re.search(r"<img/src|<script>alert|</summary><", shown)
        assert not STEERS.search(shown)
        assert not STEERS.search((await opened.get()).text)


async def test_every_service_has_its_own_container_and_host(scene: Scene) -> None:
    (one,) = [opened for opened in scene.live if opened.pull.repository.name == "services"]
    listed = await one.containers(form='{{.Label "revieee.service"}} {{.Names}}')
    assert sorted(line.split(" ")[0] for line in listed) == sorted(SERVICES)
    assert [line for line in listed if not PLAIN.fullmatch(line.split(" ")[1])] == []
    hosts = set(re.findall(r"<http://([^:>]+)", one.comment))
    assert len(hosts) == len(SERVICES)
    assert {(await one.get("/passwd", host)).status_code for host in hosts} == {200}


async def test_what_is_there_is_told_as_text(scene: Scene) -> None:
    await check_traces(scene)
    images = await docker("image", "ls", f"--filter=label=revieee.instance={scene.plane.control.instance}",
                          "--format={{.Repository}}:{{.Tag}}")  # fmt: skip
    assert len(set(images)) >= len(BRANCHES) + len(PATHS)
    assert [name for name in images if not re.fullmatch(r"[a-z0-9/.-]+:[a-z0-9.-]{1,128}", name)] == []


async def test_commands_show_no_more_than_text(scene: Scene) -> None:
    names = [opened.name for opened in scene.live]
    told = await asyncio.to_thread(
        asked,
        scene.plane,
        ["list"],
        *(["logs", "--build", name] for name in names),
        *(["show", one] for one in names),
    )
    assert [one for one in told if one.code or STEERS.search(one.out + one.err)] == []
    bad = await asyncio.to_thread(
        asked, scene.plane, *(["destroy", "--", named(one, scene.canary)] for one in ENVIRONMENTS)
    )
    assert [one for one in bad if one.code == 0 or STEERS.search(one.out + one.err) or "Traceback" in one.err] == []


async def test_a_push_is_served(scene: Scene) -> None:
    branches = scene.live[: len(BRANCHES)]
    for number, opened in enumerate(branches):
        await opened.push({"index.html": f"second {number}\n"})
    for number, opened in enumerate(branches):
        await opened.reaches("live", seconds=SECONDS)
        assert (await opened.get()).text == f"second {number}\n"
    await check_traces(scene)


async def test_destroyed_or_closed_they_leave_nothing(scene: Scene) -> None:
    ended = await asyncio.to_thread(
        asked, scene.plane, *(["destroy", "--no-wait", "--", opened.name] for opened in scene.live[::8])
    )
    assert [one.err for one in ended if one.code] == []
    for opened in scene.all:
        await opened.close()
    for opened in scene.all:
        await opened.reaches("gone", seconds=SECONDS)
    assert await gone(scene.plane) == {}
    assert await scene.plane.control.routes() == []
    await check_traces(scene)
    assert scene.plane.control.log.read_text().count("observed absent") >= len(scene.live)
