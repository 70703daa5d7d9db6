"""What an operator types, against a control plane that runs."""

import re
from pathlib import Path

import pytest
import pytest_asyncio

from revieee.testing.serving import docker
from support.plane import Opened, Plane

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

COMPOSE = """
services:
  web:
    build: .
    ports: [80]
  worker:
    image: busybox
    command: [sh, -c, "echo ready to work; exec sleep 100000"]
    stop_signal: SIGKILL
"""
FILES = {
    "compose.yaml": COMPOSE,
    "Dockerfile": 'FROM busybox\nRUN echo made with care >/index.html\nCMD ["httpd", "-f", "-p", "80", "-h", "/"]\n',
}
NAME = "acme/tool#1"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(plane: Plane) -> Opened:
    one = await plane.open("tool", FILES)
    await one.reaches("live")
    return one


async def test_list_names_every_environment(opened: Opened) -> None:
    ended = await opened.plane.control.command("list", "--json")
    (one,) = ended.json()
    assert (one["environment"], one["state"], one["commit"]) == (NAME, "live", opened.pull.head_sha)
    assert one["url"] == f"http://{opened.plane.control.at(opened.host)}"
    words = await opened.plane.control.command("list")
    assert NAME in words.out
    assert "live" in words.out


async def test_show_tells_all_of_one(opened: Opened) -> None:
    ended = await opened.plane.control.command("show", "--json", NAME)
    assert [one["name"] for one in ended.json()["services"]] == ["web", "worker"]
    assert ended.json()["live_commit"] == opened.pull.head_sha
    words = await opened.plane.control.command("show", NAME)
    assert "worker" in words.out


async def test_logs_of_services_and_of_builds(opened: Opened) -> None:
    ended = await opened.plane.control.command("logs", "--service", "worker", NAME)
    assert ended.out == "ready to work\n"
    built = await opened.plane.control.command("logs", "--build", "--json", NAME)
    assert "made with care" in built.out


async def test_doctor_finds_nothing_to_mend(opened: Opened) -> None:
    ended = await opened.plane.control.command("doctor", "--json")
    bad = [one for one in ended.json() if one["severity"] == "bad"]
    assert bad == []
    assert ended.code == 0, ended.err
    subjects = {one["subject"] for one in ended.json()}
    assert {"GitHub", "database", "domain", "nginx Lua module", "webhook secret"} <= subjects


async def test_destroy_removes_it_and_deploy_brings_it_back(opened: Opened) -> None:
    before = await opened.plane.mine()
    destroyed = await opened.plane.control.command("destroy", "--json", NAME)
    assert destroyed.code == 0, destroyed.err
    absent = destroyed.json()["absent"]
    assert {kind: len(names) for kind, names in absent.items()} == {kind: len(names) for kind, names in before.items()}
    assert await opened.containers() == []
    assert not any((await opened.plane.mine()).values())
    await opened.reaches("none")
    deployed = await opened.plane.control.command("deploy", NAME)
    assert deployed.code == 0, deployed.err
    assert f"http://{opened.plane.control.at(opened.host)}" in deployed.out
    assert (await opened.get()).text == "made with care\n"
    await opened.reaches("live")


async def test_destroy_lists_what_is_absent_and_leaves_what_only_looks_like_it(opened: Opened) -> None:
    await opened.reaches("live")
    instance = opened.plane.control.instance
    names = sorted(await opened.containers(form="{{.Names}}"))
    keys = [re.sub(r"^rv-\w+-\d+-\d+-", "", name) for name in names]
    others = {
        "container": await docker("container", "create", f"--name={names[0]}-2", "busybox", "true"),
        "volume": await docker(
            "volume", "create", f"--label=revieee.instance={instance}x", f"rv-{instance}-1-1-v-data"
        ),
        "network": await docker("network", "create", "--internal", f"rv-{instance}-1-1-2"),
    }
    try:
        destroyed = await opened.plane.control.command("destroy", NAME)
        assert destroyed.code == 0, destroyed.err
        assert f"observed absent: containers: {', '.join(keys)}\n" in destroyed.out
        assert f"observed absent: networks: rv-{instance}-1-" in destroyed.out
        for kind, found in others.items():
            await docker(kind, "inspect", *found)  # it is still there
    finally:
        for kind, found in others.items():
            await docker(kind, "rm", "--force", *found) if kind != "network" else await docker(kind, "rm", *found)
    assert (await opened.plane.control.command("deploy", NAME)).code == 0


async def test_plan_says_what_a_folder_would_become_without_anything_running(plane: Plane, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    ended = await plane.control.command("plan", "--json", str(tmp_path))
    assert ended.code == 0, ended.err
    assert [one["name"] for one in ended.json()["stack"]["services"]] == ["web", "worker"]
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    privileged: true\n    image: busybox\n")
    refused = await plane.control.command("plan", str(tmp_path))
    assert refused.code == 1
    assert "compose.yaml:3" in refused.out + refused.err


@pytest.mark.parametrize(("arguments", "code"), [(("show", "acme/tool#99"), 1), (("show", "tool"), 2), (("shew",), 2)])
async def test_what_is_not_there_is_said_in_words(plane: Plane, arguments: tuple[str, ...], code: int) -> None:
    ended = await plane.control.command(*arguments)
    assert ended.code == code
    assert ended.err
    assert "Traceback" not in ended.err
