"""Removals: in whatever order deliveries come, what the forge shows is what stays."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

import pytest

from revieee.clients.github import GitHub
from revieee.forges.github import GitHubForge
from revieee.intake.removals import LATER, PATIENCE, SURE
from revieee.model.facts import RepositoryFacts
from revieee.ports import RetryLater
from revieee.store import environments, setback
from revieee.store.database import Database
from revieee.store.schema import EnvironmentRow
from revieee.testing.github import FaultKind, Installation, NewRepository, PracticeGitHub, PullRequest
from revieee.testing.github.webhooks import Delivery
from support.desk import Desk, desk_of
from support.practice import AppMode, app_mode, client, clock, connected, practice, pull

__all__ = ["app_mode", "client", "clock", "connected", "practice", "pull"]

INSTALLATIONS = "GET /app/installations"
DAY = 86_400.0


@pytest.fixture
async def desk(practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode, database: Database) -> Desk:
    """In App mode; pull request 1 of `acme/shop` is wanted, and `acme/site` is there as well."""
    assert pull.number == 1
    await practice.create_repository(NewRepository("acme/site", {"Dockerfile": "FROM scratch\n"}))
    one = desk_of(practice, database, app_mode.client)
    await one.listing.list_all()
    assert one.wanted() == {"acme/shop#1": True}
    return one


@pytest.fixture
def installation(app_mode: AppMode) -> Installation:
    return app_mode.installation


async def hear(desk: Desk, *told: Delivery) -> None:
    """Take in deliveries of the practice GitHub, in this order."""
    for one in told:
        await desk.hear(one.event, one.payload)


async def settle(desk: Desk, *, after: float = SURE) -> None:
    """Let time pass, and ask the forge what is to be asked."""
    desk.time.time += after
    await desk.listing.list_new()


def wishes_of(desk: Desk) -> int:
    """Count the changes of what is wanted of the one environment: one that was taken down and came back has more."""
    return desk.database.read_here(lambda session: session.get_one(EnvironmentRow, 1).revision)


def watched(desk: Desk) -> set[str]:
    return {one.name for one in desk.database.read_here(environments.repositories)}


def suspended_and_back(github: PracticeGitHub, installation: Installation) -> None:
    github.suspend(installation)
    github.suspend(installation, suspended=False)


def taken_out_and_back(github: PracticeGitHub, installation: Installation) -> None:
    github.choose_repositories(installation, removed=["acme/shop"])
    github.choose_repositories(installation, added=["acme/shop"])


def suspended_again(github: PracticeGitHub, installation: Installation) -> None:
    github.suspend(installation, suspended=False)
    github.suspend(installation)


def taken_out_again(github: PracticeGitHub, installation: Installation) -> None:
    github.choose_repositories(installation, added=["acme/shop"])
    github.choose_repositories(installation, removed=["acme/shop"])


Happening = Callable[[PracticeGitHub, Installation], None]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 0), (0, 1, 0)])
@pytest.mark.parametrize("happens", [suspended_and_back, taken_out_and_back])
async def test_what_was_taken_back_costs_no_environment_in_whatever_order_it_is_heard(
    desk: Desk, installation: Installation, happens: Happening, order: tuple[int, ...]
) -> None:
    before = wishes_of(desk)
    happens(desk.github, installation)
    told = desk.github.webhooks.deliveries[-2:]
    await hear(desk, *(told[place] for place in order))
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": True}
    assert wishes_of(desk) == before
    await settle(desk, after=DAY)
    assert wishes_of(desk) == before


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, SURE, DAY])
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 0)])
@pytest.mark.parametrize("happens", [suspended_again, taken_out_again])
async def test_what_is_gone_at_last_goes_in_whatever_order_it_is_heard(
    desk: Desk, installation: Installation, happens: Happening, order: tuple[int, ...], pause: float
) -> None:
    happens(desk.github, installation)
    told = desk.github.webhooks.deliveries[-2:]
    for place in order:
        await hear(desk, told[place])
        await settle(desk, after=pause)
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": False}
    assert "acme/shop" not in watched(desk)


async def test_a_removal_that_is_delivered_again_days_later_costs_nothing(
    desk: Desk, installation: Installation
) -> None:
    desk.github.suspend(installation)
    (suspension,) = desk.github.webhooks.deliveries[-1:]
    await hear(desk, suspension)
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": False}
    desk.github.suspend(installation, suspended=False)
    await hear(desk, desk.github.webhooks.deliveries[-1])
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": True}
    before = wishes_of(desk)
    desk.time.time += 3 * DAY
    await hear(desk, suspension)
    await settle(desk)
    assert wishes_of(desk) == before


async def test_an_app_that_was_removed_takes_all_environments_along(desk: Desk, installation: Installation) -> None:
    desk.github.uninstall(installation)
    await hear(desk, desk.github.webhooks.deliveries[-1])
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": False}
    assert watched(desk) == set()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_an_app_that_was_installed_anew_keeps_its_environments(
    desk: Desk, app_mode: AppMode, order: tuple[int, ...]
) -> None:
    before = wishes_of(desk)
    desk.github.uninstall(app_mode.installation)
    anew = desk.github.install(app_mode.app, "acme")
    told = desk.github.webhooks.deliveries[-2:]
    await hear(desk, *(told[place] for place in order))
    await settle(desk)
    assert wishes_of(desk) == before
    (one, *_) = desk.database.read_here(environments.repositories)
    assert one.installation == anew.id


async def test_a_deleted_repository_takes_its_own_environments_along(desk: Desk) -> None:
    deleted = {"id": desk.github.repository("acme/shop").id, "full_name": "acme/shop"}
    desk.github.delete_repository("acme/shop")
    await desk.hear("repository", {"action": "deleted", "repository": deleted})
    await settle(desk, after=SURE - 1)
    assert desk.wanted() == {"acme/shop#1": True}, "the forge may be a moment behind its deliveries"
    await settle(desk, after=1)
    assert desk.wanted() == {"acme/shop#1": False}
    assert watched(desk) == {"acme/site"}


@pytest.mark.usefixtures("pull")
async def test_without_an_app_the_token_tells_what_is_there(
    practice: PracticeGitHub, database: Database, client: GitHub
) -> None:
    desk = desk_of(practice, database, client)
    id_ = await desk.view("acme/shop")
    await desk.listing.list_new()
    deleted = {"action": "deleted", "repository": {"id": id_, "full_name": "acme/shop"}}
    await desk.hear("repository", deleted)
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": True}

    desk.github.delete_repository("acme/shop")
    await desk.hear("repository", deleted)
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": False}


@pytest.mark.parametrize("kind", ["unavailable", "forbidden"])
async def test_while_the_forge_does_not_answer_nothing_is_removed(
    desk: Desk, installation: Installation, kind: FaultKind
) -> None:
    desk.github.uninstall(installation)
    await hear(desk, desk.github.webhooks.deliveries[-1])
    desk.github.faults.next(kind, INSTALLATIONS, times=None)
    await settle(desk)
    await settle(desk, after=LATER - 1)
    assert desk.github.faults.count(INSTALLATIONS) == 2, "once when all was listed, once for the removal"
    assert desk.wanted() == {"acme/shop#1": True}
    desk.github.faults.clear()
    await settle(desk, after=DAY / 2)
    assert desk.wanted() == {"acme/shop#1": False}


async def test_a_clock_that_is_set_back_holds_up_no_removal(desk: Desk, installation: Installation) -> None:
    look = partial(setback.note, clock=desk.time.now)
    desk.database.run_here(look)
    desk.github.uninstall(installation)
    await hear(desk, desk.github.webhooks.deliveries[-1])
    desk.github.faults.next("unavailable", INSTALLATIONS)
    await settle(desk)
    desk.time.time -= DAY
    desk.database.run_here(look)
    await settle(desk)
    assert desk.wanted() == {"acme/shop#1": False}


async def test_a_forge_that_never_answers_holds_up_no_removal_for_ever(desk: Desk, installation: Installation) -> None:
    desk.github.uninstall(installation)
    await hear(desk, desk.github.webhooks.deliveries[-1])
    desk.github.faults.next("unavailable", times=None)
    await settle(desk, after=PATIENCE - 1)
    assert desk.wanted() == {"acme/shop#1": True}
    await settle(desk, after=DAY)
    assert desk.wanted() == {"acme/shop#1": False}


async def test_a_process_that_begins_asks_what_another_one_left_open(desk: Desk, app_mode: AppMode) -> None:
    desk.github.suspend(app_mode.installation)
    await hear(desk, desk.github.webhooks.deliveries[-1])
    next_one = desk_of(desk.github, desk.database, app_mode.client)
    next_one.time.time = desk.time.now() + SURE
    await next_one.listing.list_all()
    assert desk.wanted() == {"acme/shop#1": False}


async def test_what_is_heard_while_the_forge_answers_is_asked_about_again(
    desk: Desk, installation: Installation
) -> None:
    before = wishes_of(desk)
    desk.github.suspend(installation)
    await hear(desk, desk.github.webhooks.deliveries[-1])
    fault = desk.github.faults.next("hold", INSTALLATIONS)
    desk.time.time += SURE
    asking: Awaitable[None] = asyncio.create_task(desk.listing.list_new())
    await asyncio.wait_for(fault.met.wait(), 10)
    desk.github.suspend(installation, suspended=False)
    desk.time.time += 1
    await hear(desk, desk.github.webhooks.deliveries[-1])
    desk.github.suspend(installation)  # so that the answer on its way is the old one
    fault.release()
    await asking
    desk.github.suspend(installation, suspended=False)
    await settle(desk)
    assert wishes_of(desk) == before


async def test_what_was_shown_before_the_forge_broke_off_is_there_also_after_a_day(
    desk: Desk, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = GitHubForge.repositories

    async def breaks_off(forge: GitHubForge, known: Sequence[RepositoryFacts] = ()) -> AsyncIterator[RepositoryFacts]:
        async for one in shown(forge, known):
            yield one
        raise RetryLater("GitHub does not answer: 502")

    monkeypatch.setattr(GitHubForge, "repositories", breaks_off)
    taken_out_and_back(desk.github, installation)
    await hear(desk, desk.github.webhooks.deliveries[-2])
    await settle(desk)
    await settle(desk, after=PATIENCE + DAY)
    assert desk.wanted() == {"acme/shop#1": True}


async def test_an_installation_that_lets_us_not_ask_is_there_and_keeps_no_other_waiting(
    desk: Desk, installation: Installation
) -> None:
    desk.github.choose_repositories(installation, removed=["acme/shop"])
    await hear(desk, desk.github.webhooks.deliveries[-1])
    desk.github.faults.next("forbidden", "GET /installation/repositories", times=None)
    await settle(desk)
    await settle(desk, after=PATIENCE + DAY)
    assert desk.wanted() == {"acme/shop#1": True}
    desk.github.faults.clear()
