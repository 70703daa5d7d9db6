"""An environment's network, and what is in its way."""

import asyncio
from dataclasses import replace

import pytest

from revieee.clients.docker import DockerAnswered, DockerClient, Json
from revieee.engines.docker import networks, render
from revieee.engines.docker.names import Names
from revieee.model.policy import EngineOptions
from revieee.ports import AddressTaken, Placement
from support.docker import docker
from support.docker_lab import DockerLab

BRIDGE = "com.docker.network.bridge.name"
PLACE = Placement(
    instance="demo", environment=1, incarnation=1, name="acme/shop#1", release="1", subnet="10.208.0.64/26"
)


@pytest.mark.slow
@pytest.mark.parametrize("has", ["the subnet", "the interface"])
async def test_another_network_in_the_way_leads_to_another_subnet(docker_lab: DockerLab, has: str) -> None:
    """Docker that is killed as it makes a network keeps subnet and interface, and shows the network to nobody."""
    place, elsewhere = docker_lab.place(1), replace(docker_lab.place(1), subnet=docker_lab.place(2).subnet)
    interface, name = Names(place).bridge(docker_lab.options.network_prefix), f"in-the-way-of-{docker_lab.instance}"
    options = [f"--opt={BRIDGE}={interface}"] if has == "the interface" else [f"--subnet={place.subnet}"]
    docker("network", "create", *options, name)
    try:
        with pytest.raises(AddressTaken, match=f"{place.subnet} is another network's"):
            await docker_lab.engine.prepare(place)
        await docker_lab.engine.prepare(elsewhere)
    finally:
        docker("network", "rm", name)
    (made,) = docker("network", "ls", "--quiet", f"--filter=label=revieee.instance={docker_lab.instance}").split()
    assert docker("network", "inspect", f'--format={{{{index .Options "{BRIDGE}"}}}}', made) != interface


class Forbidding(DockerClient):
    """An engine that lets us make no networks, as one with an authorization plugin may."""

    async def call(self, method: str, *_path: str, **_more: object) -> Json:
        """Answer as Docker does."""
        raise DockerAnswered(404, "no such network") if method == "GET" else DockerAnswered(403, "denied by plugin")


async def test_an_engine_that_forbids_networks_uses_up_no_subnets() -> None:
    with pytest.raises(DockerAnswered, match="denied by plugin"):
        await networks.ensure(Forbidding("unix:///nowhere"), PLACE, EngineOptions(instance="demo"))


@pytest.mark.slow
async def test_of_two_of_one_name_the_one_with_the_subnet_stays(docker_lab: DockerLab) -> None:
    """Docker looks whether a name is taken before it makes a network, and two orders at once are both carried out."""
    place, elsewhere = docker_lab.place(1), replace(docker_lab.place(1), subnet=docker_lab.place(2).subnet)
    client = DockerClient(docker_lab.options.host)
    for one in (elsewhere, place):
        body = render.network(one, docker_lab.options) | {"CheckDuplicate": False}
        await client.call("POST", "networks", "create", body=body)
    await client.close()
    await docker_lab.engine.prepare(place)
    mine = f"--filter=label=revieee.instance={docker_lab.instance}"
    (left,) = docker("network", "ls", "--quiet", mine).split()
    assert docker("network", "inspect", "--format={{(index .IPAM.Config 0).Subnet}}", left) == place.subnet


@pytest.mark.slow
async def test_whoever_is_cancelled_leaves_none_that_is_still_being_made(docker_lab: DockerLab) -> None:
    place = docker_lab.place(1)
    for soon in range(20):
        making = asyncio.create_task(docker_lab.engine.prepare(place))
        await asyncio.sleep(soon / 1000)
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        await docker_lab.engine.prepare(place)
        (made,) = docker("network", "ls", "--quiet", f"--filter=label=revieee.instance={docker_lab.instance}").split()
        docker("network", "rm", made)


class Late(Forbidding):
    """An engine on which one of ours with another subnet turns up just as we make it."""

    def __init__(self) -> None:
        super().__init__("unix:///nowhere")
        self.asked = 0

    async def call(self, method: str, *path: str, **more: object) -> Json:
        """Answer as Docker does."""
        self.asked += 1
        if method == "POST":
            raise DockerAnswered(409, "network with that name already exists")
        if self.asked == 1:
            return await super().call(method, *path, **more)
        return {"Id": "n1", "Labels": Names(PLACE).shared_labels(), "IPAM": {"Config": [{"Subnet": "10.208.9.0/26"}]}}


async def test_one_of_ours_with_another_subnet_is_not_taken_for_the_one_that_was_to_be_made() -> None:
    with pytest.raises(DockerAnswered, match="already exists"):
        await networks.ensure(Late(), PLACE, EngineOptions(instance="demo"))
