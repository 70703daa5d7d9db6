"""What is free on the engine's disk, and who has written how much."""

from collections.abc import AsyncIterator

import pytest

from revieee.clients.docker import DockerClient
from revieee.engines.docker import disk
from revieee.testing.serving import docker
from support.docker import BaseImages

pytestmark = pytest.mark.slow

MIB = 2**20
INSTANCE = "disk-test"


@pytest.fixture
async def client() -> AsyncIterator[DockerClient]:
    client = DockerClient("unix:///var/run/docker.sock")
    yield client
    await client.close()


async def test_free_bytes_are_those_of_the_engines_folder_and_unknown_elsewhere(client: DockerClient) -> None:
    free = await disk.free(client)
    assert free is not None
    assert free > MIB
    elsewhere = DockerClient("tcp://127.0.0.1:1")
    assert await disk.free(elsewhere) is None, "nothing is asked"
    await elsewhere.close()


async def test_what_containers_and_volumes_wrote_is_counted_by_environment(
    client: DockerClient, base_images: BaseImages
) -> None:
    def labels(instance: str, environment: int) -> list[str]:
        return [f"--label=revieee.instance={instance}", f"--label=revieee.environment={environment}"]

    write = ["sh", "-c", "head -c 3145728 /dev/urandom > /file; head -c 5242880 /dev/urandom > /data/file"]
    volume = ["--volume=disk-test-volume:/data"]
    try:
        await docker("volume", "create", *labels(INSTANCE, 7), "disk-test-volume")
        for name, own in {"one": labels(INSTANCE, 7), "two": labels(INSTANCE, 8), "other": labels("other", 9)}.items():
            mount = volume if name == "one" else ["--volume=/data"]
            await docker("run", f"--name=disk-test-{name}", *own, *mount, base_images.busybox, *write)
        sizes = await disk.usage(client, INSTANCE)
        assert sizes.keys() == {7, 8}
        assert 8 * MIB <= sizes[7] < 9 * MIB, "its container and its volume"
        assert 3 * MIB <= sizes[8] < 4 * MIB, "a volume without labels is nobody's"
        assert (await disk.usage(client, "other")).keys() == {9}
    finally:
        await docker("rm", "--force", "--volumes", "--", *(f"disk-test-{name}" for name in ("one", "two", "other")))
        await docker("volume", "rm", "--force", "--", "disk-test-volume")
