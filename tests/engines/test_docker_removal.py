"""A removal that something on the host obstructs: tried with growing pauses, and told what it is."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.clients.docker import DockerAnswered, DockerClient, Json
from revieee.engines.docker import removal
from revieee.engines.docker.engine import DockerEngine
from revieee.model.policy import EngineOptions
from revieee.model.telling import view_of
from revieee.ports import Placement
from revieee.reconcile.loop import Reconciler
from revieee.store import releases
from support.reconciling import facts, plane

NETWORK = {"Id": "n1", "Name": "rv-0123abcd-1"}
FOREIGN = {"Id": "c9", "Names": ["/backup"]}


class Obstructed(DockerClient):
    """An engine with one network left, on which somebody else's container is."""

    def __init__(self, trouble: str, users: Sequence[Json] = (FOREIGN,)) -> None:
        super().__init__("unix:///nowhere")
        self.trouble, self.users, self.free = trouble, users, False

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
        return list(self.users) if path[0] == "containers" and filters == {"network": ["n1"]} else []


class Emptying(Obstructed):
    """An engine with two containers on a network of ours; it notes what it is asked, in its order."""

    def __init__(self) -> None:
        super().__init__("")
        self.asked: list[str] = []
        self.there = {"c1", "c2"}
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """How many orders there were at once, by their kind."""

    async def call(self, method: str, *path: str, query: Mapping[str, Json] | None = None, **more: object) -> Json:
        """Answer as Docker does."""
        order = f"{method} {path[0]}"
        self.asked.append(order)
        self.under_way[order] += 1
        self.most |= self.under_way
        await asyncio.sleep(0)
        self.under_way[order] -= 1
        if order == "GET containers":
            return [{"Id": one, "Names": ["/web"], "State": "running", "Labels": {}} for one in sorted(self.there)]
        if method == "DELETE":
            self.there -= {*path}
            self.free = path[0] == "networks"
        return None if method in {"DELETE", "POST"} else await super().call(method, *path, query=query, **more)


async def test_a_network_is_removed_once_no_container_is_seen_on_it() -> None:
    client = Emptying()
    placement = Placement(instance="x", environment=1, incarnation=1, name="acme/shop#1")
    await removal.remove_all(client, placement, 0)
    assert client.asked.count("DELETE containers") == 2
    ended, removed = (client.asked.index(f"DELETE {kind}") for kind in ("containers", "networks"))
    assert "GET containers" in client.asked[ended:removed]


async def test_two_containers_of_an_environment_that_goes_are_not_stopped_in_the_same_instant() -> None:
    client = Emptying()
    await removal.remove_all(client, Placement(instance="x", environment=1, incarnation=1, name="acme/shop#1"), 1)
    assert (client.most["POST containers"], client.most["DELETE containers"]) == (1, 1)


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (Obstructed(""), "Docker cannot remove the network rv-0123abcd-1, which the container backup uses."),
        (
            Obstructed("", users=()),
            "rv-0123abcd-1, which no container uses (Docker counts one all the same, until it is started anew).",
        ),
        (
            Obstructed("device or resource busy"),
            "The Docker engine could not remove the environment: device or resource busy",
        ),
    ],
    ids=["in use", "counted wrong", "an error"],
)
async def test_a_removal_that_is_obstructed_has_growing_pauses_and_says_by_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Obstructed, words: str
) -> None:
    monkeypatch.setattr(removal, "_PAUSE", 0.0)
    control = plane(tmp_path)
    await control.settle(facts(1))
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
