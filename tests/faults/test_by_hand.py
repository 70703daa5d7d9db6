"""What people do to environments behind Revieee's back on real Docker, and apps that crash: healed, told, no storm."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from revieee.testing.serving import ControlPlane, until
from support.one_life import counted
from support.plane import PAGE, Opened, Plane, gone, page

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

COMPOSE = """
services:
  web:
    build: .
    ports: ["80"]
    stop_signal: SIGKILL
    depends_on: [notes]
  notes:
    image: busybox
    command: [sh, -c, "touch /notes/there; exec httpd -f -p 80 -h /notes"]
    ports: ["80"]
    stop_signal: SIGKILL
    volumes: ["notes:/notes"]
volumes:
  notes:
"""
HEALTHY = "healthcheck: {test: [CMD, test, -e, /healthy], interval: 1s, retries: 100}"
WAITING = COMPOSE.replace("[notes]", "{notes: {condition: service_healthy}}").replace(
    "image: busybox", f"image: busybox\n    {HEALTHY}"
)
"""Of two services one waits until a file is made in the other."""
CRASHES = 'CMD ["sh", "-c", "httpd -p 80 -h /www; while [ ! -e /die ]; do sleep 0.2; done; echo the end; exit 3"]\n'
WATCHED = 12.0
"""Seconds for which a crash loop is looked at."""
STARTS = 5
"""More starts than that in this time are a storm."""
BUSY = 0.2
"""The share of a processor that a control plane with a crash loop may take."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(plane: Plane) -> Opened:
    opened = await plane.open("hurt", page("here") | {"compose.yaml": COMPOSE})
    await opened.reaches("live")
    return opened


async def healed(opened: Opened) -> None:
    """Wait until both services serve, and the pull request says nothing else."""

    async def serves() -> bool:
        pages = [(await opened.get()).text, (await opened.get("/there", f"notes-{opened.host}")).status_code]
        return pages == ["here\n", 200] and len(await opened.containers()) == 2

    assert await until(serves, seconds=40), opened.plane.control.tail()
    await opened.reaches("live")
    assert len(opened.comments) == 1


@contextmanager
def nobody_looking(control: ControlPlane) -> Iterator[None]:
    """Stop the control plane where it is, which would else heal the first before the last is gone."""
    assert control.pid
    os.kill(control.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(control.pid, signal.SIGCONT)


async def remove(opened: Opened, kind: str) -> list[str]:
    """Remove all things of a kind that the control plane has; gives their names."""
    control = opened.plane.control
    names = (await control.left())[f"{kind}s"]
    await control.docker(kind, "rm", "--force", *names)
    return names


@pytest.mark.parametrize(
    "how", [("kill",), ("stop", "--time=0"), ("pause",), ("rm", "--force", "--volumes")], ids=" ".join
)
async def test_containers(opened: Opened, how: tuple[str, ...]) -> None:
    await opened.plane.control.docker("container", *how, *await opened.containers())
    await healed(opened)


async def test_the_network_under_running_containers(opened: Opened) -> None:
    control = opened.plane.control
    (network,) = (await control.left())["networks"]
    for container in await opened.containers():
        await control.docker("network", "disconnect", "--force", network, container)
    await control.docker("network", "rm", network)
    await healed(opened)


async def test_a_network_whose_addresses_somebody_else_took(opened: Opened) -> None:
    """What is live waits and says so; a new release moves. An engine killed as it makes a network keeps such."""
    control = opened.plane.control
    (network,) = (await control.left())["networks"]
    (subnet,) = await control.docker("network", "inspect", "--format={{(index .IPAM.Config 0).Subnet}}", network)
    taken, containers = f"taken-{control.instance}", await opened.containers()
    with nobody_looking(control):
        for container in containers:
            await control.docker("network", "disconnect", "--force", network, container)
        await control.docker("network", "rm", network)
        await control.docker("network", "create", f"--subnet={subnet}", taken)

    async def told() -> bool:
        return f"The subnet {subnet} is another network's" in opened.comment

    try:
        assert await until(told), opened.comment
        assert (await control.command("deploy", opened.name, "--no-wait")).code == 0
        await healed(opened)
    finally:
        await control.docker("network", "rm", taken)


async def test_all_of_it_while_nobody_looks(opened: Opened) -> None:
    control = opened.plane.control
    await control.stop()
    for kind in ("container", "volume", "image"):
        assert await remove(opened, kind)
    (network,) = (await control.left())["networks"]
    await control.docker("network", "rm", network)
    await control.start()
    await healed(opened)


async def test_what_a_release_on_its_way_was_made_of(plane: Plane) -> None:
    """It waits for a service to become healthy, whose container and volume go, and the image of the one that waits."""
    opened = await plane.open("amid", page("here") | {"compose.yaml": WAITING})
    (first,) = await started(opened, "notes")
    names = ("revieee.instance", "revieee.environment")
    mine = [f"--filter=label={name}={await label(plane, first, name)}" for name in names]
    with nobody_looking(plane.control):
        await plane.control.docker("container", "rm", "--force", "--volumes", first)
        for kind in ("volume", "image"):
            (one,) = await plane.control.docker(kind, "ls", "--quiet", *mine)
            await plane.control.docker(kind, "rm", "--force", one)
    (second,) = await started(opened, "notes", but=first)
    await plane.control.docker("container", "exec", second, "touch", "/healthy")
    await healed(opened)
    await opened.close()


async def started(opened: Opened, service: str, *, but: str = "") -> list[str]:
    """Wait until a service has a container that runs, another than one that was there."""
    found: list[str] = []

    async def runs() -> bool:
        found[:] = await opened.containers(service)
        return bool(found) and found != [but]

    assert await until(runs, seconds=30), opened.plane.control.tail()
    return found


async def label(plane: Plane, container: str, name: str) -> str:
    """Read a container's label."""
    (value,) = await plane.control.docker("inspect", f'--format={{{{index .Config.Labels "{name}"}}}}', container)
    return value


async def test_a_service_that_crashes_again_and_again_is_told_of_and_left_to_its_backoff(plane: Plane) -> None:
    opened = await plane.open("crashes", page("up") | {"Dockerfile": f"{PAGE['Dockerfile']}{CRASHES}"})
    await opened.reaches("live")
    (container,) = await opened.containers()
    async with counted(plane.control) as starts:
        await plane.control.docker("exec", container, "touch", "/die")

        async def told() -> bool:
            return "exit code 3" in opened.comment

        assert await until(told), plane.control.tail()
        await asyncio.sleep(WATCHED)
        seconds = cpu_seconds(plane)
        await asyncio.sleep(WATCHED / 2)
        seconds = cpu_seconds(plane) - seconds
    web = sum(count for key, count in starts.items() if key.startswith("web-"))
    assert 1 <= web <= STARTS
    assert seconds < WATCHED / 2 * BUSY
    assert len(opened.comments) == 1
    await opened.push(page("mended"))
    await opened.reaches("live")
    assert (await opened.get()).text == "mended\n"


def cpu_seconds(plane: Plane) -> float:
    """Give the processor time that the control plane has taken (proc(5))."""
    fields = Path(f"/proc/{plane.control.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_closed_nothing_is_left(plane: Plane) -> None:
    for repository in list(plane.github.state.repositories.values()):
        for pull in repository.pulls.values():
            await plane.github.close(pull)
    assert await gone(plane) == {}
    assert "Traceback" not in plane.control.log.read_text()
