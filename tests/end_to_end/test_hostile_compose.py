"""Compose files and Dockerfiles that would reach out, each opened as a pull request: refused in words, or harmless."""

import asyncio
import html
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner
from markdown_it import MarkdownIt

from revieee.cli.plan import plan
from revieee.testing.github import FileContent, GitFile
from revieee.testing.serving import docker, until
from revieee.testing.trees import Content, Link, Program, Submodule
from support import hostile_dockerfiles
from support.hostile_compose import (
    BUSYBOX,
    FILES,
    HARMLESS_LINES,
    HARMLESS_TOPS,
    SAYS_NOTHING,
    SERVICE_LINES,
    TOP_LINES,
    UNFOLDING,
    service_text,
    top_text,
)
from support.plane import Files, Opened, Plane, gone

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SETTINGS = {"environments_per_repository": "500", "network_pool": "10.100.0.0/16"}
MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})
NAME = '{{.Label "revieee.name"}}'
"""A container's or network's environment, as `docker` shows it."""
AT_ONCE = 6
"""Pull requests that are opened beside each other."""
BUILT = "services:\n  web:\n    build: .\n    ports: [80]\n    command: [httpd, -f, -p, '80', -h, /etc]\n"


@dataclass(frozen=True)
class Case:
    """A commit that would reach out, and words of the answer to it."""

    name: str
    files: Mapping[str, Content]
    words: str
    planned: bool = True
    """Whether reading the files of a folder is enough to know; else the build finds out, or what git knows of it."""


READ = ("Use RUN with wget or curl", "Dockerfile:1: ")
"""Words of what is known of a Dockerfile before it is built."""


def corpus() -> tuple[list[Case], list[Case]]:
    """Give what is refused, and what is made harmless."""
    refused = [
        Case(line, {"compose.yaml": service_text(line)}, words, planned="module" not in line)
        for line, words in SERVICE_LINES
    ]
    refused += [Case(line, {"compose.yaml": top_text(line)}, "compose.yaml:1: ") for line in TOP_LINES]
    refused += [Case(name, files, words) for name, (files, words) in UNFOLDING.items()]
    builds = {
        line: (f"FROM busybox\n{line}\n", "Use RUN with wget or curl") for line in hostile_dockerfiles.REMOTE[::6]
    }
    builds |= hostile_dockerfiles.REFUSED
    refused += [
        Case(name, {"compose.yaml": BUILT, "Dockerfile": text}, words, planned=words in READ)
        for name, (text, words) in builds.items()
    ]
    harmless = [Case(line, {"compose.yaml": f"{BUSYBOX}    {line}\n"}, words) for line, words in HARMLESS_LINES]
    harmless += [Case(line, {"compose.yaml": f"{line}\n{BUSYBOX}"}, words) for line, words in HARMLESS_TOPS]
    harmless += [Case(line, {"compose.yaml": f"{BUSYBOX}    {line}\n"}, "") for line in SAYS_NOTHING]
    harmless += [
        Case(name, {"compose.yaml": BUILT, "Dockerfile": text}, words, planned=False)
        for name, (text, words) in hostile_dockerfiles.HARMLESS.items()
    ]
    return refused, harmless


REFUSED, HARMLESS = corpus()


def blob(content: Content) -> FileContent:
    """Write a file of a tree in memory as git's."""
    match content:
        case Link():
            return GitFile(content.target.encode(), "120000")
        case Submodule():
            return GitFile(b"1" * 40, "160000")
        case Program():
            return GitFile(
                content.content if isinstance(content.content, bytes) else content.content.encode(), "100755"
            )
        case _:
            return content


def committed(files: Mapping[str, Content]) -> Files:
    return {path: blob(content) for path, content in files.items()}


BASE: Mapping[str, Content] = {**FILES, "Dockerfile": "FROM busybox\n"}


@dataclass
class Scene:
    """All pull requests, of one repository."""

    plane: Plane
    opened: Mapping[str, Opened]
    before: frozenset[str]
    """Everything that the engine's machine could show was touched: the names in `/etc`."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(plane: Plane) -> AsyncIterator[Scene]:
    full = await plane.repository("reaching", committed(BASE))
    before = frozenset(os.listdir("/etc"))  # noqa: PTH208 -- names alone are asked for
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, case: Case) -> Opened:
        async with gate:
            branch = f"case-{number}"
            await plane.github.commit(full, branch, committed(case.files))
            return Opened(plane, await plane.github.open_pull_request(full, branch, "A change"))

    cases = [*HARMLESS, *REFUSED]
    opened = await asyncio.gather(*(one(number, case) for number, case in enumerate(cases)))
    yield Scene(plane, {case.name: pull for case, pull in zip(cases, opened, strict=True)}, before)


def shown(comment: str) -> str:
    """Give the text that a comment shows, in one line, code or not."""
    text = html.unescape(re.sub(r"<[^>]*>", "", MARKDOWN.render(comment)))
    return plainly(text.replace("\u200b", ""))


def plainly(words: str) -> str:
    return " ".join(words.replace("`", "").replace("|", "¦").split())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout") / "reaching"
    folder.mkdir()
    return folder


def planned(folder: Path, files: Mapping[str, Content]) -> tuple[int, dict[str, Any]]:
    """Run `revieee plan` on a checkout of these files; gives how it ended and what it said."""
    for path, content in {**BASE, **files}.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case Link() if not place.is_symlink():
                place.symlink_to(content.target)
            case str():
                place.write_text(content)
            case _:
                pass
    result = CliRunner().invoke(plan, [str(folder), "--json"])
    for path in set(files) - set(BASE):
        (folder / path).unlink()
    return result.exit_code, json.loads(result.stdout)


def places(notices: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write faults or notices as the comment does."""
    return [f"{one['file']}:{one['line']}: {one['words']}".replace(":None:", ":") for one in notices]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name[:50])
async def test_what_reaches_out_is_refused_with_its_place_and_why(scene: Scene, case: Case, checkout: Path) -> None:
    opened = scene.opened[case.name]
    comment = await opened.reaches("failed", seconds=60)
    assert len(opened.comments) == 1
    assert plainly(case.words) in shown(comment), comment
    assert re.search(r"\S+:\d+: \S|(yaml|yml|env|file): \w|Dockerfile is larger", shown(comment)), comment
    if case.planned:
        code, said = planned(checkout, case.files)
        faults = places(said["faults"])
        assert code == 1
        assert faults
        assert [one for one in faults[:5] if plainly(one)[:380] not in shown(comment)] == [], comment


async def test_nothing_of_what_was_refused_runs(scene: Scene) -> None:
    names = {scene.opened[case.name].name for case in REFUSED}
    mine = f"--filter=label=revieee.instance={scene.plane.control.instance}"

    async def none() -> bool:
        return not names.intersection(await docker("container", "ls", "--all", f"--format={NAME}", mine))

    assert await until(none, seconds=30)


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name[:50])
async def test_what_is_made_harmless_is_told_and_is_harmless(scene: Scene, case: Case, checkout: Path) -> None:
    opened = scene.opened[case.name]
    comment = await opened.reaches("live", seconds=60)
    code, said = planned(checkout, case.files)
    assert code == 0, said
    notices = places(said["notices"])
    assert case.words in "\n".join(notices)
    if case.planned:
        assert [one for one in notices if plainly(one)[:280] not in shown(comment)] == [], comment
    (found,) = await opened.containers()
    harmless(opened, json.loads("\n".join(await docker("inspect", found)))[0])


def harmless(opened: Opened, one: Mapping[str, Any]) -> None:
    """Check all that the engine says of a container: nothing of the machine is in it."""
    host, networks = one["HostConfig"], one["NetworkSettings"]["Networks"]
    assert one["Name"].lstrip("/").startswith("rv-"), one["Name"]
    assert host["Privileged"] is False
    assert {name.removeprefix("CAP_") for name in host["CapAdd"]} <= GIVEN
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"], host["IpcMode"]) == ("", "", "", "private")
    assert host["CgroupnsMode"] != "host" or host["CgroupParent"] == ""
    assert host["Runtime"] == "runc"
    nothing = ("Binds", "Devices", "DeviceCgroupRules", "DeviceRequests", "Links", "VolumesFrom", "GroupAdd", "Sysctls",
               "PortBindings", "DnsOptions", "StorageOpt", "CgroupParent", "CgroupSpec")  # fmt: skip
    assert {name: host[name] for name in nothing if host.get(name)} == {}
    assert {name: ports for name, ports in one["NetworkSettings"]["Ports"].items() if ports} == {}
    assert not host["OomKillDisable"]
    assert host["OomScoreAdj"] == 0
    assert 0 < host["Memory"] <= 2048 * 1024**2
    assert 0 < host["PidsLimit"] <= 1024
    assert {mount["Type"] for mount in one["Mounts"]} <= {"volume"}
    assert all(mount["Name"].startswith("rv-") and mount["Driver"] == "local" for mount in one["Mounts"])
    assert list(networks) == [host["NetworkMode"]]
    assert host["NetworkMode"].startswith("rv-")
    assert one["Config"]["Labels"]["revieee.name"] == opened.name


GIVEN = {*("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SETPCAP")}


async def test_every_environment_has_a_network_of_its_own(scene: Scene) -> None:
    mine = f"--filter=label=revieee.instance={scene.plane.control.instance}"
    names = await docker("network", "ls", f"--format={NAME}", mine)
    assert {scene.opened[case.name].name for case in HARMLESS} <= set(names)
    assert len(names) == len(set(names))


async def test_closed_they_leave_nothing(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    for opened in scene.opened.values():
        await opened.close()
    for opened in scene.opened.values():
        await opened.reaches("gone", seconds=120)
    assert await gone(scene.plane) == {}
    assert await scene.plane.control.routes() == []
    assert frozenset(os.listdir("/etc")) == scene.before  # noqa: PTH208 -- names alone are asked for
    record_property("refused", len(REFUSED))
    record_property("harmless", len(HARMLESS))
    print(f"{len(REFUSED)} refused, {len(HARMLESS)} made harmless")  # noqa: T201 -- the figures for the closing note
