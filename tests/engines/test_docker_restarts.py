"""The engine itself ends and starts again, as at an upgrade of Docker or of the machine."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace

import pytest

from revieee.model.policy import EngineOptions
from revieee.model.stack import Condition, Dependency
from revieee.ports import Observed, RetryLater, ServiceState
from revieee.testing.engines import Role
from revieee.testing.engines.lab import STARTED, addresses
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


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_hook_that_was_cut_off_runs_anew_and_one_that_ended_does_not(
    lab: DockerLab, engine: PrivateDocker, end: str
) -> None:
    place = lab.place(1)
    stack = await lab.resolve([lab.play("web", Role.RUNS)], place=place)
    slow = lab.hook(stack, "web", Role.COMPLETES, place=place)
    slow = replace(slow, hook=replace(slow.hook, command=("sh", "-c", "echo started; sleep 2")))
    done = replace(slow, name="hook-completes-2", hook=replace(slow.hook, command=("sh", "-c", "echo started")))
    given = replace(stack, addresses=addresses(place, stack.keys | {slow.name, done.name}))
    await lab.end_of(place, given, done)
    assert (await lab.engine.run(place, given, slow)).state is ServiceState.STARTING
    getattr(engine, end)()
    engine.start()
    assert (await lab.end_of(place, given, slow)).state is ServiceState.COMPLETED
    assert (await lab.end_of(place, given, done)).state is ServiceState.COMPLETED
    assert (await lab.log(place, done.name)).count(STARTED) == 1


async def test_a_hook_that_fails_after_the_restart_has_failed(lab: DockerLab, engine: PrivateDocker) -> None:
    place = lab.place(1)
    stack = await lab.resolve([lab.play("web", Role.RUNS)], place=place)
    hook = lab.hook(stack, "web", Role.FAILS, place=place)
    given = replace(stack, addresses=addresses(place, stack.keys | {hook.name}))
    await lab.engine.run(place, given, hook)
    engine.stop()
    engine.start()
    for _ in range(2):
        seen = await lab.end_of(place, given, hook)
        assert (seen.state, seen.exit_code) == (ServiceState.FAILED, 3)


async def test_what_ended_well_with_the_engine_runs_again_and_what_had_done_its_work_does_not(
    lab: DockerLab, engine: PrivateDocker
) -> None:
    place = lab.place(1)
    worker = replace(
        lab.shell("worker", "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done"), stop_signal=None
    )
    seed = lab.play("seed", Role.COMPLETES)
    stack = await lab.resolve([worker, seed], place=place)
    await lab.until(place, stack, good)
    stack = replace(stack, completed=(stack.task_of("seed").key,))
    hints = lab.engine.events(lab.instance)
    assert await anext(hints) == 1, "what changed before anybody listened"
    engine.stop()
    engine.start()
    async with asyncio.timeout(30):
        assert await anext(hints) == 1, "the engine says nothing of itself"
    await lab.until(place, stack, good)
    assert (await lab.log(place, stack.task_of("worker").key)).count(STARTED) == 2
    assert (await lab.log(place, stack.task_of("seed").key)).count(STARTED) == 1
