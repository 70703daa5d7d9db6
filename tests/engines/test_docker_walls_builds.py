"""The steps of builds and what else is on their bridge, with `revieee serve` on a machine that is played.

What the walls close is first seen open: nobody else's stand there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from revieee.engines.docker.names import bridge_prefix
from revieee.testing.serving import ControlPlane
from support.docker import BaseImages
from support.elsewhere import CARRIER, INTERNET, METADATA, PRIVATE, played, request, serving
from support.private_docker import private_docker
from support.waiting import eventually
from support.walled import HOST, PUBLIC, ROUTER, SERVED, Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PORT = 8000
"""Of a server of the host's own."""
INSIDE = [METADATA, PRIVATE, CARRIER, f"{INTERNET}:53", f"{HOST}:{PORT}"]
GATEWAY = "10.128.0.65"
"""Of an environment's bridge: by its name it is one of the instance's, by its labels the test's own."""


@pytest.fixture(scope="module")
def machine(base_images: BaseImages, nginx: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    assert nginx
    folder = tmp_path_factory.mktemp("elsewhere")
    with private_docker(base_images.busybox) as engine, played(folder, engine.namespace):
        machine = Machine(engine, base_images.busybox)
        with serving(folder, PORT, *machine.inside):
            yield machine


@dataclass(frozen=True)
class Walled:
    """The machine with its walls, two foreign containers by name and address, and what a build got before."""

    machine: Machine
    control: ControlPlane
    one: tuple[str, str]
    other: tuple[str, str]
    before: list[str]


@pytest.fixture(scope="module")
def walled(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walled]:
    one, other = machine.container(), machine.container()
    with machine.building():
        build = machine.beside({one[1], other[1]})
        before = machine.build_gets(*INSIDE, INTERNET, f"{one[1]}:{SERVED}", f"{build}:{SERVED}")
    assert machine.tables() == []
    with machine.served(tmp_path_factory.mktemp("serving")) as control:
        yield Walled(machine, control, one, other, before)


def test_a_build_gets_none_of_what_it_gets_without_walls(walled: Walled) -> None:
    machine, foreign = walled.machine, f"{walled.one[1]}:{SERVED}"
    assert [*INSIDE, INTERNET, foreign] == walled.before[:-1]
    assert len(walled.before) == len(INSIDE) + 3, "and another build"
    with machine.building():
        build = machine.beside({walled.one[1], walled.other[1]})
        assert machine.build_gets(*INSIDE, INTERNET, foreign, f"{build}:{SERVED}") == [INTERNET]
        assert not machine.container_gets(walled.one[0], f"{build}:{SERVED}"), "nor does anybody get it"


def test_a_build_gets_nothing_of_environments(walled: Walled) -> None:
    machine, control = walled.machine, walled.control
    name = f"{bridge_prefix('rv', control.instance)}played"
    subnet, bridge = f"--subnet={GATEWAY}/26", f"--opt=com.docker.network.bridge.name={name}"
    machine.engine.docker("network", "create", subnet, f"--gateway={GATEWAY}", bridge, "played")
    _, service = machine.container("--network=played")
    assert machine.build_gets(f"{service}:{SERVED}", f"{GATEWAY}:{PORT}", f"{ROUTER}:{PORT}") == []
    asked = request(f"{ROUTER}:{PUBLIC}").replace("\\r\\n\\r\\n", f"\\r\\nHost: {control.given.domain}\\r\\n\\r\\n")
    assert " 404 " in machine.built(f"{asked} | head -n 1"), "the router knows no host of it"


def test_foreign_containers_reach_each_other_and_who_comes_is_known_at_once(walled: Walled) -> None:
    machine = walled.machine
    assert machine.container_gets(walled.one[0], f"{walled.other[1]}:{SERVED}")
    third, address = machine.container()
    assert eventually(lambda: machine.container_gets(third, f"{walled.one[1]}:{SERVED}"), timeout=8)
    assert machine.container_gets(walled.one[0], f"{address}:{SERVED}")


def test_what_is_flushed_while_the_engine_restarts_is_put_back(walled: Walled) -> None:
    machine = walled.machine
    machine.run("nft", "flush", "ruleset")
    assert machine.tables() == []
    machine.engine.stop()
    machine.engine.start()
    assert eventually(lambda: machine.tables() == ["bridge", "inet"]), walled.control.tail()
    with machine.building():
        build = machine.beside(())
        assert machine.build_gets(*INSIDE, INTERNET, f"{build}:{SERVED}") == [INTERNET]
