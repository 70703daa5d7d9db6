"""What an engine in memory holds: containers, networks, volumes, images, and what tests want them to do.

It stands in for the daemon, so it outlives the control plane: within a process as an object that is handed on, across
processes as an SQLite file. A process killed at any instant loses nothing that was done.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from revieee.ports import Placement

Row: TypeAlias = Mapping[str, Any]  # what SQLite gives

_TABLES = """
CREATE TABLE IF NOT EXISTS containers (
    name TEXT PRIMARY KEY, instance TEXT NOT NULL, environment INTEGER NOT NULL, key TEXT NOT NULL,
    service TEXT NOT NULL, release TEXT NOT NULL, image TEXT NOT NULL, script TEXT NOT NULL, address TEXT,
    status TEXT NOT NULL, stopped INTEGER NOT NULL DEFAULT 0, exposed INTEGER NOT NULL, started REAL NOT NULL DEFAULT 0,
    exit_code INTEGER, log TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS containers_of ON containers (instance, environment);
CREATE TABLE IF NOT EXISTS things (
    kind TEXT NOT NULL, name TEXT NOT NULL, instance TEXT NOT NULL, environment INTEGER NOT NULL,
    key TEXT NOT NULL DEFAULT '', reference TEXT NOT NULL DEFAULT '', PRIMARY KEY (kind, name));
CREATE INDEX IF NOT EXISTS things_of ON things (instance, environment);
CREATE TABLE IF NOT EXISTS behaviours (script TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, method TEXT NOT NULL, value TEXT NOT NULL, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS acts (
    id INTEGER PRIMARY KEY, act TEXT NOT NULL, instance TEXT NOT NULL, environment INTEGER NOT NULL, key TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container does once it is started. Times in seconds since then."""

    healthy_after: float | None = 0.0
    """None: never."""
    exits: int | None = None
    """The exit code it ends with; None: it runs on."""
    exits_after: float = 0.0
    log: str = ""
    words: str = ""
    """Why it is not healthy, while it is not."""
    pullable: bool = True
    """Whether there is such an image at all."""
    ports: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    endpoint: tuple[str, int] | None = None
    """Where it really answers: the address of a server of the test's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a method of the engine does instead of working."""

    error: str = "later"
    """``later`` (RetryLater) or ``fault`` (Fault)."""
    after: bool = False
    """Whether the work was done all the same: an answer that got lost."""
    delay: float = 0.0
    """Seconds before it."""
    words: str = "The engine does not answer."


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done once."""

    act: str
    """create, start, stop, remove, prepare or run."""
    environment: int
    key: str


class World:
    """One engine's state.

    Args:
        path: of the SQLite file; empty keeps it in this process.
        now: the clock, in Unix seconds.
    """

    def __init__(self, path: str = "", *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.free: int | None = None
        """Bytes that are free on its disk; None: it has none."""
        self.started: float | None = None
        """When its engine was last started (Unix time, seconds); None: long ago."""
        self.usage: dict[int, int] = {}
        """Bytes that environments have written, by id."""
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=10)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")  # the processes die here, not the machine
        self._database.executescript(_TABLES)

    def script(self, name: str, behaviour: Behaviour) -> None:
        """Say what containers of an image do (by its reference), or a hook (by its command, joined by spaces)."""
        value = json.dumps(asdict(behaviour))
        self.write("INSERT OR REPLACE INTO behaviours VALUES (?, ?)", name, value)

    def behaviour(self, name: str) -> Behaviour | None:
        """Give what was said."""
        for row in self.read("SELECT value FROM behaviours WHERE script = ?", name):
            value = json.loads(row["value"])
            for field in ("ports", "volumes", "endpoint"):
                value[field] = None if value[field] is None else tuple(value[field])
            return Behaviour(**value)
        return None

    def fail(self, method: str, fault: Fault | None = None, *, times: int = 1) -> None:
        """Make the next calls of a method of the engine fail; ``*`` is every method."""
        value = json.dumps(asdict(fault or Fault()))
        self.write("INSERT INTO faults (method, value, times) VALUES (?, ?, ?)", method, value, times)

    def mend(self) -> None:
        """Let nothing fail any more."""
        self.write("DELETE FROM faults")

    def take_fault(self, method: str) -> Fault | None:
        """Give the fault that this call meets, which is one less from now on."""
        with self.transaction():
            query = "SELECT id, value FROM faults WHERE method IN (?, '*') AND times > 0 ORDER BY id LIMIT 1"
            for row in self.read(query, method):
                self.write("UPDATE faults SET times = times - 1 WHERE id = ?", row["id"])
                return Fault(**json.loads(row["value"]))
        return None

    def add_image(self, instance: str, environment: int, image_id: str, reference: str = "") -> None:
        """Put an image there, as a builder does: with an environment's labels. Environment 0 is nobody's."""
        query = "INSERT OR REPLACE INTO things (kind, name, instance, environment, reference) VALUES (?, ?, ?, ?, ?)"
        self.write(query, "image", image_id, instance, environment, reference)

    def has_image(self, image_id: str) -> bool:
        """Tell whether an image is there, whoever's."""
        return bool(self.read("SELECT 1 FROM things WHERE kind = 'image' AND name = ?", image_id))

    def lose_image(self, image_id: str) -> None:
        """Take an image away behind our back, as ``docker rmi -f`` does."""
        self.write("DELETE FROM things WHERE kind = 'image' AND name = ?", image_id)

    def end(self, environment: int, key: str, exit_code: int = 137) -> None:
        """End a container from outside, as ``docker kill`` does."""
        query = "UPDATE containers SET status = 'exited', exit_code = ? WHERE environment = ? AND key = ?"
        self.write(query, exit_code, environment, key)
        self.note("die", "", environment, key)

    def restart(self) -> None:
        """End everything that runs, as a restart of the engine does: nothing is wrong with it.

        What had ended before that, and nobody looked since, ended by itself.
        """
        self.started = self.now()
        for row in self.read("SELECT * FROM containers WHERE status = 'running'"):
            usual = self.behaviour(row["script"])
            if usual is not None and usual.exits is not None and self.now() - row["started"] >= usual.exits_after:
                query = "UPDATE containers SET status = 'exited', exit_code = ? WHERE name = ?"
                self.write(query, usual.exits, row["name"])
        self.write("UPDATE containers SET status = 'exited', stopped = 1 WHERE status = 'running'")

    def lose(self, environment: int, key: str) -> None:
        """Take a container away behind our back, as ``docker rm -f`` does."""
        self.write("DELETE FROM containers WHERE environment = ? AND key = ?", environment, key)
        self.note("die", "", environment, key)

    def prune(self, environment: int, kinds: Collection[str]) -> None:
        """Take an environment's services away behind our back, and then its networks, volumes or images."""
        mine = "SELECT key FROM containers WHERE environment = ? AND key NOT LIKE 'hook-%' ORDER BY name"
        for row in self.read(mine, environment):
            self.lose(environment, row["key"])
        for kind in kinds:
            self.write("DELETE FROM things WHERE environment = ? AND kind = ?", environment, kind)

    def acts(self, act: str = "") -> Sequence[Act]:
        """Tell all that was done, in its order; of one kind where ``act`` is given."""
        query = "SELECT act, environment, key FROM acts WHERE ? IN ('', act) ORDER BY id"
        return [Act(row["act"], row["environment"], row["key"]) for row in self.read(query, act)]

    def note(self, act: str, instance: str, environment: int, key: str = "") -> None:
        """Write down that something was done."""
        query = "INSERT INTO acts (act, instance, environment, key) VALUES (?, ?, ?, ?)"
        self.write(query, act, instance, environment, key)

    def read(self, query: str, *values: object) -> Sequence[Row]:
        """Ask."""
        return self._database.execute(query, values).fetchall()

    def write(self, query: str, *values: object) -> int:
        """Change, and give how many rows did."""
        return self._database.execute(query, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, alone among processes; inside another one it is part of that."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def newer(row: Row, placement: Placement) -> bool:
    """Whether it is of a later incarnation, of which who comes late removes nothing."""
    return bool(placement.incarnation) and incarnation_of(row) > placement.incarnation


def incarnation_of(row: Row) -> int:
    """Give the incarnation that a thing's name holds; 0 where it holds none, as an image's."""
    written, _, rest = str(row["name"]).partition("/")[2].partition("/")[2].partition("/")
    return int(written) if rest and written.isdecimal() else 0
