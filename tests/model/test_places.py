"""Places: turns are dealt to repositories, and each is told what it waits for."""

import pytest

from revieee.model.places import Queued, dealt, place_of
from revieee.model.policy import AdmissionPolicy

SHOP, BLOG = 7, 8
ADMISSION = AdmissionPolicy(environments=4, environments_per_repository=3)


def test_each_repository_has_one_in_every_round_and_who_has_none_begins() -> None:
    assert dealt([SHOP, SHOP, SHOP, BLOG, BLOG], {}) == [0, 3, 1, 4, 2]
    assert dealt([SHOP, SHOP, BLOG, BLOG, BLOG], {SHOP: 2}) == [2, 3, 0, 4, 1]


def test_as_many_may_begin_as_there_are_places() -> None:
    waiting = [(1, SHOP), (2, SHOP), (3, BLOG)]
    placed = {SHOP: 1, BLOG: 1}
    told = {one: place_of(one, waiting, placed, ADMISSION) for one, _ in waiting}
    assert told == {1: None, 3: None, 2: Queued(2, 4, of_repository=False)}


def test_a_repository_at_its_limit_waits_for_its_own() -> None:
    waiting = [(1, SHOP), (2, SHOP), (3, BLOG)]
    told = {one: place_of(one, waiting, {SHOP: 3}, ADMISSION) for one, _ in waiting}
    assert told == {1: Queued(0, 3, of_repository=True), 2: Queued(1, 3, of_repository=True), 3: None}


@pytest.mark.parametrize(
    ("queued", "words"),
    [
        (Queued(0, 1, of_repository=False), "it is the next. There may be 1 environment at a time."),
        (Queued(1, 10, of_repository=False), "1 is before it. There may be 10 environments at a time."),
        (
            Queued(2, 5, of_repository=True),
            "2 of this repository are before it. This repository may have 5 environments",
        ),
        (Queued(11, 5, of_repository=False), "more than 10 are before it. There may be 5 environments at a time."),
    ],
)
def test_it_is_said_in_words(queued: Queued, words: str) -> None:
    assert str(queued).startswith(f"Waits for a place: {words}")
