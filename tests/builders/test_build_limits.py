"""One limit on all builds of an engine; here it is one of the tests' own, so that nobody else's builds meet it."""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builders.conftest import Yard
from revieee.builders.limits import BuildLimits
from revieee.ports import Refused, Severity
from support.docker import BaseImages
from support.private_docker import PrivateDocker, private_docker

GROUPS = Path("/sys/fs/cgroup")
PARENT = f"revieee-test-{os.getpid()}"


@pytest.fixture(scope="module")
def engine(base_images: BaseImages) -> Iterator[PrivateDocker]:
    with private_docker(base_images.busybox, cgroup_parent=PARENT) as engine:
        yield engine
    left = [folder for kind in ("", "*/") for folder in GROUPS.glob(f"{kind}{PARENT}/**/")]
    for folder in sorted(left, reverse=True):  # what lies in another one first
        with contextlib.suppress(OSError):
            folder.rmdir()


@pytest.fixture
async def limited(engine: PrivateDocker, base_images: BaseImages, tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path, base_images.busybox)
    yard.options = replace(yard.options, host=engine.host, daemon_cgroup_parent=PARENT)
    yield yard
    await yard.close()


async def test_steps_run_under_the_limit_on_all_builds(limited: Yard) -> None:
    limits = BuildLimits(memory=16 << 30, cpus=float(os.cpu_count() or 1))
    builder = limited.builder(limits=limits)
    await builder.build(limited.request("FROM FRESH\nRUN cat /proc/self/cgroup\n"), limited.write)
    place = builder._place
    if place is None:
        pytest.skip("this engine runs steps beside containers")
    assert f":{place.group}/".encode() in limited.output
    group = GROUPS / "memory" / place.group.lstrip("/")
    if group.exists():
        assert (group / "memory.limit_in_bytes").read_text().strip() == str(16 << 30)
    assert {finding.severity for finding in await builder.check()} == {Severity.GOOD}


async def test_a_step_that_takes_more_memory_than_builds_have_is_killed(limited: Yard) -> None:
    builder = limited.builder(limits=BuildLimits(memory=64 << 20, cpus=1.0))
    request = limited.request("FROM FRESH\nRUN x=0123456789abcdef; while true; do x=$x$x; done\n")
    with pytest.raises(Refused, match=r"Dockerfile:\d: RUN .* memory limit of builds"):
        await builder.build(request, limited.write)
