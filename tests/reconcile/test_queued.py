"""A pull request that waits for its build is told its place, and keeps nobody else waiting."""

import asyncio
from dataclasses import replace
from pathlib import Path

from revieee.model.facts import PullRequestFacts
from revieee.model.image import Image
from revieee.model.policy import Policy
from revieee.model.telling import view_of
from revieee.ports import BuildRequest, Write
from revieee.testing.parts import MemoryBuilder
from support.reconciling import COMPOSE, REPOSITORY, commit, facts, plane


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
    """A builder whose queue moves for nobody but one quiet repository, until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.moves = asyncio.Event()

    async def build(self, request: BuildRequest, write: Write) -> Image:
        """Wait, with a place in the queue."""
        if not request.cache_scope.startswith(f"{QUIET} "):
            assert request.queued is not None
            await request.queued(1)
            self.waiting += 1
            await self.moves.wait()
            await request.queued(0)
        return await super().build(request, write)


QUIET = 4


def of(repository: int, number: int) -> PullRequestFacts:
    where = replace(REPOSITORY, id=repository, name=f"acme/repository-{repository}")
    return replace(facts(number), number=number, repository=where, head_repository=repository)


async def test_crowds_that_wait_for_builds_keep_no_other_repository_from_its_turn(tmp_path: Path) -> None:
    builder = Crowded()
    one = plane(tmp_path, builder=builder, policy=Policy(turns=2))
    for repository in (1, 2, 3):
        for number in (1, 2, 3):
            one.wish(of(repository, number))
    working = asyncio.create_task(one.reconciler.settle())
    while builder.waiting < 6:
        await asyncio.sleep(0.005)
        await one.reconciler.claim()
    quiet = one.wish(of(QUIET, 1))
    while one.environment(quiet).live is None:
        await asyncio.sleep(0.005)
        await one.reconciler.claim()
    assert builder.waiting == 6, "no repository has more than its share"
    builder.moves.set()
    await working
    assert one.parts.queued == set()
    one.database.close()


async def test_an_environment_of_which_one_image_is_built_while_another_waits_is_told_of_both(tmp_path: Path) -> None:
    builder = Crowded()
    one = plane(tmp_path, builder=builder, policy=Policy(turns=2))
    two = COMPOSE.replace(b"    image: postgres:16", b"    build: .")
    one.source.commits[commit(1)] = {"compose.yaml": two, "Dockerfile": b"FROM busybox"}
    one.wish(of(1, 1))
    working = asyncio.create_task(one.reconciler.settle())
    while builder.waiting < 2:  # noqa: ASYNC110 -- the builder has no event
        await asyncio.sleep(0.005)
    assert one.parts.queued == {(1, "web"), (1, "db")}
    builder.moves.set()
    await working
    assert one.parts.queued == set()
    one.database.close()
