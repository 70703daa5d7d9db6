"""The reporter, against the practice GitHub: what the pull request shows, whatever happens on the way."""

from dataclasses import replace

import pytest

from revieee.model.view import State
from revieee.ports import Fault, Posted, Refused, ReportedInPart, ReportFault, RetryLater
from revieee.reporters.github import GitHubReporter
from revieee.reporters.words import MARKER, instance_marker
from revieee.testing.github import FaultKind, PracticeGitHub, PullRequest
from support.practice import BOT, AppMode, Clock, Connect, facts_of
from support.views import seen, texts

COMMENTS = "*/issues/{issue_number}/comments"


class TestComment:
    async def test_is_one_and_edited_in_place(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = Posted()
        for state in (State.WAITING, State.BUILDING, State.STARTING, State.LIVE, State.UPDATING, State.GONE):
            posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
            (comment,) = pull.comments
            assert f"It is {state}." in comment.body
            assert comment.id == posted.comment
            assert comment.user.login == BOT
        assert practice.faults.count(f"POST {COMMENTS}") == 1

    async def test_a_known_one_costs_one_request(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.WAITING), Posted())
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), posted)
        before = practice.faults.count("*comments*")
        await reporter.report(facts_of(pull), seen(pull, State.STARTING), posted)
        assert practice.faults.count("*comments*") == before + 1

    async def test_is_not_edited_where_nothing_changed(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = Posted()
        for _ in range(4):
            posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert practice.faults.count("PATCH *") == 0
        assert practice.faults.count("POST */statuses*") == 2  # of the deployment, and of the commit

    async def test_after_a_crash_before_remembering_it_is_found_again(
        self, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        (text,) = texts(pull)
        assert "It is live." in text
        assert posted.comment == pull.comments[0].id

    @pytest.mark.parametrize("same", [True, False])
    async def test_is_made_again_if_a_person_deleted_it(
        self,
        practice: PracticeGitHub,
        pull: PullRequest,
        reporter: GitHubReporter,
        same: bool,  # noqa: FBT001 - a parameter of the table
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), posted)
        practice.delete_comment(pull.comments[0])
        await reporter.report(facts_of(pull), seen(pull, State.BUILDING if same else State.LIVE), posted)
        (text,) = texts(pull)
        assert ("It is building." if same else "It is live.") in text

    async def test_what_a_person_wrote_over_it_is_put_right(self, pull: PullRequest, reporter: GitHubReporter) -> None:
        posted = Posted()
        for _ in range(2):
            posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        pull.comments[0].body = "vandalised"
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert "It is live." in texts(pull)[0]

    async def test_a_post_that_timed_out_and_landed_is_not_repeated(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        practice.faults.next("landed", f"POST {COMMENTS}")
        with pytest.raises(RetryLater):
            await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        (text,) = texts(pull)
        assert "It is live." in text
        assert posted.comment == pull.comments[0].id

    async def test_of_several_the_oldest_is_kept(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        late = practice.comment(pull, BOT, texts(pull)[0])  # the first attempt lands only now
        late.id, pull.comments[0].id = pull.comments[0].id, late.id
        posted = replace(posted, comment=pull.comments[0].id)
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        (comment,) = pull.comments
        assert comment.id == posted.comment == late.id
        assert "It is live." in comment.body

    async def test_someone_who_pastes_our_marker_is_left_alone(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        fake = f"{MARKER}\n{instance_marker('one')}\n\nhaha"
        practice.comment(pull, "stranger", fake)
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert len(pull.comments) == 2
        assert texts(pull)[0] == fake

    async def test_another_instance_with_the_same_account_is_left_alone(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        theirs = f"{MARKER}\n{instance_marker('two')}\n\n```\n{MARKER}\n{instance_marker('one')}\n```"
        practice.comment(pull, BOT, theirs)
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert len(pull.comments) == 2
        assert texts(pull)[0] == theirs

    async def test_is_found_behind_hundreds_of_others(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        for number in range(250):
            practice.comment(pull, "hana", f"comment {number}")
        await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert len(pull.comments) == 251
        assert "It is live." in texts(pull)[-1]

    async def test_nothing_is_said_of_an_end_where_nothing_was_said_before(
        self, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        posted = await reporter.report(facts_of(pull), seen(pull, State.GONE), Posted())
        assert not pull.comments
        assert not pull.deployments
        assert not pull.statuses
        assert posted.comment is None

    async def test_a_pull_request_that_is_gone_is_refused(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        facts, view = facts_of(pull), seen(pull, State.LIVE)
        practice.delete_repository("acme/shop")
        with pytest.raises(Refused, match="acme/shop#1 is gone"):
            await reporter.report(facts, view, Posted())

    async def test_a_renamed_repository_is_still_reported_to(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        facts = facts_of(pull)
        posted = await reporter.report(facts, seen(pull, State.BUILDING), Posted())
        practice.rename_repository("acme/shop", "store")
        posted = await reporter.report(facts, seen(pull, State.LIVE), posted)
        posted = await reporter.report(facts, seen(pull, State.GONE), posted)
        (text,) = texts(pull)
        assert "It is gone." in text


class TestFaults:
    @pytest.mark.parametrize("kind", ["unavailable", "landed"])
    @pytest.mark.parametrize("nth", range(12))
    async def test_a_fault_at_any_request_is_healed_by_trying_again(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter, kind: FaultKind, nth: int
    ) -> None:
        practice.faults.next("slow", times=nth, seconds=0)  # lets so many pass
        practice.faults.next(kind)
        posted, attempts = Posted(), 0
        for view in (seen(pull, State.BUILDING), seen(pull, State.LIVE)):
            told = False
            while not told:
                attempts += 1
                try:
                    posted = await reporter.report(facts_of(pull), view, posted)
                    told = True
                except ReportedInPart as error:
                    posted = error.posted
                except RetryLater:
                    assert attempts < 5
        assert attempts == 3
        assert len(pull.comments) == 1
        assert "It is live." in texts(pull)[0]
        assert [one.state for one in pull.deployments] == ["success"]
        assert pull.statuses[-1].state == "success"

    @pytest.mark.parametrize("kind", ["secondary limit", "rate limit"])
    async def test_a_limit_says_how_long_and_is_kept_to(
        self,
        practice: PracticeGitHub,
        pull: PullRequest,
        reporter: GitHubReporter,
        clock: Clock,
        kind: FaultKind,
    ) -> None:
        practice.faults.next(kind, f"POST {COMMENTS}", seconds=90)
        with pytest.raises(RetryLater) as caught:
            await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert caught.value.delay is not None
        assert caught.value.delay >= 90
        before = practice.faults.count()
        with pytest.raises(RetryLater):
            await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert practice.faults.count() == before
        clock.forward(hours=2)
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert len(pull.comments) == 1

    async def test_without_credentials_nothing_is_asked(
        self, practice: PracticeGitHub, pull: PullRequest, connected: Connect
    ) -> None:
        assert await GitHubReporter(connected()).report(facts_of(pull), seen(pull, State.LIVE), Posted()) == Posted()
        assert practice.faults.count() == 0

    async def test_a_wrong_token_is_a_fault(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        practice.faults.next("unauthorized", times=None)
        with pytest.raises(Fault):
            await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())

    @pytest.mark.parametrize(("route", "part"), [("*deployments*", "deployments"), ("*/statuses/{*}", "statuses")])
    async def test_a_missing_permission_costs_its_part_and_nothing_else(
        self,
        practice: PracticeGitHub,
        pull: PullRequest,
        reporter: GitHubReporter,
        clock: Clock,
        route: str,
        part: str,
    ) -> None:
        practice.faults.next("forbidden", route, times=None)
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        posted = await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert "It is live." in texts(pull)[0]
        assert bool(pull.deployments) is (part != "deployments")
        assert bool(pull.statuses) is (part != "statuses")
        assert practice.faults.count(f"* {route}" if not route.startswith("*") else route) == 1  # then let be
        (finding,) = await reporter.check()
        assert part in finding.words
        practice.faults.clear()
        clock.forward(hours=2)
        assert not await reporter.check()
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert pull.deployments
        assert pull.statuses

    async def test_a_clock_that_is_set_back_lets_no_part_be_for_longer(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter, clock: Clock
    ) -> None:
        practice.faults.next("forbidden", "*/statuses/{*}")
        posted = await reporter.report(facts_of(pull), seen(pull, State.BUILDING), Posted())
        assert not pull.statuses
        clock.forward(hours=-2)
        await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
        assert pull.statuses

    async def test_a_comment_that_is_forbidden_is_a_fault_after_the_rest_was_told(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        practice.faults.next("forbidden", f"POST {COMMENTS}")
        with pytest.raises(Fault, match="acme/shop#1"):
            await reporter.report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert [one.state for one in pull.deployments] == ["success"]

    async def test_a_comment_that_stays_forbidden_has_nothing_else_told_again(
        self, practice: PracticeGitHub, pull: PullRequest, reporter: GitHubReporter
    ) -> None:
        practice.faults.next("forbidden", f"POST {COMMENTS}", times=None)
        practice.faults.next("forbidden", "POST */statuses/{*}", times=None)
        posted, counts = Posted(), []
        for _ in range(3):
            with pytest.raises(ReportFault) as caught:
                await reporter.report(facts_of(pull), seen(pull, State.LIVE), posted)
            posted = caught.value.posted
            counts.append(practice.faults.count("POST *") - practice.faults.count(f"POST {COMMENTS}"))
        assert counts == [counts[0]] * 3


class TestAppMode:
    async def test_writes_as_the_apps_bot(self, pull: PullRequest, app_mode: AppMode) -> None:
        reporter = GitHubReporter(app_mode.client)
        posted = Posted()
        for state in (State.BUILDING, State.LIVE, State.GONE):
            posted = await reporter.report(
                facts_of(pull, installation=app_mode.installation.id), seen(pull, state), posted
            )
        (comment,) = pull.comments
        assert comment.user.login == "revieee[bot]"
        assert "It is gone." in comment.body
        assert [one.state for one in pull.deployments] == ["inactive"]

    async def test_without_the_permission_for_deployments_the_comment_still_comes(
        self, pull: PullRequest, app_mode: AppMode
    ) -> None:
        del app_mode.installation.permissions["deployments"]
        await GitHubReporter(app_mode.client).report(facts_of(pull), seen(pull, State.LIVE), Posted())
        assert len(pull.comments) == 1
        assert not pull.deployments
        assert [one.state for one in pull.statuses] == ["success"]
