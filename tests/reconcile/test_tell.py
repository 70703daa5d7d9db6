import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy.orm import Session

from revieee.model.facts import PullRequestFacts
from revieee.model.view import State, View
from revieee.ports import Finding, Posted, ReportFault, RetryLater
from revieee.reconcile.tell import Identity, Teller
from revieee.store import reports
from support.reconciling import Plane, commit, facts


class Paper:
    """A reporter that writes down what it is told; `stuck` makes it hang."""

    def __init__(self) -> None:
        self.told: list[View] = []
        self.stuck = False
        self.failing = False
        self.error: Exception | None = None
        self.given: list[Posted] = []
        self.made: Posted | None = None
        self.asked = asyncio.Event()

    async def report(self, facts: PullRequestFacts, view: View, posted: Posted) -> Posted:
        assert facts.number == 1
        self.asked.set()
        if self.stuck:
            await asyncio.Event().wait()
        if self.failing:
            raise RetryLater("down", delay=60)
        self.given.append(posted)
        if self.error is not None:
            raise self.error
        self.told.append(view)
        return self.made or posted

    async def check(self) -> Sequence[Finding]:
        return []


def teller(control: Plane, paper: Paper, *, served: str = "*") -> Teller:
    parts = control.parts
    identity = Identity(
        instance=parts.instance,
        base_url="http://localhost",
        pace=parts.policy.pace,
        owner=parts.owner,
        repositories=(served,),
    )
    return Teller(parts.database, paper, parts.clock, parts.bell, identity)


async def runs_until(control: Plane, paper: Paper, event: asyncio.Event) -> None:
    """Run a teller until that, then end it wherever it is."""
    task = asyncio.create_task(teller(control, paper).run())
    await asyncio.wait_for(event.wait(), 5)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_a_process_was_reporting_as_it_ended_is_reported_at_the_next_start(control: Plane) -> None:
    await control.settle(facts())
    paper = Paper()
    paper.stuck = True
    await runs_until(control, paper, paper.asked)
    assert await teller(control, paper).tell() == 0, "another process would be kept off it"
    now = control.clock.now()
    paper.stuck, paper.asked = False, asyncio.Event()
    await runs_until(control, paper, paper.asked)
    assert [view.state for view in paper.told] == [State.LIVE]
    assert control.clock.now() - now < 30


async def test_of_which_commits_something_may_be_told_outlives_a_process_that_dies_meanwhile(control: Plane) -> None:
    paper = Paper()
    paper.stuck = True
    for number in (1, 2):
        await control.settle(facts(number, minute=number))
        paper.asked = asyncio.Event()
        await runs_until(control, paper, paper.asked)
    paper.stuck, paper.asked = False, asyncio.Event()
    await runs_until(control, paper, paper.asked)
    assert paper.given[-1].doubtful == (commit(1), commit(2))


async def test_what_the_database_cut_off_is_reported_as_soon_as_it_is_back(
    control: Plane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await control.settle(facts())
    paper, run = Paper(), control.parts.database.run

    async def away(work: Callable[[Session], object]) -> object:
        if len(paper.told) == 1:
            raise RetryLater("The database did not answer.")
        return await run(work)

    monkeypatch.setattr(control.parts.database, "run", away)
    one = teller(control, paper)
    assert await one.tell() == 1
    assert "a report is begun again: The database did not answer." in caplog.text
    assert "Traceback" not in caplog.text
    monkeypatch.undo()
    assert await one.tell() == 1
    assert [view.state for view in paper.told] == [State.LIVE] * 2
    assert await one.tell() == 0


async def test_what_was_put_off_for_a_reason_stays_put_off(control: Plane) -> None:
    await control.settle(facts())
    paper = Paper()
    paper.failing = True
    assert await teller(control, paper).tell() == 1
    again = teller(control, paper)
    await again.take_up()
    assert await again.tell() == 0


async def test_what_got_through_beside_a_fault_is_not_told_again(control: Plane) -> None:
    await control.settle(facts())
    paper = Paper()
    through = Posted(deployment=3, deployment_commit="c", deployment_state="success", status="c success")
    paper.error = ReportFault("the comment is forbidden", through)
    for _ in range(3):
        assert await teller(control, paper).tell() == 1
        control.clock.time += control.parts.policy.pace.last_retry
    assert paper.given == [Posted(), through, through]


async def test_an_error_that_nobody_thought_of_puts_one_report_off(control: Plane) -> None:
    await control.settle(facts())
    paper = Paper()
    paper.error = ZeroDivisionError()
    assert await teller(control, paper).tell() == 1
    ((_, words),) = await control.database.run(reports.problems)
    assert "inside Revieee" in words
    assert await teller(control, paper).tell() == 0
    paper.error = None
    control.clock.time += control.parts.policy.pace.last_retry
    assert await teller(control, paper).tell() == 1
    assert [view.state for view in paper.told] == [State.LIVE]


async def test_the_teller_goes_on_after_an_error_that_nobody_thought_of(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await control.settle(facts())
    paper, claim = Paper(), reports.claim
    met: list[bool] = []

    def once(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- handed on as it came
        if not met:
            met.append(True)
            raise ZeroDivisionError
        return claim(*arguments, **named)

    monkeypatch.setattr(reports, "claim", once)
    await runs_until(control, paper, paper.asked)
    assert met
    assert [view.state for view in paper.told] == [State.LIVE]


async def test_nothing_is_said_in_a_repository_that_is_not_served(control: Plane) -> None:
    await control.settle(facts())
    paper = Paper()
    elsewhere = teller(control, paper, served="other/*")
    assert await elsewhere.tell() == 1
    assert await elsewhere.tell() == 0
    assert paper.told == []


async def test_a_repository_that_is_served_no_more_is_told_so_where_something_stands(control: Plane) -> None:
    await control.settle(facts())
    paper = Paper()
    paper.made = Posted(comment=5)
    await teller(control, paper).tell()
    await control.settle(facts(1, minute=1, open=False))
    await teller(control, paper, served="other/*").tell()
    assert [view.state for view in paper.told] == [State.LIVE, State.GONE]
