"""Limits of services that a real container reaches: processes, CPU, output. (Memory: test_docker_containers.)"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.model.policy import EngineOptions
from revieee.model.stack import ServiceLimits
from revieee.testing.serving import until
from support.docker import BaseImages, docker
from support.docker_lab import DockerLab

pytestmark = pytest.mark.slow

LIMITS = ServiceLimits(memory=64 * 2**20, cpus=0.25, pids=24)


async def said(lab: DockerLab, script: str, wanted: str) -> str:
    """Run a script in a container under the limits until it says something; gives all that it said."""
    place = lab.place(1)
    stack = await lab.resolve([replace(lab.shell("web", script), limits=LIMITS)], exposed=(), place=place)
    key = stack.task_of("web").key
    await lab.engine.prepare(place)
    await lab.engine.apply(place, stack)

    async def there() -> str:
        log = await lab.log(place, key)
        return log if wanted in log else ""

    log = await until(there, seconds=20)
    assert log, await lab.log(place, key)
    return log


async def test_processes(docker_lab: DockerLab) -> None:
    log = await said(docker_lab, "for one in $(seq 100); do sleep 300 & done; echo all; sleep 300", "fork")
    assert "can't fork" in log
    assert "all\n" not in log


async def test_cpu(docker_lab: DockerLab) -> None:
    script = (
        "end=$(($(date +%s) + 2)); while [ $(date +%s) -lt $end ]; do for n in $(seq 2000); do :; done; done; "
        "cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat; echo measured; sleep 300"
    )
    throttled = re.search(r"nr_throttled (\d+)", await said(docker_lab, script, "measured"))
    assert throttled is not None
    assert int(throttled[1]) > 5, "the kernel held it back in most periods"


async def test_output_kept(base_images: BaseImages) -> None:
    options = EngineOptions(instance="output-test", log_size=2**20, settle=0.2, walls=False)
    lab = DockerLab(base_images.busybox, options)
    try:
        line = "x" * 99
        script = f"yes {line} | head -n 60000; echo written; sleep 300"
        log = await said(lab, script, "written")
        assert log.count(line) < 30_000, "of six megabytes the newest are kept"
        (container,) = docker("ps", "--quiet", "--filter=label=revieee.instance=output-test").split()
        path = Path(docker("inspect", "--format={{.LogPath}}", container).strip())
        assert sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) < 2.2 * 2**20
    finally:
        await lab.close()
