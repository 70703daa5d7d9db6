"""What should be, by facts and policy alone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from revieee.model.desire import Desire, covers, desire
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.policy import AdmissionPolicy, ForkPolicy
from revieee.model.trust import Trust

FACTS = PullRequestFacts(
    repository=RepositoryFacts(id=7, name="acme/shop"),
    number=12,
    open=True,
    head_commit="a" * 40,
    head_repository=7,
    base_ref="main",
    updated_at=datetime(2026, 3, 1, tzinfo=UTC),
)
EVERYTHING = AdmissionPolicy(forks=ForkPolicy.ALLOW)


def test_an_open_pull_request_gets_its_head_commit() -> None:
    assert desire(FACTS, AdmissionPolicy()) == Desire(wanted=True, reason="", commit="a" * 40)


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize("base", ["main", "another-feature", ""])
@pytest.mark.parametrize("policy", [EVERYTHING, AdmissionPolicy()])
def test_closed_wins(merged: bool, base: str, policy: AdmissionPolicy) -> None:  # noqa: FBT001 - a parameter of the table
    wish = desire(replace(FACTS, open=False, merged=merged, base_ref=base), policy)
    assert not wish.wanted
    assert wish.reason == ("The pull request was merged." if merged else "The pull request is closed.")


FORK = replace(FACTS, head_repository=8, author="stranger", head_owner="Stranger")
SEEN = Trust().follow(FORK)
NEWER = replace(FORK, head_commit="b" * 40)
APPROVED = SEEN.approve("maintainer", at=0.0)
AUTHORS_OWN = SEEN.asked("a" * 40, may_write=True, at=0.0)


@pytest.mark.parametrize("head", [8, None])
def test_forks_are_refused_or_allowed_by_policy(head: int | None) -> None:
    fork = replace(FORK, head_repository=head)
    allowed = desire(fork, EVERYTHING)
    assert (allowed.wanted, allowed.trusted, allowed.ask) == (True, False, False)
    refused = desire(fork, AdmissionPolicy(forks=ForkPolicy.REFUSE), APPROVED)
    assert not refused.wanted
    assert "fork" in refused.reason


def test_a_branch_of_the_repository_waits_for_nobody() -> None:
    wish = desire(FACTS, AdmissionPolicy(), Trust())
    assert (wish.wanted, wish.trusted, wish.waits, wish.ask) == (True, True, False, False)


@pytest.mark.parametrize(
    ("facts", "trust", "wanted", "trusted", "commit", "waits", "ask"),
    [
        (FORK, Trust(), False, False, "a", True, True),
        (FORK, SEEN.asked("a" * 40, may_write=False, at=0.0), False, False, "a", True, False),
        (FORK, AUTHORS_OWN, True, True, "a", False, False),
        (FORK, APPROVED, True, False, "a", False, False),
        (NEWER, APPROVED, True, False, "a", True, True),
        (NEWER, APPROVED.follow(NEWER), True, False, "a", True, True),
        (NEWER, AUTHORS_OWN, True, True, "a", True, True),
        (NEWER, APPROVED.follow(NEWER).asked("b" * 40, may_write=False, at=0.0), True, False, "a", True, False),
        (NEWER, APPROVED.follow(NEWER).asked("b" * 40, may_write=True, at=0.0), True, True, "b", False, False),
        (NEWER, APPROVED.follow(NEWER).approve("maintainer", at=1.0), True, False, "b", False, False),
        (replace(FORK, head_owner="other"), Trust(), False, False, "a", True, False),
        (replace(FORK, head_owner="", head_repository=None), Trust(), False, False, "a", True, False),
        (replace(FORK, author="", head_owner=""), Trust(), False, False, "a", True, False),
    ],
)
def test_a_fork_waits_until_somebody_vouches_for_its_commit(  # noqa: PLR0913 - the columns of a table
    facts: PullRequestFacts,
    trust: Trust,
    *,
    wanted: bool,
    trusted: bool,
    commit: str,
    waits: bool,
    ask: bool,
) -> None:
    wish = desire(facts, AdmissionPolicy(), trust)
    assert (wish.wanted, wish.trusted, wish.waits, wish.ask) == (wanted, trusted, waits, ask)
    assert wish.commit == commit * 40
    assert bool(wish.reason) is waits


def test_a_repository_that_is_not_served_is_told_so() -> None:
    wish = desire(FACTS, AdmissionPolicy(repositories=("other/*",)))
    assert not wish.wanted
    assert "acme/shop" in wish.reason


@pytest.mark.parametrize(
    ("patterns", "name", "served"),
    [
        (("*",), "acme/shop", True),
        (("acme/*",), "acme/shop", True),
        (("ACME/Shop",), "acme/shop", True),
        (("acme/*",), "acme2/shop", False),
        (("acme/*", "!acme/secret"), "acme/secret", False),
        (("!acme/secret", "acme/*"), "acme/other", True),
        (("!acme/secret",), "acme/other", False),
        ((), "acme/shop", False),
    ],
)
def test_patterns(patterns: tuple[str, ...], name: str, served: bool) -> None:  # noqa: FBT001 - a parameter of the table
    assert covers(patterns, name) is served
