"""Base images, asked for anew; there is no registry, so pulls fail or are played."""

from pathlib import Path

import pytest

from builders.conftest import Yard
from revieee.testing.images import docker_client
from support.docker import docker

NOTHING = "127.0.0.1:1/nothing:1"
"""An image of a registry that is not there."""


async def test_base_images_at_hand_are_used_when_the_registry_has_none(yard: Yard) -> None:
    docker("tag", yard.base, NOTHING)
    try:
        await yard.build(f"ARG NAME=nothing\nFROM {NOTHING.replace('nothing', '$NAME')}\nRUN true\n", refresh=True)
    finally:
        docker("rmi", NOTHING)

    assert f"No newer {NOTHING}".encode() in yard.output


@pytest.mark.parametrize("named", [False, True])
async def test_a_base_image_goes_when_a_newer_one_has_its_name(
    yard: Yard, tmp_path: Path, request: pytest.FixtureRequest, *, named: bool
) -> None:
    client = tmp_path / "docker"  # the real one, but for pulls: no registry is here
    client.write_text(f"""#!/bin/sh
[ "$1" = pull ] || exec {docker_client()} "$@"
[ "$4" != {NOTHING} ] || exec {docker_client()} tag {yard.base} {NOTHING}
""")
    client.chmod(0o755)
    (yard.folder / "Dockerfile").write_text(f"FROM {yard.base}\nLABEL former={yard.instance}\n")
    former = docker("build", "--quiet", f"--tag={NOTHING}", "--", str(yard.folder))
    other = f"former-{yard.instance}:1"
    request.addfinalizer(lambda: docker("rmi", NOTHING, *([other] if named else [])))
    if named:
        docker("tag", former, other)

    builder = yard.builder(clients=(str(client),))
    for _ in range(2):
        await builder.build(yard.request(f"FROM {NOTHING}\nRUN true\n", refresh=True), yard.write)

    kept = docker("images", "--all", "--quiet", "--no-trunc", f"--filter=label=former={yard.instance}")
    assert kept == (former if named else "")
    assert docker("images", "--quiet", NOTHING)


async def test_an_image_whose_id_begins_like_the_name_of_a_base_image_stays(
    yard: Yard, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (yard.folder / "Dockerfile").write_text(f"FROM {yard.base}\nLABEL former={yard.instance}\n")
    operators = docker("build", "--quiet", "--", str(yard.folder))
    request.addfinalizer(lambda: docker("rmi", "--force", operators))
    name = operators.removeprefix("sha256:")[:12]
    client = tmp_path / "docker"  # the real one, but for pulls: no registry is here
    client.write_text(f"""#!/bin/sh
[ "$1" = pull ] || exec {docker_client()} "$@"
exec {docker_client()} tag {yard.base} {name}
""")
    client.chmod(0o755)
    request.addfinalizer(lambda: docker("rmi", f"{name}:latest"))

    await yard.builder(clients=(str(client),)).build(yard.request(f"FROM {name}\nRUN true\n", refresh=True), yard.write)

    assert docker("images", "--all", "--quiet", f"--filter=label=former={yard.instance}")
