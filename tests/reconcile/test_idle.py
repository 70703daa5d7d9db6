"""What nobody pushes to, deploys or visits is put away, and comes back."""

from dataclasses import replace

import pytest

from revieee.model.desire import desire
from revieee.model.policy import AdmissionPolicy, Pace, Policy
from revieee.model.telling import view_of
from revieee.model.view import State
from revieee.ports import RetryLater
from revieee.reconcile.idle import NOTE_VISITS
from revieee.reconcile.tick import tick
from revieee.store import wishes
from support.reconciling import HOST, Plane, facts

DAY = 86_400.0


async def later(control: Plane, days: float) -> State:
    """Let days pass, the tick look, and what is due happen."""
    control.clock.time += days * DAY
    await tick(control.parts)
    return view_of(await control.settle(), instance="x", base_url="http://localhost").state


async def test_after_thirty_days_it_goes_with_a_reason_and_the_next_push_brings_it_back(control: Plane) -> None:
    await control.settle(facts(1))
    assert await later(control, 29.9) is State.LIVE
    assert await later(control, 0.2) is State.NONE
    environment = control.environment()
    assert "for 30 days" in environment.wanted_reason
    assert "`revieee deploy`" in environment.wanted_reason
    assert await control.keys() == set()
    assert (await control.settle(facts(2, minute=1))).live is not None
    assert await later(control, 1) is State.LIVE


async def test_a_delivery_that_brings_nothing_new_leaves_it_away_and_a_deploy_does_not(control: Plane) -> None:
    await control.settle(facts(1))
    await later(control, 31)
    environment = await control.settle(facts(1, minute=2, labels=("x",)))
    assert environment.live is None
    assert "for 30 days" in environment.wanted_reason
    now = control.clock.now()
    control.database.run_here(
        lambda session: wishes.deploy(session, 1, lambda one, trust: desire(one, AdmissionPolicy(), trust), now=now)
    )
    assert (await control.settle()).live is not None


async def test_a_visit_keeps_it(control: Plane) -> None:
    await control.settle(facts(1))
    control.router.seen[HOST] = control.clock.now() + 20 * DAY
    assert await later(control, 45) is State.LIVE
    assert await later(control, 10) is State.NONE


async def test_a_visit_counts_although_the_router_was_started_anew_since(control: Plane) -> None:
    await control.settle(facts(1))
    control.clock.time += 20 * DAY
    control.router.seen[HOST] = control.clock.now()
    await tick(control.parts)
    control.router.seen.clear()
    assert await later(control, 29.9) is State.LIVE
    assert await later(control, 0.2) is State.NONE


async def test_visits_are_written_down_once_an_hour(control: Plane) -> None:
    await control.settle(facts(1))
    await tick(control.parts)
    control.router.seen[HOST] = control.clock.now()
    asked = control.router.asked
    control.clock.time += NOTE_VISITS - 1
    await tick(control.parts)
    assert control.router.asked == asked
    control.clock.time += 1
    await tick(control.parts)
    assert control.router.asked == asked + 1
    control.router.seen.clear()
    control.clock.time += 30 * DAY - NOTE_VISITS - 1
    assert await later(control, 0) is State.LIVE


async def test_a_router_that_does_not_answer_is_asked_for_visits_at_the_next_tick(control: Plane) -> None:
    await control.settle(facts(1))
    control.router.seen[HOST] = control.clock.now() + 20 * DAY
    control.router.down = True
    with pytest.raises(RetryLater):
        await tick(control.parts)
    control.router.down = False
    await tick(control.parts)
    control.router.seen.clear()
    assert await later(control, 45) is State.LIVE


async def test_never_is_a_choice(control: Plane) -> None:
    policy = Policy(pace=Pace(environment_age=0.0))
    await control.settle(facts(1))
    control.clock.time += 1000 * DAY
    await tick(replace(control.parts, policy=policy))
    assert (await control.settle()).live is not None
