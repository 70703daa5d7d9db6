"""Facts: what deliveries and listings say, put together."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from revieee.model.facts import KNOWN, Known, PullRequestFacts, merge
from support.storing import OPENED, RENAMED, SHOP, commit, facts


def told(*several: PullRequestFacts) -> Known:
    """What is known after these, in this order."""
    known = None
    for one in several:
        known = merge(known, one)
    assert known is not None
    return known


@st.composite
def deliveries(draw: st.DrawFn) -> PullRequestFacts:
    """Facts of few seconds and few commits, so that ties are the rule."""
    return replace(
        facts(draw(st.integers(1, 4))),
        open=draw(st.booleans()),
        merged=draw(st.booleans()),
        draft=draw(st.booleans()),
        title=draw(st.sampled_from(["", "a", "😀"])),
        labels=draw(st.sampled_from([(), ("one",), ("one", "two")])),
        repository=draw(st.sampled_from([SHOP, RENAMED])),
        before=draw(st.sampled_from([None, *(commit(number) for number in range(1, 5))])),
        updated_at=OPENED + timedelta(seconds=draw(st.integers(0, 2))),
    )


@given(st.lists(deliveries(), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_end_in_the_same(several: list[PullRequestFacts], random: Random) -> None:
    again = [*several, *several]
    random.shuffle(again)
    assert told(*again) == told(*several)


@given(st.lists(deliveries(), max_size=6), st.lists(deliveries(), max_size=6), deliveries())
def test_the_forges_answer_wins_its_second_whenever_deliveries_come(
    before: list[PullRequestFacts], after: list[PullRequestFacts], answer: PullRequestFacts
) -> None:
    answer = replace(answer, before=None, updated_at=OPENED + timedelta(seconds=2))
    known = None
    for one in before:
        known = merge(known, one)
    known = merge(known, answer, settled=True)
    for one in after:
        known = merge(known, one)
    assert known.facts == answer


@given(st.lists(deliveries(), min_size=1, max_size=8))
def test_the_newest_second_is_what_counts(several: list[PullRequestFacts]) -> None:
    newest = max(one.updated_at for one in several)
    assert told(*several) == told(*(one for one in several if one.updated_at == newest))
    assert told(*several).facts.updated_at == newest


@given(st.lists(deliveries(), min_size=1, max_size=8))
def test_closed_wins_in_its_second(several: list[PullRequestFacts]) -> None:
    newest = max(one.updated_at for one in several)
    assert told(*several).facts.open == all(one.open for one in several if one.updated_at == newest)


@given(st.integers(2, 6), st.randoms(use_true_random=False))
def test_of_pushes_in_one_second_the_last_one_counts(length: int, random: Random) -> None:
    pushes = [facts(1), *(facts(one, before=commit(one - 1)) for one in range(2, length + 1))]
    random.shuffle(pushes)
    known = told(*pushes)
    assert known.facts.head_commit == commit(length)
    assert not known.unclear


def test_pushes_back_and_forth_in_one_second_are_for_the_forge() -> None:
    known = told(facts(1), facts(2, before=commit(1)), facts(1, before=commit(2)))
    assert known.unclear
    assert merge(known, facts(1), settled=True) == Known(latest=(facts(1),), settled=True)


def test_a_push_wins_over_what_says_nothing_of_it() -> None:
    known = told(facts(2, before=commit(9)), facts(1, title="later in the alphabet"))
    assert known.facts.head_commit == commit(2)
    assert known.unclear


def test_a_late_delivery_of_a_settled_second_changes_nothing_but_is_asked_about() -> None:
    settled = merge(told(facts(1, open=False)), facts(1), settled=True)
    assert settled.facts.open
    late = merge(settled, facts(1, open=False))
    assert late.facts.open
    assert late.unclear
    assert not merge(late, facts(1), settled=True).unclear


def test_a_delivery_that_says_what_the_forge_said_is_no_news() -> None:
    settled = merge(None, facts(2), settled=True)
    assert merge(settled, facts(2, before=commit(1), repository=RENAMED)) == settled


def test_an_older_answer_of_the_forge_changes_nothing() -> None:
    known = told(facts(2, after=5))
    assert merge(known, facts(1), settled=True) == known


def test_a_newer_second_replaces_a_settled_one() -> None:
    settled = merge(None, facts(1), settled=True)
    assert merge(settled, facts(2, after=1)) == Known(latest=(facts(2, after=1),))


def test_a_flood_in_one_second_does_not_grow_for_ever() -> None:
    known = told(*(facts(1, title=str(number)) for number in range(1000)))
    assert len(known.latest) <= 64
    assert known.unclear


@given(st.lists(deliveries(), min_size=1, max_size=4), st.booleans())
def test_what_is_known_is_stored_as_it_is(several: list[PullRequestFacts], settled: bool) -> None:  # noqa: FBT001 - drawn
    known = merge(told(*several), several[0], settled=settled)
    assert KNOWN.validate_json(KNOWN.dump_json(known)) == known


def test_a_fork_is_another_repository_or_none() -> None:
    assert not facts().fork
    assert facts(head_repository=8).fork
    assert facts(head_repository=None).fork
