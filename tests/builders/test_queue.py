import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from revieee.builders.queue import FairQueue
from revieee.builders.slots import Slots
from revieee.clients.lock import SILENCE

Start = Callable[[str, int], "asyncio.Task[None]"]


class Builds:
    """Builds that go on until they are let go."""

    def __init__(self, places: int, folder: Path | None = None) -> None:
        self.queue = FairQueue(places, Slots(folder, places) if folder else None)
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
async def builds() -> AsyncIterator[Callable[..., Builds]]:
    made: list[Builds] = []

    def make(places: int, folder: Path | None = None) -> Builds:
        made.append(Builds(places, folder))
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


async def begins(builds: Builds, count: int) -> None:
    """Wait until so many builds have begun: places of another process are asked for again and again."""
    async with asyncio.timeout(30):
        while len(builds.begun) < count:  # noqa: ASYNC110 -- the other process gives no event
            await asyncio.sleep(0.01)


async def test_processes_share_the_places(builds: Callable[..., Builds], tmp_path: Path) -> None:
    one, two = builds(2, tmp_path), builds(2, tmp_path)
    await one.start("noisy", 1)
    await two.start("noisy", 2)
    await one.start("noisy", 3)
    await two.start("quiet", 4)
    assert (one.begun, two.begun) == (["noisy1"], ["noisy2"])
    await one.finish(1)
    await begins(two, 2)
    assert (one.begun, two.begun) == (["noisy1"], ["noisy2", "quiet4"]), "the quiet one of the other process is next"
    await two.finish(2)
    await begins(one, 2)
    assert one.begun == ["noisy1", "noisy3"]


async def test_a_cancelled_build_gives_its_place_to_the_other_process(
    builds: Callable[..., Builds], tmp_path: Path
) -> None:
    one, two = builds(1, tmp_path), builds(1, tmp_path)
    await one.start("a", 1)
    await two.start("b", 2)
    await two.start("c", 3)
    await two.cancel(2)
    await one.cancel(1)
    await begins(two, 1)
    assert two.begun == ["c3"]


def test_the_places_of_a_hung_process_are_given_away(tmp_path: Path) -> None:
    now = [0.0]
    hung, other = Slots(tmp_path, 1), Slots(tmp_path, 1, elapsed=lambda: now[0])
    slot = hung.take("a")
    assert slot is not None
    assert other.take("b") is None
    assert other.elsewhere() == {"a": 1}
    now[0] = SILENCE + 1
    mine = other.take("b")
    assert mine is not None
    hung.free(slot)
    assert hung.take("c") is None
    assert hung.elsewhere() == {"b": 1}
    other.free(mine)
    again = hung.take("c")
    assert again is not None
    hung.free(again)


async def test_who_waits_long_is_told_its_place_now_and_then_and_when_its_turn_has_come(
    builds: Callable[..., Builds], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("revieee.builders.queue._SOON", 0.0)
    one, told = builds(1), list[int]()

    async def queued(place: int) -> None:
        told.append(place)

    for environment in range(1, 10):
        await one.start("a", environment)

    async def last() -> None:
        async with one.queue.turn("a", 10, queued):
            told.append(-1)

    task = asyncio.create_task(last())
    await asyncio.sleep(0.01)
    assert told == [9]
    for environment in range(1, 10):
        await one.finish(environment)
    await task
    assert told == [9, 4, 2, 1, 0, -1]


async def test_a_short_wait_is_not_worth_a_word(builds: Callable[..., Builds]) -> None:
    one, told = builds(1), list[int]()

    async def queued(place: int) -> None:
        told.append(place)

    await one.start("a", 1)

    async def second() -> None:
        async with one.queue.turn("a", 2, queued):
            pass

    task = asyncio.create_task(second())
    await settle()
    await one.finish(1)
    await task
    assert told == []
