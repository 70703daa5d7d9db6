"""Images by name on the real engine; nothing but loopback is asked for one."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from revieee.clients.docker import DockerClient
from revieee.engines.docker import images
from revieee.model.image import Image
from revieee.model.policy import EngineOptions
from revieee.ports import NotPulled, Refused
from support.docker import BaseImages, docker
from support.registry import FINAL, PASSING, registry

pytestmark = pytest.mark.usefixtures("docker_engine_ready")


@pytest.fixture
async def client() -> AsyncIterator[DockerClient]:
    one = DockerClient("unix:///var/run/docker.sock")
    yield one
    await one.close()


@pytest.fixture
def made(base_images: BaseImages, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes an image, without a name where none is given; gives its id."""
    ids: list[str] = []

    def make(name: str) -> str:
        (tmp_path / "Dockerfile").write_text(f"FROM {base_images.busybox}\nLABEL test={uuid4().hex}\n")
        ids.append(docker("build", "--quiet", *([f"--tag={name}"] if name else []), "--", str(tmp_path)))
        return ids[-1]

    yield make
    for one in ids:
        docker("rmi", "--force", one)


async def test_the_beginning_of_an_id_names_no_image(client: DockerClient, made: Callable[[str], str]) -> None:
    operators = made("")
    whole = operators.removeprefix("sha256:")
    for reference in (whole[:12], whole[:20], whole):
        assert await client.call("GET", "images", reference, "json"), "the engine would find it"
        assert await images.find(client, reference) is None
        await images.forget(client, reference)
    assert (await images.find(client, operators))["Id"] == operators, "it is there as before"


async def test_an_image_is_found_by_its_name_however_it_looks(client: DockerClient, made: Callable[[str], str]) -> None:
    other = made("")
    name = other.removeprefix("sha256:")[:12]  # that of a repository, and the beginning of another one's id
    named = made(f"{name}:latest")
    for reference in (name, f"{name}:latest", f"library/{name}"):
        assert (await images.find(client, reference))["Id"] == named
    assert await images.find(client, f"{name}:other") is None


async def pulled(client: DockerClient, host: str) -> Image:
    options = EngineOptions(instance="test", registries=(host,))
    return await images.have(client, f"{host}/acme/{uuid4().hex}:1", options=options, pinned=None, refresh=False)


@pytest.mark.parametrize("how", PASSING)
async def test_a_registry_that_is_away_is_waited_for(client: DockerClient, how: str) -> None:
    async with registry(PASSING[how]) as host:
        with pytest.raises(
            NotPulled, match=rf"^The image {host}/acme/\w+:1 cannot be pulled now: .+ tried again.$"
        ) as told:
            await pulled(client, host)
    assert told.value.delay is None, "as patiently as with anything that fails again and again"


async def test_so_is_one_that_takes_no_connection(client: DockerClient) -> None:
    with pytest.raises(NotPulled, match="connection refused"):
        await pulled(client, "localhost:1")


@pytest.mark.parametrize("how", FINAL)
async def test_a_registry_that_says_no_is_believed(client: DockerClient, how: str) -> None:
    async with registry(FINAL[how]) as host:
        with pytest.raises(Refused, match=rf"^The image {host}/acme/\w+:1 cannot be pulled: "):
            await pulled(client, host)
