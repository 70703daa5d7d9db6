"""Killing a control plane for real, after each single thing that it does to the world outside, and starting it again.

A scenario is played in stages. For each stage it is first counted what the process does outside: every change of the
store, every single thing done by the engine, every change of the router, of the images, of the comments. Then for each
of these a process is forked that ends itself with SIGKILL right after it, and another one that finds what was left
behind and must come to the same. What was left behind after one act is what is there before the next, so this is both.
"""

import asyncio
import gc
import json
import os
import pickle
import shutil
import signal
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import event

from revieee.model import lifecycle
from revieee.model.environment import Environment
from revieee.model.facts import PullRequestFacts
from revieee.model.lifecycle import Act
from revieee.reconcile import turn
from support.invariants import when_calm
from support.mortal import Fate, LooseWorld
from support.outside import Outside, Process, outside
from support.settling import calm
from support.virtual import START, HereDatabase, VirtualLoop, play

_KEPT = {
    "source": ("commits",),
    "builder": ("built", "asked", "ended"),
    "router": ("routes", "versions"),
    "reporter": ("comments", "made"),
}
"""What of the stand-ins outlives a process, as nginx, BuildKit's cache and GitHub do."""
_REPORT = "report.json"
_DECIDES = "next_act"
"""The name under which a turn asks what is to be done."""
_DIED = "died"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Something that GitHub says, some seconds after the stage began."""

    facts: PullRequestFacts
    after: float = 0.0
    files: Mapping[str, bytes] | None = None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of the scenario."""

    name: str
    wishes: tuple[Wish, ...]
    exact: bool = True
    """Whether hooks run as often when a crash comes between; not where two wishes race."""


@dataclass(kw_only=True)
class Report:
    """What one process saw."""

    wrong: list[str] = field(default_factory=list)
    outward: list[str] = field(default_factory=list)
    """What it did outside, in its order."""
    acts: list[str] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    hooks: dict[str, int] = field(default_factory=dict)
    """Runs by kind of hook."""
    built: int = 0
    live: str | None = None


class _Counting(Fate):
    """Counts what changes outside, and ends the process after a given one."""

    def __init__(self, around: Outside, kill_after: int | None) -> None:
        self.outward: list[str] = []
        self._around, self._kill_after = around, kill_after
        assert isinstance(around.world, LooseWorld)
        self._world = around.world
        self._store = sqlite3.connect(around.folder / "store.db")
        self._version, self._state = self._data_version(), save(around)

    async def after(self, act: str) -> None:
        self._world.decide()
        version = self._data_version()
        if version != self._version:
            self._version = version
            self._count(act)
        state = save(self._around, self._state)
        if state != self._state:
            self._state = state
            self._count(act)

    def written(self) -> None:
        self._count("engine")

    def _count(self, act: str) -> None:
        self.outward.append(act)
        if len(self.outward) == self._kill_after:
            (self._around.folder / _DIED).write_text(repr(self._around.loop.unix()))
            os.kill(os.getpid(), signal.SIGKILL)

    def _data_version(self) -> int:
        return int(self._store.execute("PRAGMA data_version").fetchone()[0])


def save(around: Outside, before: bytes = b"") -> bytes:
    """Write down the stand-ins' state, if it is another one than before."""
    parts = {name: {key: getattr(getattr(around, name), key) for key in keys} for name, keys in _KEPT.items()}
    state = pickle.dumps(parts)
    if state != before:
        new = around.folder / "outside.new"
        new.write_bytes(state)
        new.replace(around.folder / "outside")
    return state


class _Store(HereDatabase):
    """One store for all processes that are forked: statements are compiled once, and files looked for when needed."""

    def __init__(self) -> None:
        super().__init__("sqlite:////nowhere")
        self._folder = Path()
        event.listen(self._engine, "do_connect", self._connect)

    def _connect(self, _dialect: object, _record: object, arguments: list[str], _named: object) -> None:
        arguments[0] = str(self._folder / "store.db")

    def use(self, folder: Path) -> None:
        self._engine.dispose(close=False)  # a connection of the process that we were forked from is not ours
        self._folder = folder
        if not (folder / "store.db").exists():
            self.open()


_STORE = _Store()


def _open(folder: Path, loop: VirtualLoop) -> Outside:
    database = _STORE
    database.use(folder)
    around = outside(folder, loop, database, LooseWorld(str(folder / "world"), now=loop.unix))
    if (folder / "outside").exists():
        for name, values in pickle.loads((folder / "outside").read_bytes()).items():  # noqa: S301 -- our own
            for key, value in values.items():
                setattr(getattr(around, name), key, value)
    return around


async def _stage(loop: VirtualLoop, folder: Path, stage: Stage, kill_after: int | None) -> Report:
    """Run a fresh process on what is in the folder, until it is calm or dead."""
    around, report = _open(folder, loop), Report()
    _watch_acts(report)
    for wish in stage.wishes:
        around.source.commits.setdefault(wish.facts.head_commit, wish.files or {})
    around.hear(stage.wishes[0].facts)
    fate = _Counting(around, kill_after)
    process = Process(around, fate)
    process.start()
    for wish in stage.wishes[1:]:
        await asyncio.sleep(wish.after)
        around.hear(wish.facts)
        process.bell.hint()
    if not await calm(around):
        report.wrong.append("it never calms down")
    last = stage.wishes[-1].facts
    report.wrong += await when_calm(around, {last.number: last})
    if process.ended:
        report.wrong.append("a task of the process ended")
    await process.stop()
    report.outward = fate.outward
    report.hooks = Counter(act.key.split("-")[1] for act in around.world.acts("run"))
    report.built = around.builder.ended
    live = next(iter(around.everything().values())).live
    report.live = live.commit if live else None
    save(around)
    return report


def _watch_acts(report: Report) -> None:
    def watched(environment: Environment) -> Act:
        act = lifecycle.next_act(environment)
        report.acts += [] if act.value in report.acts else [act.value]
        report.phases += [one.phase.value for one in environment.releases if one.phase.value not in report.phases]
        return act

    setattr(turn, _DECIDES, watched)  # this process is forked for one stage


def play_stage(folder: Path, stage: Stage, *, start: float, kill_after: int | None = None) -> Report | None:
    """Play a stage in a process of its own; None when it was killed."""

    def child() -> None:
        gc.disable()  # it does not live long
        report = play(lambda loop: _stage(loop, folder, stage, kill_after), start=start)
        (folder / _REPORT).write_text(json.dumps(report.__dict__))

    status = os.waitstatus_to_exitcode(os.waitpid(fork(child, folder / "error"), 0)[1])
    if status == -signal.SIGKILL:
        return None
    if status:
        return Report(wrong=[f"the process ended with {status}: {(folder / 'error').read_text()}"])
    return Report(**json.loads((folder / _REPORT).read_text()))


def fork(work: Callable[[], Any], error: Path | None = None) -> int:
    """Do something in a child, which ends without any of the parent's cleaning up; gives its process id."""
    pid = os.fork()
    if not pid:
        _end(work, error)
    return pid


def _end(work: Callable[[], Any], error: Path | None) -> NoReturn:
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 -- nothing of the child may run on in the parent's code
        if error is not None:
            error.write_text(traceback.format_exc())
    finally:
        os._exit(code)


def killed_and_again(base: Path, stage: Stage, usual: Report, number: int, *, start: float) -> list[str]:
    """Kill a process after that many outward acts and start another; gives what is wrong then."""
    folder = base.with_name(f"{base.name}-{number}")
    shutil.copytree(base, folder)
    try:
        if play_stage(folder, stage, start=start, kill_after=number) is not None:
            return ["it was to be killed and was not"]
        down = 2.0 if number % 2 else 600.0
        report = play_stage(folder, stage, start=float((folder / _DIED).read_text()) + down)
        assert report is not None
        return [*report.wrong, *_different(usual, report, exact=stage.exact)]
    finally:
        shutil.rmtree(folder)


def _different(usual: Report, report: Report, *, exact: bool) -> Sequence[str]:
    found = []
    if report.live != usual.live:
        found.append(f"live is {report.live and report.live[:8]} and should be {usual.live and usual.live[:8]}")
    found += [
        f"the {kind} hook ran {report.hooks.get(kind)} times, not {usual.hooks.get(kind)}"
        for kind in (("create", "destroy") if exact else ())
        if report.hooks.get(kind) != usual.hooks.get(kind)
    ]
    if report.built > usual.built:
        found.append(f"{report.built} images were built, not {usual.built}")
    return found


def warm(folder: Path, stage: Stage) -> None:
    """Play a stage in this process, so that those that are forked from it have everything at hand."""
    play(lambda loop: _stage(loop, folder, stage, None))
    setattr(turn, _DECIDES, lifecycle.next_act)
    gc.collect()
    gc.freeze()


def first_start(stage: int) -> float:
    """When a stage begins: long after the one before."""
    return START + stage * 3600.0
