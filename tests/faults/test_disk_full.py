"""Full disks: what runs goes on, new work waits with a reason, and all recovers by itself when there is room."""

import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from revieee.builders.buildkit import BuilderOptions, BuildKitBuilder
from revieee.clients.docker import DockerClient
from revieee.engines.docker import disk
from revieee.model.stack import Build
from revieee.ports import BuildRequest, RetryLater
from revieee.testing.demo.traffic import requests
from revieee.testing.serving import until
from support.disks import fill, small_disk
from support.docker import BaseImages
from support.plane import Plane, page, serving
from support.private_docker import PrivateDocker, private_docker

pytestmark = pytest.mark.slow

MIB = 2**20
MANY = 400
"""Deliveries of 50 KB that no disk takes on which only what is reserved in files is left."""


@pytest.fixture
async def plane(tmp_path: Path, base_images: BaseImages, nginx: str) -> AsyncIterator[Plane]:
    """A control plane whose data have a disk of 128 MiB to themselves, of which 32 are kept free."""
    assert base_images.busybox
    assert nginx
    with small_disk(tmp_path / "data", 128 * MIB):
        async with serving(tmp_path, disk_free="0.03125", disk_clean="0") as plane:
            yield plane


async def test_a_nearly_full_disk_lets_new_ones_wait_and_tells_them(plane: Plane) -> None:
    good = await plane.open("good", page("good"))
    await good.reaches("live")
    repository = await plane.repository("late")
    filler = fill(plane.control.data, leaving=16 * MIB)

    async def noticed() -> bool:
        return "room: The disk" in plane.control.tail(200)

    assert await until(noticed, seconds=30), plane.control.tail()
    late = await plane.propose(repository, page("late"))

    async def told() -> bool:
        return "GiB free: a new release begins when there is room" in late.comment

    assert await until(told, seconds=30), plane.control.tail()
    assert (await good.get()).text == "good\n"
    filler.unlink()
    await late.reaches("live")
    assert len(late.comments) == 1


async def test_a_full_one_costs_no_request_no_environment_and_no_delivery(plane: Plane) -> None:
    good = await plane.open("good", page("good"))
    await good.reaches("live")
    kept = await good.containers()
    repository = await plane.repository("missed")
    await plane.github.settled()
    url, host = f"http://127.0.0.1:{plane.control.given.port}/", plane.control.at(good.host)
    async with plane.control.client() as client, requests(client, url, host, ("good",)) as traffic:
        filler = fill(plane.control.data)
        answers = await _until_refused(plane, client)
        assert answers[-1] == httpx.codes.SERVICE_UNAVAILABLE, (
            "what cannot be stored is refused, so it can be sent again"
        )
        assert set(answers[:-1]) <= {httpx.codes.ACCEPTED}, "it may go into what a file has reserved"
        missed = await plane.propose(repository, page("missed"))
        await plane.github.settled()
        filler.unlink()
        await missed.reaches("live")
    assert traffic.failures == {}
    assert traffic.requests > 0
    assert (await missed.get()).text == "missed\n"
    assert await good.containers() == kept
    assert len(missed.comments) == 1


async def _until_refused(plane: Plane, client: httpx.AsyncClient) -> list[int]:
    """Send deliveries until one is not stored; gives the statuses of all."""
    statuses: list[int] = []
    while httpx.codes.SERVICE_UNAVAILABLE not in statuses and len(statuses) < MANY:
        body = json.dumps({"zen": uuid.uuid4().hex * 1500}).encode()
        headers = {
            "Host": plane.control.at(plane.control.given.domain),
            "Content-Type": "application/json",
            "X-GitHub-Event": "ping",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={hmac.new(b'practice', body, hashlib.sha256).hexdigest()}",
        }
        url = f"http://127.0.0.1:{plane.control.given.port}/webhooks/github"
        statuses.append((await client.post(url, headers=headers, content=body)).status_code)
    return statuses


@pytest.fixture
def engine(base_images: BaseImages) -> Iterator[PrivateDocker]:
    with private_docker(base_images.busybox, disk=192 * MIB) as engine:
        yield engine


async def test_a_build_that_finds_the_engines_disk_full_is_tried_again_and_succeeds(
    engine: PrivateDocker, tmp_path: Path, base_images: BaseImages
) -> None:
    client = DockerClient(engine.host)
    builder = BuildKitBuilder(BuilderOptions(instance="full", host=engine.host))
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {base_images.busybox}\nRUN head -c {40 * MIB} /dev/zero > /large\n")
    request = BuildRequest(environment=1, folder=folder, build=Build(), tags=("revieee-full/app:1",), cache_scope="a")
    said = bytearray()

    async def write(chunk: bytes) -> None:
        said.extend(chunk)

    try:
        filler = fill(engine.data, leaving=20 * MIB)
        free = await disk.free(client)
        assert free is not None
        assert 10 * MIB < free < 21 * MIB
        with pytest.raises(RetryLater, match="found the disk full"):
            await builder.build(request, write)
        assert b"head: " in said, "the step itself met it"
        filler.unlink()
        image = await builder.build(request, write)
        assert image.size > 40 * MIB
        engine.docker("image", "rm", image.id)
        used = (await disk.free(client)) or 0
        await builder.tidy(urgent=True)
        assert ((await disk.free(client)) or 0) - used > 35 * MIB, "what only the cache held is gone"
    finally:
        await builder.close()
        await client.close()
