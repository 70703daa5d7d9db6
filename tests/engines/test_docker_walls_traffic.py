"""The walls on the real kernel: what answers from inside a container, open and closed.

Nothing is sent to an address that is not the test's own: metadata, private ranges and the internet are played by a
server in a network namespace, to which the host has routes for as long as a test runs.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.clients.docker import DockerClient
from revieee.clients.http_probe import probe
from revieee.engines.docker.bridged import WATCHED
from revieee.engines.docker.engine import DockerEngine
from revieee.engines.docker.foreign import PATH
from revieee.engines.docker.watch import Watch, planned
from revieee.model.addresses import router_address
from revieee.model.policy import EngineOptions
from revieee.model.route import Endpoint
from revieee.ports import Severity
from revieee.testing.engines import Role
from revieee.testing.serving import call
from support.docker import BaseImages, docker
from support.docker_lab import DockerLab
from support.elsewhere import CARRIER, INTERNET, LINK, METADATA, PRIVATE, played, request, serving

pytestmark = pytest.mark.slow

INSTANCE = f"walls-{os.getpid()}"
PORT = 18_000 + os.getpid() % 10_000
PUBLIC_PORT = PORT + 1

UNABLE = """#!/bin/sh
script=$(cat)
case "$* $script" in *"table bridge"*) echo "Operation not supported" >&2; exit 1;; esac
printf '%s\\n' "$script" | PATH=/usr/sbin:/sbin:/usr/bin:/bin exec nft "$@"
"""
"""As nft is where the kernel has no tables of the bridge family."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[None]:
    """The stand-ins, and servers on the host."""
    with played(tmp_path), serving(tmp_path, PORT), serving(tmp_path, PUBLIC_PORT):
        yield


@pytest.fixture
async def lab(base_images: BaseImages, elsewhere: None) -> AsyncIterator[DockerLab]:  # noqa: ARG001 - its effect
    lab = DockerLab(base_images.busybox, EngineOptions(instance=INSTANCE, settle=0.0, walls=False))
    yield lab
    await lab.use(replace(lab.options, walls=True)).uninstall()
    await lab.close()


async def container(lab: DockerLab, environment: int, *, trusted: bool = True) -> tuple[str, str]:
    """Start an environment with a web server and give its container and its address."""
    place = replace(lab.place(environment), trusted=trusted)
    stack = await lab.resolve([lab.play("web", Role.SERVES)], exposed=["web"], place=place)
    await lab.engine.prepare(place)
    seen = await lab.until(place, stack, lambda seen: seen["web"].state == "healthy")
    name = docker("ps", "--format", "{{.Names}}", "--filter", f"label=revieee.environment={environment}")
    assert seen["web"].endpoint is not None
    return name.splitlines()[0], seen["web"].endpoint.host


def reaches(name: str, address: str) -> bool:
    """Whether a request from inside a container gets the page."""
    command = ["docker", "exec", name, "sh", "-c", request(address)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "reached" in done.stdout or "hello" in done.stdout


async def said(engine: DockerEngine) -> dict[str, Severity]:
    """What `doctor` says of the two tables, and of the router's address where there is to be one."""
    subjects = {"walls", "neighbours", "address inside"}
    return {one.subject: one.severity for one in await engine.check() if one.subject in subjects}


def nft(*arguments: str) -> str:
    return subprocess.run(["nft", *arguments], check=True, capture_output=True, text=True).stdout


def docker0() -> str:
    """The host's address on the bridge of builds."""
    done = subprocess.run(
        ["ip", "-4", "-oneline", "addr", "show", "docker0"], check=True, capture_output=True, text=True
    )
    return done.stdout.split()[3].partition("/")[0]


async def test_what_is_open_without_walls_is_closed_with_them(lab: DockerLab) -> None:
    name, address = await container(lab, 1)
    gateway = address.rpartition(".")[0] + ".1"
    host = [f"{gateway}:{PORT}", f"{docker0()}:{PORT}", f"{LINK[0]}:{PORT}"]
    outside = [METADATA, PRIVATE, CARRIER, f"{INTERNET}:53"]
    closed = [one for one in (*host, *outside, INTERNET) if not reaches(name, one)]
    assert closed == [], "the stand-ins can be reached"

    options = replace(lab.options, walls=True, router=Endpoint(docker0(), PUBLIC_PORT))
    lab.use(options)
    other, neighbour = await container(lab, 2)
    assert [one for one in (*host, *outside) if reaches(name, one)] == []
    assert not reaches(name, f"{neighbour}:8080"), "another environment is out of reach"
    assert reaches(name, f"{address}:8080"), "its own is not"
    assert docker("exec", name, "sh", "-c", "test -S /var/run/docker.sock || echo none") == "none"
    assert reaches(name, INTERNET), "the internet is open by default"
    assert reaches(name, f"{docker0()}:{PUBLIC_PORT}"), "and the router's public port"
    assert not reaches(other, f"{gateway}:{PUBLIC_PORT}"), "at one address only"
    assert (await probe(address, 8080, "/", within=2)).healthy, "the host itself, where nginx runs, reaches containers"


async def test_containers_of_one_environment_reach_each_other(lab: DockerLab) -> None:
    lab.use(replace(lab.options, walls=True))
    place = lab.place(1)
    stack = await lab.resolve([lab.play("web", Role.SERVES), lab.play("worker", Role.RUNS)], place=place)
    await lab.engine.prepare(place)
    await lab.until(place, stack, lambda seen: all(one.state == "healthy" for one in seen.values()))
    worker = docker("ps", "--format", "{{.Names}}", "--filter", "label=revieee.service=worker").splitlines()[0]
    assert reaches(worker, "web:8080"), "by the service's name"


async def test_settings_close_the_internet_and_open_an_address(lab: DockerLab) -> None:
    options = replace(lab.options, walls=True, internet=False, allow_addresses=(f"{PRIVATE}/32",))
    lab.use(options)
    name, _ = await container(lab, 1)
    assert not reaches(name, INTERNET)
    assert reaches(name, PRIVATE)


async def test_strangers_reach_no_internet_and_nothing_private(lab: DockerLab) -> None:
    options = replace(
        lab.options, walls=True, allow_addresses=(f"{PRIVATE}/32",), router=Endpoint(docker0(), PUBLIC_PORT)
    )
    lab.use(options)
    own, neighbour = await container(lab, 1)
    name, address = await container(lab, 2, trusted=False)
    assert reaches(own, INTERNET), "the stand-ins can be reached"
    assert reaches(own, PRIVATE)
    closed = (INTERNET, PRIVATE, METADATA, CARRIER, f"{docker0()}:{PORT}", f"{neighbour}:8080")
    assert [one for one in closed if reaches(name, one)] == []
    assert not reaches(own, f"{address}:8080"), "nor do others reach them"
    assert reaches(name, f"{docker0()}:{PUBLIC_PORT}"), "but the router, for their own public address"
    assert reaches(name, f"{address}:8080")
    assert (await probe(address, 8080, "/", within=2)).healthy

    await lab.use(replace(options, stranger_internet=True)).prepare(lab.place(3))
    assert reaches(name, INTERNET), "by a setting, at once"
    assert not reaches(name, PRIVATE), "and never what is open to the repository's own code"


async def test_strangers_have_half_of_the_usual_limits(lab: DockerLab) -> None:
    own, _ = await container(lab, 1)
    name, _ = await container(lab, 2, trusted=False)
    form = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}"
    usual, less = (docker("inspect", f"--format={form}", one).split() for one in (own, name))
    assert [int(one) * 2 for one in less] == [int(one) for one in usual]


async def test_walls_are_put_back_and_told_of(lab: DockerLab) -> None:
    place = lab.place(1)
    elapsed = [0.0]
    options = replace(lab.options, walls=True)
    client = DockerClient(options.host)
    engine = DockerEngine(options, client, watch=Watch(options, client, elapsed=lambda: elapsed[0]))
    try:
        await engine.prepare(place)
        assert await said(engine) == {"walls": Severity.GOOD, "neighbours": Severity.GOOD}
        table = planned(options).table
        nft("flush", "table", "inet", table)
        nft("flush", "set", "bridge", table, WATCHED)
        assert await said(engine) == {"walls": Severity.BAD, "neighbours": Severity.BAD}
        await engine.observe_all(INSTANCE)
        assert "reject" not in nft("list", "table", "inet", table), "looked at a moment ago"
        elapsed[0] += 11
        await engine.observe_all(INSTANCE)
        assert "reject" in nft("list", "table", "inet", table)
        assert await said(engine) == {"walls": Severity.GOOD, "neighbours": Severity.GOOD}
        await engine.uninstall()
        assert table not in nft("list", "tables")
    finally:
        await engine.close()


async def test_the_router_s_address_is_put_back_and_told_of(lab: DockerLab) -> None:
    elapsed, address = [0.0], router_address(lab.pool, 26)
    options = replace(lab.options, walls=True, router=Endpoint(address, PUBLIC_PORT))
    client = DockerClient(options.host)
    engine = DockerEngine(options, client, watch=Watch(options, client, elapsed=lambda: elapsed[0]))
    try:
        await engine.observe_all(INSTANCE)
        assert (await said(engine))["address inside"] is Severity.BAD, "a command gives none"
        await engine.open()
        assert (await said(engine))["address inside"] is Severity.GOOD
        assert (await call("ip", "address", "del", f"{address}/32", "dev", "lo")).code == 0
        assert (await said(engine))["address inside"] is Severity.BAD
        elapsed[0] += 11
        await engine.observe_all(INSTANCE)
        assert (await said(engine))["address inside"] is Severity.GOOD
        await engine.uninstall()
        assert (await said(engine))["address inside"] is Severity.BAD
    finally:
        await engine.uninstall()
        await engine.close()


async def test_a_kernel_that_filters_no_bridged_frames_is_told_of_and_the_rest_stands(
    lab: DockerLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nft").write_text(UNABLE)
    (tmp_path / "nft").chmod(0o755)
    monkeypatch.setattr("revieee.engines.docker.watch.PATH", f"{tmp_path}:{PATH}")
    engine = lab.use(replace(lab.options, walls=True))
    await engine.prepare(lab.place(1))
    found = {one.subject: one for one in await engine.check()}
    assert found["walls"].severity is Severity.GOOD
    assert found["neighbours"].severity is Severity.WARNING
    assert "reach each other" in found["neighbours"].words
    await engine.uninstall()
