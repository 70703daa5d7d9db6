"""`kill -9` of a real control plane at each step, on real Docker, git and nginx: it comes to what is wanted, once.

One pull request lives its life while the control plane dies at everything it does for the first time (see
`support.dying`), some 180 times, and is started again each time. What this came to is looked at by the tests.
"""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from revieee.model.lifecycle import Act
from revieee.model.phases import Phase
from revieee.reconcile.turn import ACTS, STEPS
from revieee.testing.github import PracticeGitHub
from support import dying
from support.docker import BaseImages
from support.dying import AFTER, AMID, DECIDED, Journal
from support.one_life import SERVICES, Life, Play
from support.plane import Plane, prepared

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory, base_images: BaseImages, nginx: str) -> AsyncIterator[Life]:
    assert base_images.busybox
    assert nginx
    folder = tmp_path_factory.mktemp("mortal")
    async with PracticeGitHub(folder / "github") as github:
        control = prepared(folder, github, drain_limit="2")
        control.program = (sys.executable, str(Path(dying.__file__)), str(folder))
        try:
            await control.start()
            yield await Play(Plane(github, control), Journal(folder)).play()
        finally:
            await control.end()


async def test_it_died_at_each_act_and_after_what_each_step_does(life: Life) -> None:
    assert {one.act for one in life.deaths if one.when == DECIDED} == {act.value for act in Act}
    assert {act.value for act in (*STEPS, *ACTS)} <= {one.act for one in life.deaths if one.when == AFTER}
    assert {phase.value for phase in Phase} - {one.act for one in life.deaths} == {Phase.ENDED.value}
    assert {one.when for one in life.deaths} == {DECIDED, AMID, AFTER}
    assert len(set(life.deaths)) == len(life.deaths) > 100


async def test_every_stage_came_to_what_was_wanted(life: Life) -> None:
    assert life.pages == {"open": "one", "push": "two", "in place": "three", "undo": "three", "superseded": "six"}
    assert set(life.running.values()) == {SERVICES}


async def test_a_visitor_of_an_updated_environment_noticed_nothing(life: Life) -> None:
    assert Counter(life.visits).keys() == {"one", "two"}
    assert life.visits == sorted(life.visits)


async def test_hooks_ran_once(life: Life) -> None:
    assert life.notes == {"create": ["created"], "deploy": life.heads}
    hooks = Counter({key.split("-")[1]: count for key, count in life.starts.items() if key.startswith("hook-create")})
    assert hooks == {"create": 1}
    assert {count for key, count in life.starts.items() if key.startswith("hook-")} == {1}
    assert [key for key in life.starts if key.startswith("hook-destroy-")] != []


async def test_each_image_was_built_once_and_started_once(life: Life) -> None:
    assert len(life.images) == len(life.heads)
    assert {len(ids) for ids in life.images.values()} == {1}
    web = [count for key, count in life.starts.items() if key.startswith("web-")]
    assert web == [1] * len(life.heads)


async def test_there_is_one_comment_and_one_deployment_of_each_commit(life: Life) -> None:
    assert len(life.comments) == 1
    assert "state **gone**" in life.comments[0]
    assert set(Counter(life.deployed).values()) == {1}


async def test_nothing_is_left(life: Life) -> None:
    assert life.left == {}
    assert life.routes == []
    assert "which has no row" not in life.log, "nothing was left to a sweep"
    assert "Traceback" not in life.log
