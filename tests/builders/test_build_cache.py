"""The build cache stays within its bounds; on an engine of the test's own, since the cache is the whole engine's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from revieee.builders.buildkit import BuilderOptions, BuildKitBuilder
from revieee.model.stack import Build
from revieee.ports import BuildRequest
from support.docker import BaseImages
from support.private_docker import PrivateDocker, private_docker

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(base_images: BaseImages) -> Iterator[PrivateDocker]:
    with private_docker(base_images.busybox) as engine:
        yield engine


def cached(engine: PrivateDocker) -> str:
    """Give the size of the engine's build cache in words."""
    rows = engine.docker("system", "df", "--format", "{{.Type}} {{.TotalCount}}").splitlines()
    return next(row for row in rows if row.startswith("Build Cache"))


async def silent(_: bytes) -> None:
    """Take output."""


async def test_what_no_build_used_for_long_is_dropped(
    engine: PrivateDocker, base_images: BaseImages, tmp_path: Path
) -> None:
    passed = 0.0
    options = BuilderOptions(instance="cache", host=engine.host, cache_age=0.001)
    builder = BuildKitBuilder(options, elapsed=lambda: passed)
    (tmp_path / "Dockerfile").write_text(f"FROM {base_images.busybox}\nCOPY Dockerfile /one\nRUN echo two > /two\n")
    request = BuildRequest(environment=1, folder=tmp_path, build=Build(), tags=("cache:1",), cache_scope="1 own")

    await builder.tidy()
    await builder.build(request, silent)
    before = cached(engine)
    await builder.tidy()
    assert before == cached(engine) != "Build Cache 0"  # not again at once

    passed += 2 * 3600
    engine.docker("image", "rm", "cache:1")
    await builder.tidy()
    assert cached(engine) == "Build Cache 0"
    await builder.close()
