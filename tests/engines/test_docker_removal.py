"""A removal that something on the host obstructs: tried with growing pauses, and told what it is."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.clients.docker import DockerAnswered, DockerClient, Json
from revieee.engines.docker import removal
from revieee.engines.docker.engine import DockerEngine
from revieee.model.policy import EngineOptions
from revieee.model.telling import view_of
from revieee.reconcile.loop import Reconciler
from revieee.store import releases
from support.reconciling import facts, plane

NETWORK = {"Id": "n1", "Name": "rv-0123abcd-1"}
FOREIGN = {"Id": "c9", "Names": ["/backup"]}


class Obstructed(DockerClient):
    """An engine with one network left, on which somebody else's container is."""

    def __init__(self, trouble: str) -> None:
        super().__init__("unix:///nowhere")
        self.trouble, self.free = trouble, False

    async def call(self, method: str, *path: str, query: Mapping[str, Json] | None = None, **_: object) -> Json:
        """Answer as Docker does."""
        await asyncio.sleep(0)
        filters = (query or {}).get("filters")
        if method == "DELETE" and not self.free:
            raise DockerAnswered(500, self.trouble) if self.trouble else DockerAnswered(403, "has active endpoints")
        if path[0] == "images" and path[1] != "json":
            raise DockerAnswered(404, "no such image")
        if path[0] == "networks":
            return [] if self.free else [NETWORK]
        if path[0] == "volumes":
            return {"Volumes": None}
        return [FOREIGN] if path[0] == "containers" and filters == {"network": ["n1"]} else []


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("", "Docker cannot remove the network rv-0123abcd-1, which the container backup uses."),
        ("device or resource busy", "The Docker engine could not remove the environment: device or resource busy"),
    ],
    ids=["in use", "an error"],
)
async def test_a_removal_that_is_obstructed_has_growing_pauses_and_says_by_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, words: str
) -> None:
    monkeypatch.setattr(removal, "_PAUSE", 0.0)
    control = plane(tmp_path)
    await control.settle(facts(1))
    client = Obstructed(trouble)
    engine = DockerEngine(EngineOptions(instance=control.parts.instance, walls=False), client)
    reconciler = Reconciler(replace(control.parts, engine=engine))
    control.wish(facts(1, minute=1, open=False))
    pauses = []
    for _ in range(10):
        await reconciler.settle()
        due = control.database.run_here(lambda session: releases.due_at(session, 1))
        assert due is not None
        pauses.append(round(due - control.clock.time))
        control.clock.time = due
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert words in view_of(control.environment(), instance="x", base_url="http://localhost").reason

    client.free = True
    await reconciler.settle()
    assert not control.environment().placed
    control.database.close()
