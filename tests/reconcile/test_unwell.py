"""What is live and does not get healthy is told, and looked at no more often than anything else."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from revieee.engines.memory import Behaviour
from revieee.model.policy import Policy
from revieee.model.view import View
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import calm
from support.stage import Stalling, on_stage

pytestmark = pytest.mark.slow

WEB_WAITS = b"{db: {condition: service_healthy}}"
TIMEOUT = 20.0
"""That of the stage's commits."""


def live(folder: Path, story: Callable[[Outside, Stalling], Awaitable[None]]) -> None:
    """Let one environment be live, whose ``web`` starts when ``db`` is healthy."""

    async def play(around: Outside) -> None:
        around.policy = Policy()
        fate = Stalling()
        written = dict(files(1))
        written["compose.yaml"] = written["compose.yaml"].replace(b"[db]", WEB_WAITS)
        healthcheck = b"image: postgres:16\n    healthcheck: {test: [CMD, pg_isready]}"
        written["compose.yaml"] = written["compose.yaml"].replace(b"image: postgres:16", healthcheck)
        around.source.commits[commit(1)] = written
        around.hear(pull_request())
        process = Process(around, fate)
        process.start()
        assert await calm(around)
        await story(around, fate)
        await process.stop()

    on_stage(folder, play, "sqlite://")


def lose(around: Outside, *services: str) -> None:
    for row in around.world.read("SELECT service, key FROM containers"):
        if row["service"] in services:
            around.world.lose(1, row["key"])


def comment(around: Outside) -> View:
    return around.reporter.comments["acme/shop#1"]


def test_what_starts_for_longer_than_a_start_may_take_is_told_once(tmp_path: Path) -> None:
    async def story(around: Outside, fate: Stalling) -> None:
        around.world.script("postgres:16", Behaviour(healthy_after=None))
        fate.acts.clear()
        lose(around, "web", "db")
        await asyncio.sleep(TIMEOUT / 2)
        assert comment(around).headline == "Live."
        await asyncio.sleep(TIMEOUT)
        assert comment(around).headline == "Live, but something of it is wrong."
        assert "Service db does not get healthy" in comment(around).reason
        assert "Service web does not run: waits for db" in comment(around).reason
        await asyncio.sleep(600)
        assert fate.acts.count("engine.apply") < 120
        assert fate.acts.count("reporter.report") == 1
        around.world.script("postgres:16", Behaviour())
        await asyncio.sleep(30)
        assert comment(around).headline == "Live."

    live(tmp_path, story)


def test_what_is_not_healthy_is_told_though_something_waits_for_it(tmp_path: Path) -> None:
    async def story(around: Outside, fate: Stalling) -> None:
        del fate
        around.world.script("postgres:16", Behaviour(healthy_after=None, words="pg_isready says no"))
        lose(around, "web")
        await asyncio.sleep(TIMEOUT / 2)
        assert "Service db is not healthy: pg_isready says no" in comment(around).reason
        assert "Service web does not run: waits for db" in comment(around).reason

    live(tmp_path, story)


def test_what_takes_its_time_within_that_is_not_told(tmp_path: Path) -> None:
    async def story(around: Outside, fate: Stalling) -> None:
        around.world.script("postgres:16", Behaviour(healthy_after=TIMEOUT * 0.8))
        for _ in range(3):
            fate.acts.clear()
            lose(around, "web", "db")
            await asyncio.sleep(2 * TIMEOUT)
            assert "reporter.report" not in fate.acts
            assert comment(around).headline == "Live."
            await asyncio.sleep(TIMEOUT)

    live(tmp_path, story)
