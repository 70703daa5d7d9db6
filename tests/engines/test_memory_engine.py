import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.engines.memory import Act, Behaviour, Fault, MemoryEngine, World, create
from revieee.model.image import Image
from revieee.model.policy import EngineOptions
from revieee.model.resolve import ResolvedHook, ResolvedStack, Task
from revieee.model.route import Endpoint
from revieee.model.stack import Hook, Service
from revieee.model.tags import image_tags
from revieee.ports import Fault as PortFault
from revieee.ports import ImageGone, Observed, Placement, Presence, Refused, RetryLater, ServiceState

IMAGE = Image(id="sha256:aa", reference="app")
TASK = Task(key="web-1", service=Service(name="web", image="app"), image=IMAGE, port=8080)
STACK = ResolvedStack(tasks=(TASK,), addresses=(("web-1", "10.0.0.2"),))
PLACE = Placement(instance="demo", environment=1, incarnation=1, name="octo/cat#1")


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def stocked(world: World) -> World:
    """A world that has the image."""
    world.add_image("", 0, IMAGE.id, IMAGE.reference)
    return world


async def web(engine: MemoryEngine) -> Observed:
    return (await engine.apply(PLACE, STACK))["web-1"]


async def test_a_slow_one_turns_healthy_when_its_time_has_come() -> None:
    clock = Clock()
    world = stocked(World(now=clock))
    world.script("app", Behaviour(healthy_after=30.0, words="warming up"))
    engine = MemoryEngine(world)
    assert (await web(engine)).state is ServiceState.UNHEALTHY
    clock.time += 29
    assert (await web(engine)).words == "warming up"
    clock.time += 1
    assert await web(engine) == Observed(key="web-1", state=ServiceState.HEALTHY, endpoint=Endpoint("10.0.0.2", 8080))


async def test_what_had_ended_before_a_restart_of_the_engine_was_not_ended_by_it() -> None:
    clock = Clock()
    world = stocked(World(now=clock))
    world.script("app", Behaviour(exits=3, exits_after=5.0))
    engine = MemoryEngine(world)
    await web(engine)
    clock.time += 4
    world.restart()
    assert (await web(engine)).state is ServiceState.HEALTHY, "cut off, and started again"
    clock.time += 5
    world.restart()
    assert (await web(engine)).words == "ended with exit code 3"


async def test_a_real_server_can_stand_for_a_container() -> None:
    world = stocked(World())
    world.script("app", Behaviour(endpoint=("127.0.0.1", 4321)))
    assert (await web(MemoryEngine(world))).endpoint == Endpoint("127.0.0.1", 4321)


async def test_faults_come_as_often_as_asked_before_or_after_the_work() -> None:
    world = stocked(World())
    engine = MemoryEngine(world)
    world.fail("apply")
    world.fail("apply", Fault(error="fault", words="broken"))
    world.fail("apply", Fault(after=True))
    with pytest.raises(RetryLater):
        await web(engine)
    with pytest.raises(PortFault, match="broken"):
        await web(engine)
    assert world.acts() == []
    with pytest.raises(RetryLater):
        await web(engine)
    assert world.acts("start") == [Act("start", 1, "web-1")], "done, though the answer was lost"
    assert (await web(engine)).state is ServiceState.HEALTHY


async def test_every_method_can_fail_until_mended() -> None:
    world = stocked(World())
    engine = MemoryEngine(world)
    world.fail("*", times=1000)
    for _ in range(3):
        with pytest.raises(RetryLater):
            await engine.observe_all("demo")
    world.mend()
    assert await engine.observe_all("demo") == {}


async def test_nothing_is_made_of_an_image_that_is_gone() -> None:
    world = stocked(World())
    engine = MemoryEngine(world)
    await web(engine)
    world.lose_image(IMAGE.id)
    assert (await web(engine)).state is ServiceState.HEALTHY, "what is there runs on"
    world.lose(1, "web-1")
    with pytest.raises(ImageGone, match="web"):
        await web(engine)
    with pytest.raises(ImageGone, match="web"):
        await engine.run(PLACE, STACK, ResolvedHook(name="hook-x", task=TASK, hook=Hook(service="web", command=("x",))))


async def test_hands_from_outside() -> None:
    world = stocked(World())
    engine = MemoryEngine(world)
    await web(engine)
    world.end(1, "web-1")
    assert (await web(engine)).exit_code == 137
    world.lose(1, "web-1")
    assert (await web(engine)).state is ServiceState.HEALTHY, "made again"
    assert len(world.acts("create")) == 2


async def test_images_are_kept_while_something_uses_them() -> None:
    world = stocked(World())
    engine = MemoryEngine(world)
    for image in ("sha256:aa", "sha256:bb", "sha256:cc"):
        world.add_image("demo", 1, image)
    await web(engine)
    await engine.remove_images(PLACE, keep={"sha256:bb"})
    assert (await engine.observe_all("demo"))[1].images == {"sha256:aa", "sha256:bb"}


CHILD = """
import asyncio, sys
from revieee.engines.memory import create
from revieee.model.policy import EngineOptions
from revieee.ports import Placement

async def main():
    engine = create(EngineOptions(instance="demo", host=sys.argv[1]))
    number = 0
    while True:
        number += 1
        await engine.prepare(Placement(instance="demo", environment=number, incarnation=1, name="x"))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_nothing_that_was_done_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "world")
    child = subprocess.Popen([sys.executable, "-c", CHILD, path], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - nothing else runs
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(20)]
    child.send_signal(signal.SIGKILL)
    said += [int(line) for line in child.stdout if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    engine = create(EngineOptions(instance="demo", host=path))
    found = await engine.observe_all("demo")
    assert set(said) <= set(found)
    await engine.close()


async def test_a_thousand_environments_are_listed_quickly() -> None:
    world = stocked(World())
    engine = MemoryEngine(world)
    began = time.process_time()
    for number in range(1, 1001):
        await engine.apply(replace(PLACE, environment=number), STACK)
    made = time.process_time() - began
    began = time.process_time()
    found = await engine.observe_all("demo")
    listed = time.process_time() - began
    assert len(found) == 1000
    assert all(one.running == {"web-1"} for one in found.values())
    assert made < 10
    assert listed < 1


async def test_two_processes_make_one_container(tmp_path: Path) -> None:
    path = str(tmp_path / "world")
    engines = [MemoryEngine(stocked(World(path)), owns_world=True) for _ in range(2)]
    await asyncio.gather(*(web(engine) for engine in engines))
    assert engines[0].world.acts("create") == [Act("create", 1, "web-1")]
    assert (await engines[1].observe_all("demo"))[1] != Presence()
    for engine in engines:
        await engine.close()


async def test_an_image_that_was_built_here_and_is_gone_is_asked_of_no_registry() -> None:
    world = World()
    engine = MemoryEngine(world)
    (tag,) = image_tags(PLACE.instance, "octo/cat", "main", "a" * 40, "web")
    with pytest.raises(Refused, match="was built here and is gone"):
        await engine.image(tag, pinned="sha256:bb")
    await engine.close()
