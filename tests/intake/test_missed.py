"""Deliveries that come while the store does not work: they are refused, and lost all the same they are not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from revieee.clients.github import GitHub
from revieee.intake import missed
from revieee.intake.missed import Missed
from revieee.model.delivery import Delivery
from revieee.ports import RetryLater
from revieee.store import inbox
from revieee.store.database import Database
from revieee.testing.github import PracticeGitHub
from support.desk import Desk, desk_of
from support.practice import client, clock, connected, practice, pull
from support.storing import opened

__all__ = ["client", "clock", "connected", "practice", "pull"]

ONE = Delivery(id="one", event="installation", body=b"{}", received_at=0.0)


class Full(Database):
    """Its disk may be full: it can be read, and takes nothing."""

    full = False

    def run_here(self, work: Callable[[Session], Any]) -> Any:  # noqa: ANN401 -- handed through
        if self.full:
            raise RetryLater("The database did not answer: the disk is full.")
        return super().run_here(work)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Full]:
    one = opened(tmp_path, Full)
    yield one
    one.close()


@pytest.fixture
async def desk(practice: PracticeGitHub, database: Full, client: GitHub) -> Desk:
    desk = desk_of(practice, database, client)
    desk.know("acme/shop")
    return desk


def events(database: Full) -> Sequence[str]:
    waiting = [*database.run_here(inbox.unhandled), *database.run_here(lambda one: inbox.unhandled(one, comments=True))]
    return sorted(one.event for one in waiting)


async def refused(desk: Desk, *deliveries: Delivery) -> None:
    for one in deliveries:
        with pytest.raises(RetryLater):
            await desk.inbox.store(one)


async def test_they_are_stored_as_soon_as_it_works_again(desk: Desk, database: Full) -> None:
    database.full = True
    await refused(desk, ONE, ONE, replace(ONE, id="two", event="issue_comment"))
    with pytest.raises(RetryLater):
        await desk.inbox.store_missed()
    database.full = False
    await desk.inbox.store_missed()
    assert events(database) == ["installation", "issue_comment"]
    assert desk.inbox.to_list == set(), "nobody has to be asked"
    assert await desk.inbox.store(ONE) is False, "sent again by a person it is known"


@pytest.mark.usefixtures("pull")
async def test_more_than_fit_into_memory_are_made_up_for_by_one_listing(
    desk: Desk, database: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed, "MOST", 1)
    database.full = True
    await refused(desk, *(replace(ONE, id=str(number)) for number in range(5)))
    with pytest.raises(RetryLater):
        await desk.inbox.store_missed()
    database.full = False
    await desk.inbox.store_missed()
    assert events(database) == ["installation"]
    await desk.listing.list_new()
    assert desk.wanted() == {"acme/shop#1": True}
    await desk.inbox.store_missed()
    assert desk.inbox.to_list == set(), "once is enough"


async def test_one_that_no_store_takes_keeps_no_other_waiting(
    desk: Desk, database: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.full = True
    await refused(desk, replace(ONE, id="bad"), ONE)
    database.full = False
    add_all = inbox.add_all

    def picky(session: Session, deliveries: Sequence[Delivery]) -> Sequence[bool]:
        if any(one.id == "bad" for one in deliveries):
            raise ValueError("too long")
        return add_all(session, deliveries)

    monkeypatch.setattr(inbox, "add_all", picky)
    await desk.inbox.store_missed()
    assert events(database) == ["installation"]
    assert desk.inbox.to_list == {desk.github.repository("acme/shop").id}, "what it said is asked for"


async def test_one_that_the_store_cannot_take_now_lets_all_others_go_before_it(
    desk: Desk, database: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.full = True
    await refused(desk, replace(ONE, id="too large"), ONE)
    database.full = False
    add_all = inbox.add_all

    def small(session: Session, deliveries: Sequence[Delivery]) -> Sequence[bool]:
        if any(one.id == "too large" for one in deliveries):
            raise RetryLater("The database did not answer: got a packet bigger than max_allowed_packet.")
        return add_all(session, deliveries)

    monkeypatch.setattr(inbox, "add_all", small)
    for _ in range(2):
        with pytest.raises(RetryLater):
            await desk.inbox.store_missed()
    assert events(database) == ["installation"]


def test_what_does_not_concern_us_takes_no_place_of_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missed, "MOST", 1)
    kept = Missed()
    for number in range(3):
        kept.keep(replace(ONE, id=str(number), event="check_run", body=b""))
    kept.keep(replace(ONE, event="issue_comment"))
    assert [one.event for one in kept.kept()] == ["issue_comment"]
    assert not kept.lost


def test_large_ones_are_not_kept_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missed, "MOST_BYTES", 100)
    kept = Missed()
    for number in range(3):
        kept.keep(replace(ONE, id=str(number), body=b" " * 50))
    assert [one.id for one in kept.kept()] == ["0", "1"]
    assert kept.lost
