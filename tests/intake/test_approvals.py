"""Approvals, with a practice GitHub whose deliveries the test hands over itself, in the order it wants."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from revieee.forges.github import GitHubForge, connect
from revieee.intake.approvals import AGAIN, GIVE_UP, PATIENCE, Approvals
from revieee.intake.inbox import Inbox
from revieee.model.commands import HELP, NOTHING_WAITS
from revieee.model.delivery import Delivery
from revieee.model.environment import Environment
from revieee.model.policy import AdmissionPolicy, ForkPolicy
from revieee.reconcile.parts import Bell
from revieee.store import asking, setback
from revieee.store.database import Database
from revieee.testing.github import DefaultHook, NewRepository, Opening, PracticeGitHub, PullRequest, Settings, pulls
from revieee.testing.github.webhooks import Delivery as Sent
from revieee.testing.parts import MovingClock
from support.practice import BOT, Clock
from support.storing import opened


@dataclass(kw_only=True)
class Desk:
    """Intake with a GitHub, whose deliveries wait until they are handed over."""

    github: PracticeGitHub
    pull: PullRequest
    database: Database
    inbox: Inbox
    approvals: Approvals
    time: MovingClock
    watch: Clock
    seen: set[str] = field(default_factory=set)

    def wait(self, seconds: float) -> None:
        """Let time pass, here and at GitHub."""
        self.watch.forward(seconds=seconds)
        self.time.time += seconds

    async def deliver(self, *events: str) -> None:
        """Hand over what GitHub has sent since, or of that only some events."""
        for sent in list(self.github.webhooks.deliveries):
            if sent.guid not in self.seen and (not events or sent.event in events):
                self.seen.add(sent.guid)
                await self.inbox.store(self.delivery(sent))
        await self.inbox.handle()

    def delivery(self, sent: Sent) -> Delivery:
        return Delivery(id=sent.guid, event=sent.event, body=sent.body(), received_at=self.time.now())

    async def settle(self) -> Environment:
        """Hand over everything, and let questions be asked and comments be answered."""
        await self.deliver()
        await self.approvals.handle()
        return self.environment

    async def approve(self, login: str = "maintainer", line: str = "/revieee approve") -> Environment:
        """Comment some seconds later."""
        self.wait(5)
        self.github.comment(self.pull, login, line)
        return await self.settle()

    async def push(self) -> str:
        self.wait(5)
        return await self.github.push(self.pull, {"index.html": f"{self.time.now()}\n"})

    @property
    def environment(self) -> Environment:
        found = self.database.run_here(lambda session: asking.find(session, self.pull.repository.id, self.pull.number))
        assert found is not None
        return found


@pytest.fixture
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    """A fork's pull request by `stranger`, of which nothing was handed over yet."""
    watch, time = Clock(), MovingClock()
    forks: ForkPolicy = getattr(request, "param", ForkPolicy.ASK)
    async with PracticeGitHub(tmp_path / "github", Settings(clock=watch)) as github:
        hook = DefaultHook(url="http://127.0.0.1:9/", secret="practice")
        github.webhooks.hold()
        await github.create_repository(NewRepository("acme/shop", {"Dockerfile": "FROM scratch\n"}))
        github.add_hook("acme/shop", hook)
        github.set_permission("acme/shop", BOT, "write")
        github.set_permission("acme/shop", "maintainer", "write")
        github.set_permission("acme/shop", "reader", "read")
        await github.fork("acme/shop", "stranger")
        await github.commit("stranger/shop", "feature", {"index.html": "new\n"})
        pull = await github.open_pull_request("acme/shop", "feature", "A page", Opening(fork="stranger/shop"))
        client = connect(token=github.personal_token(BOT), api_url=github.api, clock=watch)
        database = opened(tmp_path, Database)
        inbox = Inbox(database, AdmissionPolicy(forks=forks), time, Bell())
        approvals = Approvals(database, GitHubForge(client), inbox, time, Bell())
        yield Desk(
            github=github, pull=pull, database=database, inbox=inbox, approvals=approvals, time=time, watch=watch
        )
        database.close()
        await client.close()


async def test_a_stranger_waits_and_a_writer_approves_exactly_this_commit(desk: Desk) -> None:
    waiting = await desk.settle()
    assert (waiting.wanted, waiting.waits) == (False, True)
    assert "stranger may not write to acme/shop" in waiting.wanted_reason

    approved = await desk.approve()
    assert (approved.wanted, approved.trusted, approved.waits) == (True, False, False)
    assert approved.commit == desk.pull.head_sha
    assert approved.trust.approval is not None
    assert approved.trust.approval.by == "maintainer"


async def test_an_author_who_may_write_waits_for_nobody(desk: Desk) -> None:
    desk.github.set_permission("acme/shop", "stranger", "write")
    one = await desk.settle()
    assert (one.wanted, one.trusted, one.waits) == (True, True, False)


async def test_an_author_who_may_write_does_not_vouch_for_the_fork_of_another(desk: Desk) -> None:
    await desk.github.commit("stranger/shop", "other", {"index.html": "other\n"})
    desk.pull = await desk.github.open_pull_request(
        "acme/shop", "other", "Theirs", Opening(fork="stranger/shop", author="maintainer")
    )
    one = await desk.settle()
    assert (one.wanted, one.waits) == (False, True)
    assert "not the author's own" in one.wanted_reason


async def test_a_new_push_waits_again_and_the_approved_commit_stays(desk: Desk) -> None:
    await desk.settle()
    first = (await desk.approve()).commit
    second = await desk.push()
    pushed = await desk.settle()
    assert (pushed.wanted, pushed.commit, pushed.waits) == (True, first, True)

    approved = await desk.approve()
    assert (approved.commit, approved.waits) == (second, False)


async def test_who_lost_write_access_is_a_stranger_with_the_next_push(desk: Desk) -> None:
    desk.github.set_permission("acme/shop", "stranger", "write")
    first = (await desk.settle()).commit
    desk.github.set_permission("acme/shop", "stranger", "read")
    await desk.push()
    one = await desk.settle()
    assert (one.commit, one.trusted, one.waits) == (first, True, True)


@pytest.mark.parametrize("login", ["reader", "stranger", "nobody"])
async def test_who_may_not_write_is_answered_and_not_obeyed(desk: Desk, login: str) -> None:
    desk.github.set_permission("acme/shop", "reader", "read")
    await desk.settle()
    one = await desk.approve(login)
    assert (one.wanted, one.waits) == (False, True)
    assert one.trust.answer == f"Not approved: {login} may not write to acme/shop."


async def test_a_push_after_the_comment_is_not_approved(desk: Desk) -> None:
    await desk.settle()
    desk.wait(5)
    desk.github.comment(desk.pull, "maintainer", "/revieee approve")
    second = await desk.push()
    one = await desk.settle()
    assert (one.wanted, one.waits) == (False, True)
    assert one.trust.head == second
    assert second[:12] in one.trust.answer


async def test_a_push_of_the_same_second_is_not_approved(desk: Desk) -> None:
    await desk.settle()
    await desk.push()
    desk.github.comment(desk.pull, "maintainer", "/revieee approve")
    assert not (await desk.settle()).wanted


async def test_a_comment_that_comes_before_the_delivery_of_the_push_waits_for_it(desk: Desk) -> None:
    await desk.settle()
    second = await desk.push()
    desk.wait(5)
    desk.github.comment(desk.pull, "maintainer", "/revieee approve")
    await desk.deliver("issue_comment")
    assert await desk.approvals.handle() == 0, "GitHub's head is not the one we know"

    desk.wait(AGAIN + 1)
    one = await desk.settle()
    assert (one.wanted, one.commit) == (True, second)


async def test_a_push_whose_delivery_is_lost_is_not_approved_and_told_so(desk: Desk) -> None:
    await desk.settle()
    second = await desk.push()
    desk.wait(5)
    desk.github.comment(desk.pull, "maintainer", "/revieee approve")
    await desk.deliver("issue_comment")
    await desk.approvals.handle()
    desk.wait(PATIENCE)
    await desk.approvals.handle()
    one = desk.environment
    assert (one.wanted, one.trust.head) == (False, second)
    assert second[:12] in one.trust.answer

    assert (await desk.approve()).commit == second


async def test_a_comment_that_comes_before_the_pull_request_waits_for_it(desk: Desk) -> None:
    desk.wait(5)
    desk.github.comment(desk.pull, "maintainer", "/revieee approve")
    await desk.deliver("issue_comment")
    assert await desk.approvals.handle() == 0
    desk.wait(AGAIN + 1)
    assert (await desk.settle()).wanted


async def test_a_clock_that_is_set_back_puts_off_neither_a_comment_nor_its_answer(desk: Desk) -> None:
    look = partial(setback.note, clock=desk.time.now)
    await desk.settle()
    second = await desk.push()
    desk.wait(5)
    desk.github.comment(desk.pull, "maintainer", "/revieee approve")
    await desk.deliver("issue_comment")
    assert await desk.approvals.handle() == 0
    desk.database.run_here(look)
    desk.time.time -= GIVE_UP
    desk.database.run_here(look)
    desk.wait(PATIENCE + 1)
    assert await desk.approvals.handle() == 1
    assert second[:12] in desk.environment.trust.answer


async def test_only_a_new_comment_is_a_command(desk: Desk) -> None:
    await desk.settle()
    desk.wait(5)
    comment = desk.github.comment(desk.pull, "stranger", "Please look.")
    await desk.settle()
    pulls.edit_comment(desk.github.hub, comment, "/revieee approve", desk.github.state.user("maintainer"))
    assert (await desk.settle()).waits
    desk.github.delete_comment(comment, by="maintainer")
    one = await desk.settle()
    assert (one.waits, one.trust.answer) == (True, "")


async def test_the_same_comment_twice_is_one(desk: Desk) -> None:
    await desk.settle()
    await desk.approve()
    sent = next(one for one in desk.github.webhooks.deliveries if one.event == "issue_comment")
    await desk.push()
    await desk.settle()
    desk.wait(5)
    assert not await desk.inbox.store(desk.delivery(sent))
    await desk.approvals.handle()
    assert desk.environment.waits, "an old approval is of the old commit"


async def test_other_commands_are_answered_with_help(desk: Desk) -> None:
    await desk.settle()
    assert (await desk.approve("stranger", "/revieee destroy")).trust.answer == HELP


@pytest.mark.parametrize("desk", [ForkPolicy.REFUSE, ForkPolicy.ALLOW], indirect=True)
async def test_where_nobody_is_asked_nothing_is_approved(desk: Desk) -> None:
    one = await desk.approve()
    assert one.trust.answer == NOTHING_WAITS
    assert one.trust.approval is None


async def test_a_branch_of_the_repository_asks_github_nothing(desk: Desk) -> None:
    await desk.github.commit("acme/shop", "own", {"index.html": "own\n"})
    desk.pull = await desk.github.open_pull_request("acme/shop", "own", "Ours")
    before = desk.github.faults.count()
    one = await desk.settle()
    assert (one.wanted, one.trusted) == (True, True)
    assert desk.github.faults.count("*/collaborators/*") == 1, "about the author of the other one, from a fork"
    assert desk.github.faults.count() == before + 1


async def test_while_github_is_down_a_fork_waits_and_is_asked_about_again(desk: Desk) -> None:
    desk.github.faults.next("unavailable", "GET */collaborators/*", times=None)
    one = await desk.settle()
    assert (one.wanted, one.waits) == (False, True)
    assert "has not said yet" in one.wanted_reason
    desk.github.faults.clear()
    desk.github.set_permission("acme/shop", "stranger", "write")
    desk.wait(600)
    assert (await desk.settle()).wanted


async def test_a_command_is_given_up_after_an_hour(desk: Desk) -> None:
    await desk.settle()
    desk.github.faults.next("unavailable", "GET */collaborators/*", times=None)
    await desk.approve()
    assert desk.environment.trust.answer == ""
    desk.github.faults.clear()
    desk.wait(GIVE_UP + 1)
    assert "Comment once more" in (await desk.settle()).trust.answer


async def test_a_close_ends_the_approval(desk: Desk) -> None:
    await desk.settle()
    await desk.approve()
    desk.wait(5)
    await desk.github.close(desk.pull)
    assert not (await desk.settle()).wanted
    desk.wait(5)
    await desk.github.reopen(desk.pull)
    reopened = await desk.settle()
    assert (reopened.wanted, reopened.waits) == (False, True)
