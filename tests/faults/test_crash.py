"""Stop the process at any instant (`kill -9`), start it again: every environment reaches what is wanted of it, once."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from revieee.model.lifecycle import Act
from revieee.model.phases import Phase
from revieee.reconcile.turn import ACTS, STEPS
from support.crashing import Report, Stage, Wish, first_start, fork, killed_and_again, play_stage, warm
from support.outside import SKIP, files, pull_request

MEMORY = Path("/dev/shm")  # noqa: S108 -- thousands of small writes; the folder in it is our own
WORKERS = 2

SCENARIO = (
    Stage(name="open", wishes=(Wish(facts=pull_request(head=1), files=files(1)),)),
    Stage(name="push", wishes=(Wish(facts=pull_request(head=2, after=1), files=files(2)),)),
    Stage(name="in place", wishes=(Wish(facts=pull_request(head=3, after=2), files=files(3, db="slow")),)),
    Stage(name="undo", wishes=(Wish(facts=pull_request(head=4, after=3), files=files(4, db="sick")),)),
    Stage(name="failed hook", wishes=(Wish(facts=pull_request(head=5, after=4), files=files(5, deploy="bad")),)),
    Stage(
        name="superseded",
        wishes=(
            Wish(facts=pull_request(head=6, after=5), files=files(6, db="slower")),
            Wish(facts=pull_request(head=7, after=6), files=files(7), after=7),
        ),
    ),
    Stage(name="excluded", wishes=(Wish(facts=pull_request(head=7, after=7, title=SKIP)),)),
    Stage(name="not excluded", wishes=(Wish(facts=pull_request(head=7, after=8)),)),
    Stage(name="close", wishes=(Wish(facts=pull_request(head=7, after=9, open=False)),)),
    Stage(name="reopen", wishes=(Wish(facts=pull_request(head=7, after=10)),)),
    Stage(
        name="reopen during removal",
        exact=False,
        wishes=(
            Wish(facts=pull_request(head=7, after=11, open=False)),
            Wish(facts=pull_request(head=7, after=12), after=0.05),
        ),
    ),
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in memory."""
    made = Path(tempfile.mkdtemp(prefix="revieee-crash-", dir=MEMORY if MEMORY.is_dir() else None))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def played(folder: Path) -> list[tuple[Stage, Path, Report]]:
    """The scenario without a crash: each stage, what was there before it, and what was done in it."""
    done: list[tuple[Stage, Path, Report]] = []
    trial = folder / "trial"
    trial.mkdir()
    warm(trial, SCENARIO[0])
    here = folder / "0"
    here.mkdir()
    for place, stage in enumerate(SCENARIO):
        before = folder / f"before-{place}"
        shutil.copytree(here, before)
        report = play_stage(here, stage, start=first_start(place))
        assert report is not None
        done.append((stage, before, report))
    return done


@pytest.mark.slow
def test_without_a_crash_every_stage_comes_to_what_is_wanted(played: list[tuple[Stage, Path, Report]]) -> None:
    assert {stage.name: report.wrong for stage, _, report in played if report.wrong} == {}
    live = [report.live and int(report.live[:8]) for _, _, report in played]
    assert live == [1, 2, 3, 3, 3, 7, None, 7, None, 7, 7]


@pytest.mark.slow
def test_the_scenario_goes_through_every_phase_and_every_act(played: list[tuple[Stage, Path, Report]]) -> None:
    acts = {act for _, _, report in played for act in report.acts}
    phases = {phase for _, _, report in played for phase in report.phases}
    assert acts == {act.value for act in Act}
    assert phases == {phase.value for phase in Phase}
    assert {*STEPS, *ACTS, Act.SUPERSEDE, Act.REST} == set(Act)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(SCENARIO)), ids=[stage.name for stage in SCENARIO])
def test_killed_after_any_outward_act_and_started_again(
    place: int, played: list[tuple[Stage, Path, Report]], folder: Path
) -> None:
    stage, before, usual = played[place]
    wrong = folder / f"wrong-{place}"
    wrong.mkdir()

    def work(numbers: range) -> None:
        for number in numbers:
            found = killed_and_again(before, stage, usual, number, start=first_start(place))
            if found:
                (wrong / f"{number:04}").write_text("\n".join(found))

    count = len(usual.outward)
    shares = [range(one + 1, count + 1, WORKERS) for one in range(WORKERS)]
    workers = [fork(partial(work, share), wrong / "error") for share in shares]
    for worker in workers:
        os.waitpid(worker, 0)
    found = [f"after act {one.name} ({_act(usual, one.name)}): {one.read_text()}" for one in sorted(wrong.iterdir())]
    assert not found, f"{len(found)} of {count} kills:\n" + "\n".join(found)


def _act(usual: Report, name: str) -> str:
    return usual.outward[int(name) - 1] if name.isdigit() else name
