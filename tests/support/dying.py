"""`revieee serve` that ends itself with SIGKILL at each thing it does for the first time, and is started again.

    python dying.py JOURNAL
    python dying.py JOURNAL ENGINE      ends the engine in its stead: the process whose number is in this file

Nothing is listed here: a *death* is an act of the lifecycle and a call of a port, of the store, of Docker or of GitHub,
found by wrapping whatever is wired up. It dies when an act is decided on, in the middle of a call that takes long, and
after a call before it hears of the answer. The journal remembers every death, so each is died once, in whatever order
they come. What starts it again, as a service manager would, is this script: it has everything imported, and forks.
"""

import asyncio
import contextvars
import ctypes
import dataclasses
import functools
import inspect
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from revieee.builders.buildkit import BuildKitBuilder
from revieee.cli import serve
from revieee.clients.docker import DockerClient
from revieee.clients.github_session import Session
from revieee.model import lifecycle
from revieee.model.environment import Environment
from revieee.model.lifecycle import Act
from revieee.ports import BuildRequest, Write
from revieee.reconcile import turn
from revieee.reporters.github import GitHubReporter
from revieee.wiring import ControlPlane, wire

DECIDED, AMID, AFTER = "decided", "amid", "after"
BESIDE = "beside"
"""Stands for the act where something is done outside of turns: deliveries, reports, the tick."""

_Whatever: TypeAlias = Any  # wrapped without being looked at
_LONG = 0.03
"""Seconds after which a call is in its middle."""
_STORE = "store "
_NEVER = 3600.0
"""A transaction has no middle: it happened, or it did not."""
_SET_PDEATHSIG = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_ACT: contextvars.ContextVar[str] = contextvars.ContextVar("act", default=BESIDE)


@dataclass(frozen=True, slots=True)
class Death:
    """Where a process died."""

    act: str
    call: str
    when: str


class Journal:
    """All deaths so far, and the images that builds gave, in a folder that outlives every process."""

    def __init__(self, folder: Path) -> None:
        self._deaths, self._images = folder / "deaths", folder / "images"

    def deaths(self) -> list[Death]:
        return [Death(*line.split("\t")) for line in _lines(self._deaths)]

    def add(self, death: Death) -> None:
        with self._deaths.open("a") as file:
            file.write("\t".join(dataclasses.astuple(death)) + "\n")

    def images(self) -> dict[str, set[str]]:
        """The ids that the builder gave, by the commit's tag."""
        found: dict[str, set[str]] = {}
        for tag, id_ in (line.split("\t") for line in _lines(self._images)):
            found.setdefault(tag, set()).add(id_)
        return found

    def built(self, tag: str, id_: str) -> None:
        with self._images.open("a") as file:
            file.write(f"{tag}\t{id_}\n")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


class _Fate:
    """Ends this process at the first death that the journal does not know yet."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._died = set(journal.deaths())

    def reach(self, act: str, call: str, when: str) -> None:
        death = Death(act, call, when)
        if death not in self._died and self.falls(death):
            self._died.add(death)
            self._journal.add(death)
            self.strike(death)

    def falls(self, death: Death) -> bool:
        """Whether this is one to die of."""
        del death
        return True

    def strike(self, death: Death) -> None:
        """End the process."""
        del death
        os.kill(os.getpid(), signal.SIGKILL)

    def decide(self, environment: Environment) -> Act:
        act = lifecycle.next_act(environment)
        _ACT.set(act.value)
        self.reach(act.value, "", DECIDED)
        return act

    async def outlive(self, call: str, work: _Whatever) -> _Whatever:
        act, long = _ACT.get(), _NEVER if call.startswith(_STORE) else _LONG
        middle = asyncio.get_running_loop().call_later(long, self.reach, act, call, AMID)
        try:
            result = await work
        finally:
            middle.cancel()
        self.reach(act, call, AFTER)
        return result

    def wrap(self, owner: type, method: str, name: str) -> None:
        """Make a method a thing to die of; reading Docker or GitHub is none."""
        real = getattr(owner, method)

        @functools.wraps(real)
        async def wrapped(itself: _Whatever, *args: _Whatever, **named: _Whatever) -> _Whatever:
            call = _said(f"{name}.{method}", args)
            work = real(itself, *args, **named)
            return await (self.outlive(call, work) if call else work)

        setattr(owner, method, wrapped)

    def wrap_port(self, port: object, name: str) -> None:
        owner = type(port)
        for method in dir(owner):
            if not method.startswith("_") and inspect.iscoroutinefunction(getattr(owner, method)):
                self.wrap(owner, method, name)


class _EnginesFate(_Fate):
    """Ends the engine: at once when an act is decided on, and in order in the first thing that the act does there.

    Args:
        journal: of what it died of.
        file: holds its process's number while it answers; whoever starts it again writes it anew.
    """

    def __init__(self, journal: Journal, file: Path) -> None:
        super().__init__(journal)
        self._file = file

    def falls(self, death: Death) -> bool:
        begun = any(one.act == death.act and one.when != DECIDED for one in self._died)
        there = death.call.startswith(("docker ", "builder.")) and death.act != BESIDE and not begun
        return (death.when == DECIDED or there) and self._file.exists()

    def strike(self, death: Death) -> None:
        pid = int(self._file.read_text())
        self._file.unlink()
        os.kill(pid, signal.SIGKILL if death.when == DECIDED else signal.SIGTERM)


def _said(name: str, args: tuple[_Whatever, ...]) -> str:
    """Name a call by what it does, not by what it does it to; nothing for one that only reads."""
    if name == "docker.call":
        method, kind, *rest = args
        return "" if method == "GET" else " ".join(["docker", method, kind, *(rest[-1:] if method != "DELETE" else ())])
    if name == "github.send":
        return f"github {args[0]} {re.sub(r'[0-9a-f]{40}|[0-9]+', 'N', args[1])}"
    if name.startswith("database."):
        work = args[0].func if isinstance(args[0], functools.partial) else args[0]
        place = f"{work.__module__}:{work.__code__.co_firstlineno}"  # a function may have many lambdas
        return "" if name == "database.read" else f"{_STORE}{place} {work.__qualname__}"
    return name


def _arm(journal: Journal, engine: Path | None) -> None:
    """Wrap all that a control plane is wired with, before it begins."""
    fate, build = _EnginesFate(journal, engine) if engine else _Fate(journal), BuildKitBuilder.build

    async def noted(itself: BuildKitBuilder, request: BuildRequest, write: Write) -> _Whatever:
        image = await build(itself, request, write)
        journal.built(request.tags[-1], image.id)
        return image

    def wired(*args: _Whatever) -> ControlPlane:
        plane = wire(*args)
        for field in dataclasses.fields(plane.parts):
            if field.name not in {"clock", "bell"}:  # they change nothing outside
                fate.wrap_port(getattr(plane.parts, field.name), field.name)
        return plane

    _put(BuildKitBuilder, "build", noted)
    _put(serve, "wire", wired)
    _put(turn, "next_act", fate.decide)
    fate.wrap(GitHubReporter, "report", "reporter")
    fate.wrap(Session, "send", "github")
    fate.wrap(DockerClient, "call", "docker")


def _put(where: object, name: str, what: object) -> None:
    setattr(where, name, what)  # this process is forked for one life


def _live(journal: Journal, engine: Path | None) -> None:
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    _arm(journal, engine)
    serve.serve.main(args=[], prog_name="revieee serve")


def _again_and_again(journal: Journal, engine: Path | None) -> int:
    """Start it whenever it was killed; gives the exit code with which it ended otherwise."""
    signals = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    stopping = False
    while True:
        pid = os.fork()
        if not pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            _live(journal, engine)
        while signal.sigwait(signals) == signal.SIGTERM:
            stopping = True
            os.kill(pid, signal.SIGTERM)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if stopping or code != -signal.SIGKILL:
            return abs(code)


if __name__ == "__main__":
    sys.exit(_again_and_again(Journal(Path(sys.argv[1])), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
