"""What an environment needs next."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.model.environment import Environment, Release
from revieee.model.lifecycle import Act, next_act, obsolete
from revieee.model.phases import ON_ITS_WAY, SUPERSEDABLE, TABLE, Outcome, Phase, Verdict, advance
from support.environments import environment, environments, release

ON_ENVIRONMENTS = {Act.REMOVE, Act.BEGIN, Act.SUPERSEDE, Act.REST}


@given(environments())
def test_there_is_always_something_to_do_or_to_rest(one: Environment) -> None:
    assert next_act(one) in Act


@given(environments())
def test_a_close_wins_over_everything(one: Environment) -> None:
    closed = replace(one, wanted=False)
    assert next_act(closed) is (Act.REMOVE if one.placed else Act.REST)


@given(environments())
def test_a_removal_once_begun_is_finished_whatever_is_wanted_by_now(one: Environment) -> None:
    assert next_act(replace(one, removing=True, placed=True)) is Act.REMOVE


@given(environments())
def test_a_close_cancels_every_step_at_once(one: Environment) -> None:
    act = next_act(one)
    closed = replace(one, wanted=False)
    if one.placed and act is not Act.REMOVE:
        assert obsolete(act, closed)
    assert not obsolete(Act.REMOVE, one), "a removal is never cancelled"


@given(environments())
def test_a_step_that_is_still_right_goes_on(one: Environment) -> None:
    assert not obsolete(next_act(one), one)


@given(environments())
def test_a_newer_wish_supersedes_all_but_a_switch_and_an_undoing(one: Environment) -> None:
    pushed = replace(one, inputs="newest", commit="f" * 40, wanted=True, removing=False)
    following = one.next
    if following is None:
        expected = {Act.BEGIN}
    elif following.phase in SUPERSEDABLE:
        expected = {Act.SUPERSEDE}
    else:
        expected = {Act(following.phase.value)}
    assert next_act(pushed) in expected


@given(environments())
def test_a_step_of_a_phase_is_taken_only_where_a_release_is_in_it(one: Environment) -> None:
    act = next_act(one)
    if act not in ON_ENVIRONMENTS:
        assert Phase(act.value) in {release.phase for release in one.releases}


def test_every_phase_but_the_end_has_an_act() -> None:
    assert {Act(phase.value) for phase in Phase if phase is not Phase.ENDED} == set(Act) - ON_ENVIRONMENTS


def settled(one: Environment, act: Act, outcome: Outcome) -> Environment:
    """The environment after an act with that outcome, as the reconciler would write it."""
    if act is Act.REMOVE:
        ended = tuple(replace(each, phase=Phase.ENDED, ended_at=1.0) for each in one.releases[-1:])
        return replace(one, releases=ended, placed=False, removing=False, incarnation=one.incarnation + 1)
    if act is Act.BEGIN:
        number = len(one.releases) + 10
        begun = replace(release(Phase.FETCHING), id=number, inputs=one.inputs, incarnation=one.incarnation)
        return replace(one, releases=(*one.releases, begun), placed=True)
    after = tuple(moved(one, each, act, outcome) for each in one.releases)
    return replace(one, releases=tuple(each for each in after if each.phase is not Phase.ENDED or each is after[-1]))


def moved(one: Environment, each: Release, act: Act, outcome: Outcome) -> Release:
    """One of its releases after that act."""
    if act is Act.SUPERSEDE:
        outcome = Outcome.SUPERSEDED
    elif act is Act.SWITCH and each.phase is Phase.LIVE:
        return replace(each, phase=advance(Phase.LIVE, Outcome.REPLACED), verdict=Verdict.REPLACED)
    if each is one.next or (act is Act.DRAIN and each.phase is Phase.DRAINING):
        return replace(each, phase=advance(each.phase, outcome), verdict=verdict_of(outcome) or each.verdict)
    return each


def verdict_of(outcome: Outcome) -> Verdict | None:
    return None if outcome is Outcome.DONE else Verdict(outcome.value)


def outcomes(act: Act) -> list[Outcome]:
    if act in ON_ENVIRONMENTS:
        return [Outcome.DONE]
    return [row.outcome for row in TABLE if row.phase.value == act.value and row.outcome is not Outcome.REPLACED]


@given(environments(), st.data())
def test_whatever_comes_out_of_each_step_it_comes_to_rest(one: Environment, data: st.DataObject) -> None:
    for _ in range(40):
        act = next_act(one)
        if act in {Act.REST, Act.KEEP}:
            break
        one = settled(one, act, data.draw(st.sampled_from(outcomes(act))))
    else:
        pytest.fail(f"no rest in sight: {one}")
    if act is Act.KEEP:
        assert one.wanted
        assert one.live is not None
    elif not one.wanted:
        assert not one.placed


@pytest.mark.parametrize("phase", sorted(ON_ITS_WAY))
def test_a_release_on_its_way_takes_the_step_of_its_phase(phase: Phase) -> None:
    assert next_act(environment(release(phase))) is Act(phase.value)


def test_what_is_new_begins() -> None:
    assert next_act(environment()) is Act.BEGIN


def test_a_failed_release_rests_until_something_else_is_wanted() -> None:
    failed = environment(release(Phase.ENDED, Verdict.FAILED))
    assert next_act(failed) is Act.REST
    assert next_act(replace(failed, inputs="2")) is Act.BEGIN


def test_a_failed_release_leaves_the_live_one_kept() -> None:
    assert next_act(environment(release(Phase.LIVE, head=2), release(Phase.ENDED, Verdict.FAILED))) is Act.KEEP


def test_a_commit_that_vanished_waits_for_the_newer_one() -> None:
    assert next_act(environment(release(Phase.ENDED, Verdict.SUPERSEDED))) is Act.REST


def test_what_the_manifest_excludes_is_removed_and_rests() -> None:
    excluded = environment(release(Phase.LIVE, head=2), release(Phase.ENDED, Verdict.EXCLUDED))
    assert next_act(excluded) is Act.REMOVE
    assert next_act(replace(excluded, placed=False, releases=excluded.releases[-1:], incarnation=2)) is Act.REST
    assert next_act(replace(excluded, inputs="3")) is Act.BEGIN


def test_a_reopened_one_begins_anew_also_with_the_very_same_commit() -> None:
    gone = environment(release(Phase.ENDED, Verdict.REMOVED), incarnation=2, placed=False)
    assert next_act(gone) is Act.BEGIN


def test_old_requests_are_drained_when_nothing_else_is_to_do() -> None:
    old, live = release(Phase.DRAINING, Verdict.REPLACED, head=2), release(Phase.LIVE)
    assert next_act(environment(old, live)) is Act.DRAIN
    assert next_act(environment(old, live, inputs="3")) is Act.BEGIN
    assert obsolete(Act.DRAIN, environment(old, live, inputs="3"))


def test_looking_after_a_live_one_gives_way_to_a_push() -> None:
    assert obsolete(Act.KEEP, environment(release(Phase.LIVE), inputs="2"))
