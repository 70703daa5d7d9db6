import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from revieee.builders.queue import FairQueue

Start = Callable[[str, int], "asyncio.Task[None]"]


class Builds:
    """Builds that go on until they are let go."""

    def __init__(self, places: int) -> None:
        self.queue = FairQueue(places)
        self.begun: list[str] = []
        self._gates: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def start(self, scope: str, environment: int) -> None:
        self._gates[environment] = asyncio.Event()
        self.tasks[environment] = asyncio.create_task(self._build(scope, environment))
        await settle()

    async def finish(self, environment: int) -> None:
        self._gates[environment].set()
        await self.tasks[environment]
        await settle()

    async def cancel(self, environment: int) -> None:
        self.tasks[environment].cancel()
        await asyncio.gather(self.tasks[environment], return_exceptions=True)
        await settle()

    async def _build(self, scope: str, environment: int) -> None:
        async with self.queue.turn(scope, environment):
            self.begun.append(f"{scope}{environment}")
            await self._gates[environment].wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def builds() -> AsyncIterator[Callable[[int], Builds]]:
    made: list[Builds] = []

    def make(places: int) -> Builds:
        made.append(Builds(places))
        return made[-1]

    yield make
    tasks: list[Awaitable[None]] = []
    for one in made:
        for task in one.tasks.values():
            task.cancel()
            tasks.append(task)
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_at_most_so_many_at_once(builds: Callable[[int], Builds]) -> None:
    some = builds(2)
    for number in range(4):
        await some.start("a", number)
    assert some.begun == ["a0", "a1"]

    await some.finish(0)

    assert some.begun == ["a0", "a1", "a2"]


async def test_one_noisy_repository_does_not_starve_another(builds: Callable[[int], Builds]) -> None:
    some = builds(1)
    for number in range(5):
        await some.start("noisy", number)
    await some.start("quiet", 10)

    await some.finish(0)

    assert some.begun == ["noisy0", "quiet10"]


async def test_a_repository_that_builds_less_comes_first(builds: Callable[[int], Builds]) -> None:
    some = builds(3)
    for scope, number in (("a", 0), ("a", 1), ("b", 2), ("a", 3), ("b", 4)):
        await some.start(scope, number)

    await some.finish(2)

    assert some.begun[-1] == "b4"


async def test_those_that_wait_are_told_their_places(builds: Callable[[int], Builds]) -> None:
    some = builds(1)
    for scope, number in (("a", 0), ("a", 1), ("a", 2), ("b", 3)):
        await some.start(scope, number)

    assert [(one.environment, one.place) for one in some.queue.waiting()] == [(3, 1), (1, 2), (2, 3)]
    for number in (0, 3, 1):
        await some.finish(number)
    assert some.begun == ["a0", "b3", "a1", "a2"]
    assert some.queue.waiting() == ()


async def test_a_cancelled_one_gives_its_turn_away(builds: Callable[[int], Builds]) -> None:
    some = builds(1)
    for number in range(3):
        await some.start("a", number)

    await some.cancel(1)
    await some.cancel(0)

    assert some.begun == ["a0", "a2"]


async def test_one_that_is_cancelled_as_its_turn_comes_does_not_keep_it(builds: Callable[[int], Builds]) -> None:
    some = builds(1)
    for number in range(3):
        await some.start("a", number)
    some._gates[0].set()
    await some.tasks[0]

    await some.cancel(1)

    assert some.begun[-1] == "a2"
