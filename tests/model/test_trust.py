"""Trust: who vouched for which commit, and what a push, a close and a command make of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from revieee.model import commands
from revieee.model.commands import Approve
from revieee.model.trust import TRUST, Approval, Trust
from support.storing import NOW, OPENED, commit, facts

FORK = facts(1, head_repository=8, author="stranger", head_owner="Stranger")
SEEN = Trust().follow(FORK)


def later(seconds: float) -> datetime:
    return OPENED + timedelta(seconds=seconds)


def test_a_head_is_known_since_the_first_facts_that_named_it() -> None:
    assert (SEEN.head, SEEN.since) == (commit(1), OPENED)
    assert SEEN.follow(replace(FORK, updated_at=later(60), title="Another")) == SEEN


def test_an_author_who_may_write_vouches_for_the_head_alone() -> None:
    asked = SEEN.asked(commit(1), may_write=True, at=NOW)
    assert asked.vouched
    assert asked.approval is not None
    assert asked.approval.trusted
    pushed = asked.follow(replace(FORK, head_commit=commit(2), updated_at=later(5)))
    assert not pushed.vouched
    assert pushed.author_writes is None, "it is asked anew for every head"
    assert pushed.approval == asked.approval, "what runs goes on"


def test_an_answer_about_another_head_says_nothing() -> None:
    assert SEEN.asked(commit(9), may_write=True, at=NOW) == SEEN


def test_an_answer_that_comes_late_changes_no_approval() -> None:
    approved = SEEN.approve("maintainer", at=NOW)
    assert approved.asked(commit(1), may_write=True, at=NOW) == approved


def test_an_approved_commit_is_still_a_strangers() -> None:
    approval = SEEN.approve("maintainer", at=NOW).approval
    assert approval == Approval(commit=commit(1), by="maintainer", at=NOW)
    assert not approval.trusted


def test_a_close_ends_what_was_approved() -> None:
    closed = SEEN.approve("maintainer", at=NOW).follow(replace(FORK, open=False, updated_at=later(9)))
    assert closed.approval is None
    assert not closed.follow(replace(FORK, updated_at=later(10))).vouched


def test_a_head_that_comes_back_is_approved_only_if_it_was_itself() -> None:
    approved = SEEN.approve("maintainer", at=NOW)
    away = approved.follow(replace(FORK, head_commit=commit(2), updated_at=later(5)))
    assert away.follow(replace(FORK, updated_at=later(9))).vouched, "exactly the approved commit"


def test_a_head_that_came_back_is_a_new_one_also_if_nobody_told_of_the_one_between() -> None:
    away = replace(FORK, head_commit=commit(2), before=commit(1), updated_at=later(5))
    back = replace(FORK, before=commit(2), updated_at=later(9))
    asked = SEEN.asked(commit(1), may_write=False, at=NOW)
    returned = asked.follow(back)
    assert returned == asked.follow(away).follow(back)
    assert returned.follow(back) == returned, "the same delivery twice"
    early, late = (
        commands.obey(returned, command=Approve(), by="maintainer", written=later(seconds), now=NOW)
        for seconds in (6, 10)
    )
    assert not early.vouched, "the other one stood there when it was written"
    assert late.vouched


def test_the_push_that_brought_the_head_is_no_return() -> None:
    first = replace(FORK, before=commit(9))
    seen = Trust().follow(first)
    assert seen.follow(first) == seen
    assert seen.follow(replace(FORK, before=commit(1), updated_at=later(5))) == seen, "nothing was replaced"


def test_trust_is_stored_and_read_again() -> None:
    trust = replace(SEEN.approve("maintainer", at=NOW), answer="Nothing.")
    assert TRUST.validate_json(TRUST.dump_json(trust)) == trust


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("/revieee approve", Approve()),
        ("/revieee   Approve ", Approve()),
        ("/revieee approve " + commit(1), Approve(commit(1))),
        ("/revieee approve ABCDEF0", Approve("abcdef0")),
        ("/revieee approve abc", None),
        ("/revieee approve please", None),
        ("/revieee approved", None),
        ("/revieee", None),
        ("/revieee destroy", None),
    ],
)
def test_commands(line: str, read: Approve | None) -> None:
    assert commands.read(line) == read


@pytest.mark.parametrize(
    ("named", "written", "obeyed"),
    [
        ("", 1, True),
        ("", 0, False),  # the second of the push: before or after, nobody can tell
        ("", -1, False),
        (commit(1), -1, True),  # the whole hash leaves no doubt
        (commit(1)[:12], 1, True),
        (commit(1)[:12], -1, False),  # another commit can be made to begin alike
        (commit(2), 1, False),
    ],
)
def test_what_counts_is_the_head_of_the_moment_it_was_written(named: str, written: float, obeyed: bool) -> None:  # noqa: FBT001 - a column of the table
    after = commands.obey(SEEN, command=Approve(named), by="maintainer", written=later(written), now=NOW)
    assert after.vouched is obeyed
    assert bool(after.answer) is not obeyed


def test_nothing_is_approved_twice() -> None:
    approved = SEEN.approve("maintainer", at=NOW)
    again = commands.obey(approved, command=Approve(), by="other", written=later(5), now=NOW + 5)
    assert again.approval == approved.approval
    assert again.answer == commands.NOTHING_WAITS
