"""Limits of services that a real container reaches: processes, CPU, output. (Memory: test_docker_containers.)"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.engines.docker.container import moment
from revieee.model.policy import EngineOptions
from revieee.model.stack import ServiceLimits
from revieee.ports import Refused
from revieee.testing.engines import Role
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

    log = await until(there)
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


@pytest.fixture
def tagged(docker_lab: DockerLab, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Builds an image with a line more than the lab's, and gives its name."""
    tag = f"{docker_lab.instance}-tagged:1"

    def build(line: str) -> str:
        (tmp_path / "Dockerfile").write_text(f"FROM {docker_lab.image}\n{line}\n")
        docker("build", "--quiet", f"--tag={tag}", "--", str(tmp_path))
        return tag

    yield build
    docker("rmi", "--force", tag)


async def test_volumes_of_an_image(docker_lab: DockerLab, tagged: Callable[[str], str]) -> None:
    tag = tagged(f"VOLUME {' '.join(f'/v{n}' for n in range(101))}")
    with pytest.raises(Refused, match=f"{tag} declares 101 volumes .* and 100 may be"):
        await docker_lab.engine.image(tag)


async def test_an_image_s_healthcheck_runs_once_a_second_at_most(
    docker_lab: DockerLab, tagged: Callable[[str], str]
) -> None:
    place = docker_lab.place(1)
    service = replace(docker_lab.play("web", Role.RUNS), image=tagged("HEALTHCHECK --interval=1ms CMD true"))
    stack = await docker_lab.resolve([service], place=place)
    await docker_lab.engine.apply(place, stack)
    (container,) = docker("ps", "--quiet", f"--filter=label=revieee.key={stack.task_of('web').key}").split()
    check = json.loads(docker("inspect", "--format={{json .Config.Healthcheck}}", container))
    assert check == {"Test": ["CMD-SHELL", "true"], "Interval": 10**9}

    async def runs() -> list[dict[str, str]]:
        log = json.loads(docker("inspect", "--format={{json .State.Health.Log}}", container))
        return log if len(log) > 1 else []

    first, second, *_ = await until(runs)
    assert moment(second["Start"]) - moment(first["End"]) > 0.9
    await docker_lab.engine.remove(place, None, grace=0)


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
