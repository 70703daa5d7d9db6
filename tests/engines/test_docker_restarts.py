"""The engine itself ends and starts again, as at an upgrade of Docker or of the machine."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace

import pytest

from revieee.model.policy import EngineOptions
from revieee.model.stack import Condition, Dependency
from revieee.ports import Observed, RetryLater, ServiceState
from revieee.testing.engines import Role
from revieee.testing.engines.lab import STARTED
from support.docker import BaseImages
from support.docker_lab import DockerLab
from support.private_docker import PrivateDocker, private_docker

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(base_images: BaseImages) -> Iterator[PrivateDocker]:
    with private_docker(base_images.busybox) as engine:
        yield engine


@pytest.fixture
async def lab(engine: PrivateDocker, base_images: BaseImages) -> AsyncIterator[DockerLab]:
    options = EngineOptions(instance="restarts", host=engine.host, settle=0.2, walls=False)
    lab = DockerLab(base_images.busybox, options)
    yield lab
    await lab.close()


def good(seen: Mapping[str, Observed]) -> bool:
    return all(one.state in {ServiceState.HEALTHY, ServiceState.COMPLETED} for one in seen.values())


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_services_come_back_with_the_engine(lab: DockerLab, engine: PrivateDocker, end: str) -> None:
    place = lab.place(1)
    once = lab.play("once", Role.COMPLETES)
    web = replace(lab.play("web", Role.RUNS), depends_on=(Dependency(service="once", condition=Condition.COMPLETED),))
    stack = await lab.resolve([web, once], place=place)
    await lab.until(place, stack, good)
    getattr(engine, end)()
    with pytest.raises(RetryLater, match="does not answer"):
        await lab.engine.apply(place, stack)
    engine.start()
    await lab.until(place, stack, good)
    presence = (await lab.engine.observe_all(lab.instance))[1]
    assert presence.running == {stack.task_of("web").key}
    assert (await lab.log(place, stack.task_of("once").key)).count(STARTED) == 1, "what completed did not run again"


async def test_who_sleeps_stays_asleep(lab: DockerLab, engine: PrivateDocker) -> None:
    place = lab.place(1)
    stack = await lab.resolve([lab.play("web", Role.RUNS)], place=place)
    await lab.until(place, stack, good)
    await lab.engine.stop(place, stack, stack.keys)
    engine.stop()
    engine.start()
    presence = (await lab.engine.observe_all(lab.instance))[1]
    assert (presence.running, presence.keys) == (frozenset(), stack.keys)


async def test_what_had_failed_before_is_tried_once_more(lab: DockerLab, engine: PrivateDocker) -> None:
    place = lab.place(1)
    stack = await lab.resolve([lab.play("web", Role.FAILS)], place=place)
    await lab.until(place, stack, lambda seen: seen["web"].state is ServiceState.FAILED)
    engine.stop()
    engine.start()
    await lab.engine.apply(place, stack)
    await lab.until(place, stack, lambda seen: seen["web"].state is ServiceState.FAILED)
    await lab.engine.apply(place, stack)
    assert (await lab.log(place, stack.task_of("web").key)).count(STARTED) == 2
