"""The watch over the bridge of builds: on the real kernel, in namespaces of its own, with an engine that is sick."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from revieee.clients.docker import DockerClient
from revieee.engines.docker.bridged import WATCHED
from revieee.engines.docker.foreign import PATH
from revieee.engines.docker.watch import LOOK, Watch, parted
from revieee.model.policy import EngineOptions
from support.neighbours import Host, Inside, neighbours
from support.played_engine import PlayedEngine, played_engine
from support.waiting import eventually

pytestmark = pytest.mark.slow

BUILD, ONE, OTHER, THIRD = 2, 3, 4, 5


@dataclass
class Watched:
    """A host whose bridge is watched."""

    host: Host
    engine: PlayedEngine
    inside: Inside
    elapsed: float = 0.0
    watch: Watch = field(init=False)
    client: DockerClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = DockerClient(self.engine.address)
        self.begin()

    def begin(self) -> None:
        """Have a process begin that knows nothing yet."""
        options = EngineOptions(instance="demo", host=self.engine.address)
        self.table = parted(options).table
        self.watch = Watch(options, self.client, elapsed=lambda: self.elapsed)

    def later(self) -> list[str] | None:
        """Let it look again, when what it loaded before has lapsed."""
        if "bridge" in self.host.run("nft", "list", "tables"):
            self.host.run("nft", "flush", "set", "bridge", self.table, WATCHED)
        self.elapsed += LOOK + 1
        self.inside.run(self.watch.keep())
        return self.foreign()

    def foreign(self) -> list[str] | None:
        """Give the foreign ports of the table; None where it is not there, or closes nothing."""
        if "bridge" not in self.host.run("nft", "list", "tables") or not self._elements(WATCHED):
            return None
        return sorted(self._elements("foreign"))

    def ports(self, *numbers: int) -> list[str]:
        return [self.host.port(one) for one in numbers]

    def _elements(self, name: str) -> list[str]:
        listed = json.loads(self.host.run("nft", "-j", "list", "set", "bridge", self.table, name))["nftables"]
        (found,) = (one["set"] for one in listed if "set" in one)
        return list(found.get("elem", ()))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with neighbours(BUILD, ONE, OTHER, THIRD) as host:
        yield host


@pytest.fixture
def watched(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Two foreign containers; the engine is given little time."""
    monkeypatch.setattr("revieee.engines.docker.foreign._PATIENCE", 0.5)
    monkeypatch.setattr("revieee.engines.docker.foreign._AGAIN", 0.05)
    with played_engine(tmp_path) as engine, Inside(host) as inside:
        engine.processes |= {"one": host.processes[ONE], "other": host.processes[OTHER]}
        watched = Watched(host, engine, inside)
        yield watched
        inside.run(watched.watch.end())
        inside.run(watched.client.close())


def test_foreign_containers_are_known_and_steps_of_builds_are_none(watched: Watched) -> None:
    assert watched.later() == watched.ports(ONE, OTHER)
    del watched.engine.processes["one"]
    assert watched.later() == watched.ports(OTHER)
    watched.engine.processes |= {"gone": 0, "ended": 2**22 - 1}
    assert watched.later() == watched.ports(OTHER)


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_container_that_the_engine_does_not_tell_of_stays_what_it_was(watched: Watched, how: str) -> None:
    assert watched.later() == watched.ports(ONE, OTHER)
    getattr(watched.engine, how).add("one")
    assert watched.later() == watched.ports(ONE, OTHER), "and the table is renewed"
    watched.engine.processes["third"] = watched.host.processes[THIRD]
    assert watched.later() == watched.ports(ONE, OTHER, THIRD)
    getattr(watched.engine, how).add("third")
    assert watched.later() == watched.ports(ONE, OTHER, THIRD)


def test_one_that_came_since_is_mute_until_the_engine_tells_of_it(watched: Watched) -> None:
    watched.engine.refuses.add("one")
    assert watched.later() == watched.ports(OTHER)
    watched.engine.refuses.clear()
    assert watched.later() == watched.ports(ONE, OTHER)


def test_nor_does_another_process_of_ours_forget_it(watched: Watched) -> None:
    assert watched.later() == watched.ports(ONE, OTHER)
    watched.engine.refuses.add("one")
    watched.begin()
    assert watched.later() == watched.ports(ONE, OTHER)


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_an_engine_that_says_nothing_lets_all_stay_as_it_was(
    watched: Watched, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert watched.later() == watched.ports(ONE, OTHER)
    getattr(watched.engine, how).add("json")
    assert watched.later() == watched.ports(ONE, OTHER)
    assert "who is on docker0 cannot be told" in caplog.text
    assert watched.engine.lists() == 2
    watched.inside.run(watched.watch.keep())
    assert watched.engine.lists() == 2, "it is asked once in ten seconds, however it is"


@pytest.mark.parametrize("words", ["exit 1", "echo no list", "echo '[{}'"])
def test_a_host_that_says_nothing_is_not_one_where_nobody_is(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    assert watched.later() == watched.ports(ONE, OTHER)
    (tmp_path / "ip").write_text(f"#!/bin/sh\n{words}\n")
    (tmp_path / "ip").chmod(0o755)
    monkeypatch.setattr("revieee.engines.docker.foreign.PATH", f"{tmp_path}:{PATH}")
    assert watched.later() == watched.ports(ONE, OTHER)


def test_what_was_never_known_is_not_loaded_and_is_as_soon_as_it_is(watched: Watched) -> None:
    watched.engine.refuses.add("json")
    assert watched.later() is None
    watched.engine.refuses.clear()
    assert watched.later() == watched.ports(ONE, OTHER)


def test_nothing_that_the_engine_tells_ends_the_following(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.inside.run(watched.watch.open())
    assert eventually(lambda: watched.foreign() == watched.ports(ONE, OTHER))
    watched.engine.odd.add("one")
    watched.engine.starts("third", watched.host.processes[THIRD])
    assert eventually(lambda: "who is on docker0 cannot be told" in caplog.text)
    watched.engine.odd.clear()
    watched.engine.events.put({"Actor": "an odd one"})
    assert eventually(lambda: "cannot be read" in caplog.text)
    watched.engine.starts("third", watched.host.processes[THIRD])
    assert eventually(lambda: watched.foreign() == watched.ports(ONE, OTHER, THIRD))


def test_what_starts_during_a_look_is_seen_by_one_more(watched: Watched) -> None:
    watched.inside.run(watched.watch.open())
    assert eventually(lambda: watched.engine.lists() == 2), "once opened, and once the engine tells"
    watched.engine.free.clear()
    watched.engine.starts("third", watched.host.processes[THIRD])
    assert eventually(lambda: watched.engine.lists() == 3)
    for _ in range(6):
        watched.engine.starts("third", watched.host.processes[THIRD])
    watched.engine.free.set()
    assert not eventually(lambda: watched.engine.lists() > 4, timeout=1)
    assert watched.foreign() == watched.ports(ONE, OTHER, THIRD)
