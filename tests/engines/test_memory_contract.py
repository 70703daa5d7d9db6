from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from revieee.engines.memory import Behaviour, MemoryEngine, World
from revieee.model.stack import Service
from revieee.ports import Engine
from revieee.testing.engines import EngineContract, Lab, Role

PLAYED = {
    Role.SERVES: Behaviour(log="started\n"),
    Role.RUNS: Behaviour(log="started\n"),
    Role.COMPLETES: Behaviour(log="started\n", exits=0),
    Role.FAILS: Behaviour(log="started\n", exits=3),
    Role.DEAF: Behaviour(log="started\n", healthy_after=None, words="nothing listens on port 8080"),
}


class MemoryLab(Lab):
    def __init__(self, instance: str, path: str) -> None:
        self.path = path
        world = World(path)
        for role, behaviour in PLAYED.items():
            world.script(f"played/{role}", behaviour)
            world.script(f"play {role}", behaviour)
        world.script("localhost:1/no/such-image:1", Behaviour(pullable=False))
        world.close()
        super().__init__(instance)

    def open(self, instance: str) -> Engine:  # noqa: ARG002 - an instance is but a word in its rows
        return MemoryEngine(World(self.path), owns_world=True)

    def play(self, name: str, role: Role) -> Service:
        return Service(name=name, image=f"played/{role}")

    def command(self, role: Role) -> tuple[str, ...]:
        return ("play", role)


class TestMemory(EngineContract):
    @pytest.fixture
    async def lab(self, tmp_path: Path) -> AsyncIterator[Lab]:
        lab = MemoryLab("contract", str(tmp_path / "world"))
        yield lab
        await lab.close()
