"""A pull request that waits for its build is told its place, and keeps nobody else waiting."""

import asyncio
from dataclasses import replace
from pathlib import Path

from revieee.model.image import Image
from revieee.model.policy import Policy
from revieee.model.telling import view_of
from revieee.ports import BuildRequest, Write
from revieee.testing.parts import MemoryBuilder
from support.reconciling import REPOSITORY, facts, plane


class Queueing(MemoryBuilder):
    """A builder with a queue before it."""

    def __init__(self, told: list[str], ask: "list[object]") -> None:
        super().__init__()
        self.told, self.ask = told, ask

    async def build(self, request: BuildRequest, write: Write) -> Image:
        """Tell its place, then that it waits no more."""
        assert request.queued is not None
        for place in (3, 0):
            await request.queued(place)
            self.told.append(self.ask[0]())  # type: ignore[operator] # set below
        return await super().build(request, write)


async def test_it_is_told_its_place_until_its_turn_comes(tmp_path: Path) -> None:
    told: list[str] = []
    ask: list[object] = []
    one = plane(tmp_path, builder=Queueing(told, ask))

    def reason() -> str:
        view = view_of(one.environment(), instance="x", base_url="http://localhost")
        return f"{view.headline} {view.reason}".strip()

    ask.append(reason)
    environment = await one.settle(facts(1))
    assert environment.live is not None
    assert told == [
        "On its way: building. It waits for its turn to be built: number 3 in the queue.",
        "On its way: building.",
    ]
    one.database.close()


class Crowded(MemoryBuilder):
    """A builder whose queue for one repository does not move until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.moves = asyncio.Event()

    async def build(self, request: BuildRequest, write: Write) -> Image:
        """Wait, with a place in the queue."""
        if request.cache_scope.startswith(f"{REPOSITORY.id} "):
            assert request.queued is not None
            await request.queued(1)
            self.waiting += 1
            await self.moves.wait()
            await request.queued(0)
        return await super().build(request, write)


async def test_a_crowd_that_waits_for_builds_keeps_no_other_repository_from_its_turn(tmp_path: Path) -> None:
    builder = Crowded()
    one = plane(tmp_path, builder=builder, policy=Policy(turns=2))
    for number in range(1, 6):
        one.wish(replace(facts(number), number=number))
    working = asyncio.create_task(one.reconciler.settle())
    while builder.waiting < 5:
        await asyncio.sleep(0.005)
        await one.reconciler.claim()
    other = replace(REPOSITORY, id=8, name="acme/blog")
    quiet = one.wish(replace(facts(1), repository=other, head_repository=8))
    await one.reconciler.claim()
    while one.environment(quiet).live is None:
        await asyncio.sleep(0.005)
        await one.reconciler.claim()
    assert builder.waiting == 5
    builder.moves.set()
    await working
    assert one.parts.queued == set()
    one.database.close()
