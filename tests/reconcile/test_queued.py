"""A pull request that waits for its build is told its place."""

from pathlib import Path

from revieee.model.image import Image
from revieee.model.telling import view_of
from revieee.ports import BuildRequest, Write
from revieee.testing.parts import MemoryBuilder
from support.reconciling import facts, plane


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
