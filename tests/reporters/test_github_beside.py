"""Deployments and commit statuses, against the practice GitHub: what stands beside the conversation."""

from dataclasses import replace

import pytest

from revieee.model.view import State
from revieee.ports import Posted, ReportedInPart
from revieee.reporters.github import GitHubReporter
from revieee.testing.github import PracticeGitHub, PullRequest
from support.practice import BOT, AppMode, facts_of
from support.views import URL, seen, texts


class TestDeployment:
    async def test_shows_view_deployment(self, pull: PullRequest, reporter: GitHubReporter) -> None:
        posted = Posted()
        for state in (State.WAITING, State.BUILDING, State.STARTING, State.LIVE):
            posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
        (deployment,) = pull.deployments
        assert deployment.environment == "review/pr-1"
        assert deployment.sha == pull.head_sha
        assert deployment.transient_environment
        assert not deployment.production_environment
        assert [one.state for one in deployment.statuses] == ["queued", "in_progress", "success"]
        assert deployment.environment_url == URL

    async def test_the_former_one_is_active_until_the_new_one_is_live(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        await practice.push(pull, {"a": "b"})
        posted = await reporter.report(facts_of(pull), seen(pull, State.UPDATING), posted)
        assert [one.state for one in pull.deployments] == ["success", "in_progress"]
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert [one.state for one in pull.deployments] == ["inactive", "success"]

    async def test_a_failed_update_leaves_the_live_one_active(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        await practice.push(pull, {"a": "b"})
        posted = await reporter.report(facts_of(pull), seen(pull, State.FAILED), posted)
        assert [one.state for one in pull.deployments] == ["success", "failure"]

    async def test_superseded_ones_end_with_the_next_that_is_live(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = Posted()
        for number in range(4):
            await practice.push(pull, {"a": str(number)})
            posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), posted)
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert [one.state for one in pull.deployments] == ["inactive"] * 3 + ["success"]

    async def test_superseded_ones_end_with_the_next_that_fails_and_the_live_one_with_the_next_that_is_live(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        for number, state in enumerate([State.UPDATING, State.UPDATING, State.FAILED, State.UPDATING, State.FAILED]):
            await practice.push(pull, {"a": str(number)})
            posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
        states = [one.state for one in pull.deployments]
        assert states == ["success", "inactive", "inactive", "failure", "inactive", "failure"]
        await practice.push(pull, {"a": "good"})
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        states = [one.state for one in pull.deployments]
        assert states == ["inactive", "inactive", "inactive", "failure", "inactive", "failure", "success"]
        await reporter.report(facts_of(pull), seen(pull, State.GONE), posted)
        assert pull.deployments[-1].state == "inactive"

    @pytest.mark.parametrize(("state", "told"), [(State.LIVE, "success"), (State.FAILED, "failure")])
    async def test_a_push_back_to_a_former_commit_leaves_none_in_progress(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter, state: State, told: str
    ) -> None:
        """It may be as it was so soon that nothing is told in between."""
        former = pull.head_sha
        posted = await reporter.report(facts_of(pull), seen(pull, state), Posted())
        await practice.push(pull, {"a": "b"})
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), posted)
        await reporter.report(facts_of(pull), seen(pull, state, commit=former), posted)
        assert [one.state for one in pull.deployments] == [told, "inactive"]

    async def test_what_is_live_and_was_to_be_deployed_anew_is_told_to_be_live_where_the_next_fails(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        former, posted = pull.head_sha, Posted()
        for state in (State.LIVE, State.UPDATING):
            posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
        for number, state in enumerate((State.UPDATING, State.FAILED)):
            await practice.push(pull, {"a": str(number)})
            view = replace(seen(pull, state), live=True, live_commit=former)
            posted = await reporter.report(facts_of(pull), view, posted)
        assert [one.state for one in pull.deployments] == ["success", "inactive", "failure"]
        assert pull.deployments[0].environment_url == URL

    async def test_many_that_were_live_are_not_all_asked_for(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = Posted()
        for number in range(9):
            await practice.push(pull, {"a": str(number)})
            posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        before = practice.faults.count("GET *deployments*statuses")
        await practice.push(pull, {"a": "b"})
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert practice.faults.count("GET *deployments*statuses") - before == 2

    @pytest.mark.parametrize("state", [State.GONE, State.NONE])
    async def test_none_is_active_after_the_end(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter, state: State
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        await practice.push(pull, {"a": "b"})
        posted = await reporter.report(facts_of(pull), seen(pull, State.UPDATING), posted)
        posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
        assert [one.state for one in pull.deployments] == ["inactive", "inactive"]
        before = practice.faults.count("*deployments*")
        await reporter.report(facts_of(pull), seen(pull, state), posted)
        assert practice.faults.count("*deployments*") == before

    async def test_after_a_crash_none_is_made_twice(self, pull: PullRequest, reporter: GitHubReporter) -> None:
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        (deployment,) = pull.deployments
        assert [one.state for one in deployment.statuses] == ["success"]

    async def test_a_reopened_pull_request_uses_it_again(self, pull: PullRequest, reporter: GitHubReporter) -> None:
        posted = Posted()
        for state in (State.LIVE, State.GONE, State.BUILDING, State.LIVE):
            posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
        (deployment,) = pull.deployments
        assert [one.state for one in deployment.statuses] == ["success", "inactive", "in_progress", "success"]

    async def test_one_that_a_person_deleted_is_made_again(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        practice.repository("acme/shop").deployments.clear()
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        (deployment,) = pull.deployments
        assert deployment.state == "success"

    async def test_those_of_others_are_left_alone(
        self, pull: PullRequest, reporter: GitHubReporter, app_mode: AppMode
    ) -> None:
        other = GitHubReporter(app_mode.client)
        await other.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        await reporter.report(facts_of(pull), seen(pull, State.GONE), posted)
        assert [(one.creator.login, one.state) for one in pull.deployments] == [
            ("revieee[bot]", "success"),
            (BOT, "inactive"),
        ]


class TestCommitStatus:
    async def test_follows_the_environment(self, pull: PullRequest, reporter: GitHubReporter) -> None:
        posted = Posted()
        for state in (State.WAITING, State.BUILDING, State.LIVE):
            posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
        assert [(one.state, one.context) for one in pull.statuses] == [("pending", "revieee"), ("success", "revieee")]
        assert pull.statuses[-1].target_url == URL

    async def test_a_pull_request_without_environment_passes_and_is_told_why(
        self, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        view = replace(seen(pull, State.NONE), url=None, services=(), reason="It comes from a fork.")
        await reporter.report(facts_of(pull), view, Posted())
        assert "It comes from a fork." in texts(pull)[0]
        assert [one.state for one in pull.statuses] == ["success"]
        assert not pull.deployments

    async def test_nothing_stays_pending_after_the_end(self, pull: PullRequest, reporter: GitHubReporter) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        await reporter.report(facts_of(pull), seen(pull, State.GONE), posted)
        assert pull.statuses[-1].state == "success"

    @pytest.mark.parametrize("state", [State.BUILDING, State.GONE])
    async def test_what_was_told_as_we_died_stays_pending_on_no_commit(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter, state: State
    ) -> None:
        """Of a commit before the newest, what is stored may know nothing but that something was to be told."""
        former, view = pull.head_sha, seen(pull, State.BUILDING)
        await reporter.report(facts_of(pull), view, Posted())
        await practice.push(pull, {"a": "b"})
        told = replace(seen(pull, state), commit=pull.head_sha)
        await reporter.report(facts_of(pull), told, Posted(doubtful=(former,)))
        states = [one.state for one in pull.statuses if one.sha == former]
        assert states == ["pending", "success"]

    async def test_one_that_landed_without_an_answer_stays_pending_on_no_commit(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        practice.faults.next("landed", "POST */statuses/{*}")
        with pytest.raises(ReportedInPart) as caught:
            await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        former = pull.head_sha
        await practice.push(pull, {"a": "b"})
        told = replace(seen(pull, State.BUILDING), commit=pull.head_sha)
        await reporter.report(facts_of(pull), told, caught.value.posted)
        assert [one.state for one in pull.statuses if one.sha == former] == ["pending", "success"]


@pytest.mark.parametrize("route", ["POST */deployments/{*}/statuses", "POST */statuses/{*}"])
async def test_what_landed_without_an_answer_is_not_taken_for_what_stood_before(
    practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter, route: str
) -> None:
    """By the time it is tried again it is live again, as it was before."""
    posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
    practice.faults.next("landed", route)
    with pytest.raises(ReportedInPart) as caught:
        await reporter.report(facts_of(pull), seen(pull, State.UPDATING), posted)
    await reporter.report(facts_of(pull), seen(pull, State.LIVE), caught.value.posted)
    assert pull.statuses[-1].state == "success"
    assert [one.state for one in pull.deployments] == ["success"]
