"""Listings, with a practice GitHub that is slow, or has lost something without saying so."""

import asyncio

import pytest

from revieee.clients.github import GitHub
from revieee.intake.listing import LATER, SOON
from revieee.store.database import Database
from revieee.testing.github import FaultKind, NewRepository, PracticeGitHub
from support.desk import Desk, desk_of
from support.practice import BOT, AppMode, app_mode, client, clock, connected, practice, pull

__all__ = ["app_mode", "client", "clock", "connected", "practice", "pull"]

PULLS = "GET /repos/{owner}/{repo}/pulls"


@pytest.fixture
async def desk(practice: PracticeGitHub, database: Database, client: GitHub) -> Desk:
    """In token mode; `acme/shop` has one open pull request and `acme/site` is there as well."""
    await practice.create_repository(NewRepository("acme/site", {"Dockerfile": "FROM scratch\n"}))
    practice.set_permission("acme/site", BOT, "write")
    return desk_of(practice, database, client)


@pytest.mark.usefixtures("pull")
async def test_deliveries_are_handled_while_a_listing_waits_for_the_forge(desk: Desk) -> None:
    await desk.view("acme/shop")
    fault = desk.github.faults.next("hold", PULLS)
    listing = asyncio.create_task(desk.listing.list_new())
    await fault.met.wait()
    await desk.view("acme/site")
    assert desk.wanted() == {}
    fault.release()
    await listing
    assert desk.wanted() == {"acme/shop#1": True}
    assert desk.inbox.to_list == {desk.github.repository("acme/site").id}


@pytest.mark.usefixtures("pull")
async def test_a_repository_that_cannot_be_listed_keeps_no_other_waiting(desk: Desk) -> None:
    ids = {await desk.view(name) for name in ("acme/site", "acme/shop")}
    desk.github.faults.next("forbidden", PULLS)
    await desk.listing.list_new()
    assert len(desk.inbox.to_list & ids) == 1, "the other one was listed"
    await desk.listing.list_new()
    assert len(desk.inbox.to_list) == 1, "it is not asked for at once"
    desk.time.time += LATER
    await desk.listing.list_new()
    assert desk.inbox.to_list == set()
    assert desk.wanted() == {"acme/shop#1": True}


@pytest.mark.usefixtures("pull")
async def test_what_the_whole_listing_did_not_reach_is_tried_again_soon_and_then_less_often(desk: Desk) -> None:
    desk.know("acme/shop")
    desk.github.faults.next("unavailable", PULLS, times=None)
    assert await desk.listing.list_all() == 0
    began, asked = desk.time.time, desk.github.faults.count(PULLS)
    while desk.time.time < began + 3 * LATER:
        desk.time.time += SOON
        await desk.listing.list_new()
    assert 5 <= desk.github.faults.count(PULLS) - asked <= 7
    desk.github.faults.clear()
    desk.time.time += LATER
    await desk.listing.list_new()
    assert desk.wanted() == {"acme/shop#1": True}


@pytest.mark.usefixtures("pull")
async def test_a_clock_that_is_set_back_puts_no_listing_off(desk: Desk) -> None:
    await desk.view("acme/shop")
    desk.github.faults.next("forbidden", PULLS)
    await desk.listing.list_new()
    assert desk.inbox.to_list
    desk.time.time -= 7200
    await desk.listing.list_new()
    assert desk.wanted() == {"acme/shop#1": True}


async def test_a_repository_that_came_into_view_and_went_is_forgotten(desk: Desk) -> None:
    await desk.view("acme/site")
    desk.github.delete_repository("acme/site")
    await desk.listing.list_new()
    assert desk.inbox.to_list == set()


@pytest.mark.usefixtures("pull")
async def test_a_long_list_is_written_in_portions(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.github.commit("acme/shop", "other", {"index.html": "other\n"})
    await desk.github.open_pull_request("acme/shop", "other", "Another")
    monkeypatch.setattr("revieee.intake.listing.TOGETHER", 1)
    sizes: list[int] = []
    record = desk.listing._record

    def counted(session: object, listed: list[object]) -> None:
        sizes.append(len(listed))
        record(session, listed)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(desk.listing, "_record", counted)
    assert await desk.listing.list_one(desk.know("acme/shop")) == 2
    assert sizes == [1, 1]


@pytest.mark.usefixtures("pull")
async def test_a_repository_that_is_absent_twice_in_a_row_is_gone(desk: Desk) -> None:
    desk.know("acme/shop")
    assert await desk.listing.list_all() == 1
    desk.github.delete_repository("acme/shop")
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": True}
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": False}


@pytest.mark.usefixtures("pull")
@pytest.mark.parametrize("kind", ["unauthorized", "forbidden", "unavailable"])
async def test_what_the_forge_does_not_say_for_sure_removes_nothing(desk: Desk, kind: FaultKind) -> None:
    desk.know("acme/shop")
    await desk.listing.list_all()
    desk.github.faults.next("not found", PULLS)
    await desk.listing.list_all()
    desk.github.faults.next(kind, times=None)
    await desk.listing.list_all()
    desk.github.faults.clear()
    desk.github.faults.next("not found", PULLS)
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": True}


@pytest.mark.usefixtures("pull")
async def test_a_repository_that_the_app_was_taken_from_is_gone(
    practice: PracticeGitHub, database: Database, app_mode: AppMode
) -> None:
    await practice.create_repository(NewRepository("acme/site", {"Dockerfile": "FROM scratch\n"}))
    desk = desk_of(practice, database, app_mode.client)
    assert await desk.listing.list_all() == 1
    practice.choose_repositories(app_mode.installation, removed=["acme/shop"])
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": True}
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": False}

    practice.choose_repositories(app_mode.installation, added=["acme/shop"])
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": True}


@pytest.mark.usefixtures("pull")
async def test_an_app_that_was_removed_altogether_has_no_environments(
    practice: PracticeGitHub, database: Database, app_mode: AppMode
) -> None:
    desk = desk_of(practice, database, app_mode.client)
    await desk.listing.list_all()
    practice.uninstall(app_mode.installation)
    await desk.listing.list_all()
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": False}


@pytest.mark.usefixtures("pull")
async def test_an_app_that_is_suspended_keeps_its_environments(
    practice: PracticeGitHub, database: Database, app_mode: AppMode
) -> None:
    desk = desk_of(practice, database, app_mode.client)
    await desk.listing.list_all()
    practice.suspend(app_mode.installation)
    await desk.listing.list_all()
    await desk.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": True}


@pytest.mark.usefixtures("pull")
async def test_a_pull_request_that_is_gone_is_closed(desk: Desk) -> None:
    shop = desk.know("acme/shop")
    await desk.listing.list_one(shop)
    desk.github.repository("acme/shop").pulls.clear()
    await desk.listing.list_one(shop)
    assert desk.wanted() == {"acme/shop#1": False}
