"""The words for each state of an environment."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.model.environment import Environment, Release
from revieee.model.phases import ON_ITS_WAY, Phase, Verdict
from revieee.model.telling import view_of
from revieee.model.view import ServiceView, State, View
from support.environments import environment, environments, release
from support.storing import commit, facts

URL = "http://shop-pr-1.localhost:8080"
FAILED = release(Phase.ENDED, Verdict.FAILED, reason="Service web ended with exit code 1.", log_tail="boom")
LIVE = release(Phase.LIVE)
OLD = release(Phase.LIVE, head=9)


def view(*releases: Release, **changes: object) -> View:
    return told(environment(*releases, **changes))


def told(one: Environment) -> View:
    return view_of(one, instance="abcd", base_url="http://localhost:8080")


@pytest.mark.parametrize(
    ("shown", "state", "headline"),
    [
        (view(), State.WAITING, "Waiting to begin."),
        (view(release(Phase.FETCHING)), State.BUILDING, "On its way: fetching the commit."),
        (view(release(Phase.BUILDING)), State.BUILDING, "On its way: building."),
        (
            view(release(Phase.REPLACING)),
            State.STARTING,
            "On its way: replacing services that keep a volume.",
        ),
        (view(release(Phase.PREPARING)), State.STARTING, "On its way: running hooks."),
        (view(release(Phase.STARTING)), State.STARTING, "On its way: starting."),
        (view(release(Phase.SWITCHING)), State.STARTING, "On its way: moving the routes."),
        (view(LIVE), State.LIVE, "Live."),
        (view(LIVE, waiting_for="web does not run"), State.LIVE, "Live, but something of it is wrong."),
        (view(OLD), State.UPDATING, "Live; an update is on its way."),
        (view(OLD, release(Phase.BUILDING)), State.UPDATING, "Live; an update is on its way: building."),
        (view(FAILED), State.FAILED, "This commit failed."),
        (view(release(Phase.UNDOING, Verdict.FAILED)), State.FAILED, "This commit failed."),
        (view(OLD, FAILED), State.FAILED, f"This commit failed; {commit(9)[:7]} stays live."),
        (view(OLD, FAILED, inputs="2"), State.UPDATING, "Live; an update is on its way."),
        (view(FAILED, inputs="2"), State.WAITING, "Waiting to begin."),
        (view(FAILED, incarnation=2, placed=False), State.WAITING, "Waiting to begin."),
        (
            view(release(Phase.ENDED, Verdict.SUPERSEDED)),
            State.WAITING,
            "Waiting: the commit is gone, a newer one is on its way.",
        ),
        (view(release(Phase.ENDED, Verdict.EXCLUDED)), State.NONE, "No environment for this pull request."),
        (view(wanted=False, wanted_reason="Not served."), State.NONE, "No environment for this pull request."),
        (view(LIVE, wanted=False), State.REMOVING, "The environment is being removed."),
        (view(LIVE, removing=True), State.REMOVING, "The environment is being removed."),
        (
            view(wanted=False, facts=facts(open=False)),
            State.GONE,
            "The environment is gone: observed absent.",
        ),
        (view(wanted=False, repository_removed=True), State.GONE, "The environment is gone: observed absent."),
    ],
)
def test_every_state_has_its_words(shown: View, state: State, headline: str) -> None:
    assert (shown.state, shown.headline) == (state, headline)


def test_all_states_are_told_somehow() -> None:
    marks = next(one for one in test_every_state_has_its_words.pytestmark if one.name == "parametrize")  # type: ignore[attr-defined] # pytest's own
    assert {one[1] for one in marks.args[1]} == set(State)


def test_a_live_one_is_told_with_everything() -> None:
    assert view(LIVE) == View(
        environment="acme/shop#1",
        instance="abcd",
        state=State.LIVE,
        headline="Live.",
        url=URL,
        services=(ServiceView(name="web", url=URL, words="live"), ServiceView(name="db", words="live")),
        commit=commit(1),
        live_commit=commit(1),
        live=True,
        duration=5.0,
        notices=("compose.yaml:3: privileged is left out",),
    )


def test_a_service_of_a_live_one_that_is_not_well_is_named_as_such() -> None:
    shown = view(LIVE, waiting_for="Service db does not run: ended with exit code 3.")
    assert [(one.name, one.words) for one in shown.services] == [("web", "live"), ("db", "in trouble")]


def test_what_failed_of_a_newer_commit_is_no_trouble_of_what_is_live() -> None:
    newer = replace(FAILED, reason="Service db does not run: ended with exit code 3.")
    assert {one.words for one in view(OLD, newer).services} == {"live"}


def test_a_failure_says_why_what_was_printed_last_and_what_to_do() -> None:
    shown = view(FAILED)
    assert shown.reason == "Service web ended with exit code 1."
    assert shown.log == "boom"
    assert "revieee deploy" in shown.next_act
    assert shown.duration == 7.0
    assert not shown.live
    assert {one.words for one in shown.services} == {"failed"}


def test_beside_a_failure_the_live_release_is_what_is_shown() -> None:
    shown = view(OLD, FAILED)
    assert (shown.live, shown.live_commit, shown.url) == (True, commit(9), URL)
    assert {one.words for one in shown.services} == {"live"}
    assert shown.commit == commit(1)


def test_a_removal_says_why() -> None:
    assert (
        view(LIVE, wanted=False, wanted_reason="The pull request was merged.").reason == "The pull request was merged."
    )
    assert view(LIVE, removing=True).reason == "A new one begins as soon as it is gone."
    excluded = release(Phase.ENDED, Verdict.EXCLUDED, reason="It has no label preview.")
    assert view(OLD, excluded, removing=True).reason == "It has no label preview."


def test_why_it_waits_is_told() -> None:
    words = "Waits for a place: it is the next. There may be 500 environments at a time."
    assert view(waiting_for=words).reason == words
    assert view(release(Phase.BUILDING), waiting_for=words).reason == words


def test_what_was_left_out_of_the_newest_files_is_told_while_the_older_release_answers() -> None:
    older = replace(OLD, manifest=replace(OLD.manifest, notices=())) if OLD.manifest else OLD
    assert view(older, release(Phase.BUILDING)).notices == ("compose.yaml:3: privileged is left out",)
    assert view(older, release(Phase.FETCHING)).notices == ()


@pytest.mark.parametrize(
    ("base_url", "url"),
    [("https://review.example.com", "https://shop-pr-1.review.example.com"), ("http://localhost:8080", URL)],
)
def test_addresses_are_below_the_domain_with_its_scheme_and_port(base_url: str, url: str) -> None:
    assert view_of(environment(LIVE), instance="abcd", base_url=base_url).url == url


@given(environments())
def test_whatever_it_is_like_it_has_words(one: Environment) -> None:
    shown = told(one)
    assert shown.headline.endswith(".")
    assert shown.environment == "acme/shop#1"
    if shown.state is State.FAILED:
        assert shown.next_act


@given(environments())
def test_what_is_not_there_has_no_address_no_services_and_no_log(one: Environment) -> None:
    shown = told(one)
    if shown.state in {State.GONE, State.NONE, State.REMOVING}:
        assert (shown.url, shown.services, shown.live, shown.live_commit, shown.log) == (None, (), False, None, "")


@given(environments())
def test_live_means_that_a_release_answers(one: Environment) -> None:
    shown = told(one)
    if shown.live:
        assert one.live is not None
        assert shown.live_commit == one.live.commit
    if shown.state is State.LIVE:
        assert shown.live
        assert one.live is not None
        assert one.live.inputs == one.inputs


@given(environments(), st.sampled_from(sorted(ON_ITS_WAY)))
def test_a_closed_one_is_never_told_to_be_on_its_way(one: Environment, phase: Phase) -> None:
    closed = replace(one, wanted=False, facts=facts(open=False), releases=(release(phase),))
    assert told(closed).state in {State.REMOVING, State.GONE}


def test_that_what_was_live_ended_is_told_beside_why_the_newest_commit_failed() -> None:
    failed = replace(FAILED, reason="The Dockerfile failed.")
    assert view(failed, waiting_for="What was live ended, too.").reason == (
        "The Dockerfile failed.\nWhat was live ended, too."
    )
    assert view(OLD, failed, waiting_for="It does not run.").reason == "The Dockerfile failed."
