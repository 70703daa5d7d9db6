"""Limits and addresses: who waits for whom, and who gets which subnet."""

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.policy import AdmissionPolicy, Policy
from revieee.ports import AddressTaken, Placement
from revieee.reconcile.loop import Reconciler
from revieee.store.schema import EnvironmentRow
from support.reconciling import REPOSITORY, Plane, commit, facts, plane

pytestmark = pytest.mark.slow

OTHER = RepositoryFacts(id=8, name="acme/blog")


def pull(
    number: int, repository: RepositoryFacts = REPOSITORY, *, minute: int = 0, **changes: object
) -> PullRequestFacts:
    """A pull request of any of them, each with a commit of its own."""
    mine = {"number": number, "repository": repository, "head_repository": repository.id}
    plain = facts(repository.id * 100 + number, minute=minute)
    return replace(plain, **mine | changes)  # type: ignore[arg-type] # each test names fields of its own


def crowd(folder: Path, *, environments: int = 500, environments_per_repository: int = 50) -> Plane:
    admission = AdmissionPolicy(environments=environments, environments_per_repository=environments_per_repository)
    return plane(folder, policy=Policy(admission=admission))


async def arrive(one: Plane, *pulls: PullRequestFacts) -> list[int]:
    """Open pull requests, a second between them; gives the ids of their environments."""
    ids = []
    for each in pulls:
        one.clock.time += 1
        ids.append(one.wish(each))
        await one.reconciler.settle()
    return ids


async def leave(one: Plane, gone: PullRequestFacts, *, hear: PullRequestFacts | None = None) -> None:
    """Close one; ``hear``: somebody else comes in the same moment. No tick passes."""
    one.wish(replace(gone, open=False, updated_at=gone.updated_at.replace(minute=30)))
    if hear is not None:
        one.wish(hear)
    await one.reconciler.settle()


async def tick(one: Plane) -> None:
    """Let so much time pass that whoever waits has asked again."""
    one.clock.time += one.parts.policy.pace.tick
    await one.reconciler.settle()


def live(one: Plane, ids: list[int]) -> list[int]:
    """Tell which of them are live, as their place in the list."""
    return [index for index, id_ in enumerate(ids) if one.environment(id_).live is not None]


def said(one: Plane, ids: list[int]) -> list[str]:
    return [one.environment(id_).waiting_for for id_ in ids]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"environments_per_repository": 1}, "it is the next. This repository may have 1 environment at a time."),
        ({"environments": 1}, "it is the next. There may be 1 environment at a time."),
    ],
    ids=["of a repository", "in all"],
)
async def test_a_pull_request_over_the_limit_waits_and_begins_as_soon_as_another_goes(
    tmp_path: Path, limits: dict[str, int], words: str
) -> None:
    one = crowd(tmp_path, **limits)
    ids = await arrive(one, pull(1), pull(2))
    assert live(one, ids) == [0]
    assert said(one, ids) == ["", f"Waits for a place: {words}"]

    await leave(one, pull(1))
    assert live(one, ids) == [1]
    assert said(one, ids) == ["", ""]
    one.database.close()


async def test_who_came_first_begins_first_and_each_is_told_its_place(tmp_path: Path) -> None:
    one = crowd(tmp_path, environments_per_repository=1)
    ids = await arrive(one, *map(pull, range(1, 5)))
    before = ["it is the next", "1 of this repository is before it", "2 of this repository are before it"]
    bound = "This repository may have 1 environment at a time."
    assert said(one, ids)[1:] == [f"Waits for a place: {words}. {bound}" for words in before]

    await leave(one, pull(1), hear=pull(9))
    assert live(one, ids) == [1], "not the newcomer"
    await tick(one)
    assert said(one, ids)[2:] == [f"Waits for a place: {words}. {bound}" for words in before[:2]]
    one.database.close()


async def test_a_push_to_one_that_waits_keeps_its_place_and_a_reopened_one_waits_anew(tmp_path: Path) -> None:
    one = crowd(tmp_path, environments=1)
    ids = await arrive(one, *map(pull, range(1, 4)))
    await arrive(one, pull(2, minute=1, head_commit=commit(77)))
    await leave(one, pull(1))
    assert live(one, ids) == [1]

    await arrive(one, pull(4), pull(3, minute=1, open=False), pull(3, minute=2))
    await leave(one, pull(2))
    await tick(one)
    assert one.environment(ids[2]).live is None
    assert "it is the next" in one.environment(ids[2]).waiting_for
    one.database.close()


async def test_repositories_share_the_places_in_all(tmp_path: Path) -> None:
    one = crowd(tmp_path, environments=2)
    noisy = await arrive(one, *map(pull, range(1, 6)))
    quiet = await arrive(one, pull(1, OTHER), pull(2, OTHER))
    assert said(one, quiet)[0] == "Waits for a place: it is the next. There may be 2 environments at a time."

    await leave(one, pull(1))
    assert (live(one, noisy), live(one, quiet)) == ([1], [0])
    await leave(one, pull(2))
    assert (live(one, noisy), live(one, quiet)) == ([2], [0]), "both have one again"
    one.database.close()


async def test_one_at_the_limit_of_its_repository_keeps_no_other_repository_waiting(tmp_path: Path) -> None:
    one = crowd(tmp_path, environments=3, environments_per_repository=1)
    noisy = await arrive(one, *map(pull, range(1, 5)))
    quiet = await arrive(one, pull(1, OTHER))
    assert (live(one, noisy), live(one, quiet)) == ([0], [0])
    one.database.close()


async def test_who_got_a_place_is_not_said_to_wait_for_one(tmp_path: Path) -> None:
    one = crowd(tmp_path, environments=1)
    (_, late) = await arrive(one, pull(1), pull(2))
    assert "Waits for a place" in said(one, [late])[0]
    one.source.gate = asyncio.Event()
    one.wish(pull(1, minute=1, open=False))
    settling = asyncio.create_task(one.reconciler.settle())
    while not one.parts.queued:  # noqa: ASYNC110 -- the stand-in has no event, and a test has patience
        await asyncio.sleep(0.005)
    assert said(one, [late]) == [""]
    one.source.gate.set()
    await settling
    one.database.close()


async def test_who_cannot_begin_keeps_nobody_waiting(tmp_path: Path) -> None:
    one = crowd(tmp_path, environments=1)
    first = pull(1)
    files = {"Dockerfile": b"FROM busybox", "revieee.yml": b"when: {labels: [preview]}\n"}
    one.source.commits[pull(2).head_commit] = files
    labelled = pull(2, labels=("preview",))
    excluded = await arrive(one, pull(2), first)
    assert live(one, excluded) == [1], "of the other one it is known that there is to be none"
    await arrive(one, replace(labelled, updated_at=first.updated_at.replace(minute=1)))
    assert "it is the next" in one.environment(excluded[0]).waiting_for
    await arrive(one, pull(2, minute=2))
    closed, failing, last = await arrive(one, pull(3), pull(4), pull(5))
    one.wish(pull(3, minute=1, open=False))
    one.database.run_here(partial(_fails, environment=failing))

    await leave(one, first)
    assert live(one, [excluded[0], closed, failing, last]) == [3]
    one.database.close()


def _fails(session: Session, environment: int) -> None:
    row = session.get_one(EnvironmentRow, environment)
    row.attempts, row.due_at = 5, 10**10


async def test_two_control_planes_agree_on_who_is_next(tmp_path: Path) -> None:
    one = crowd(tmp_path, environments=2)
    other = Reconciler(replace(one.parts, owner="other"))
    pulls = [pull(number, repository) for number in range(1, 6) for repository in (REPOSITORY, OTHER)]
    ids = await arrive(one, *pulls)
    for gone in (0, 2, 4):
        assert live(one, ids) == [gone, gone + 1]
        for each in pulls[gone : gone + 2]:
            one.wish(replace(each, open=False, updated_at=each.updated_at.replace(minute=30)))
        await asyncio.gather(one.reconciler.settle(), other.settle())
    assert live(one, ids) == [6, 7]
    one.database.close()


async def test_an_environment_moves_where_another_network_has_its_subnet(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, asked = control.parts.engine.prepare, list[str | None]()

    async def taken(placement: Placement) -> None:
        asked.append(placement.subnet)
        if placement.subnet == asked[0]:
            raise AddressTaken("another network has it", delay=0)
        await prepare(placement)

    monkeypatch.setattr(control.parts.engine, "prepare", taken)
    environment = await control.settle(facts(1))

    assert environment.live is not None
    assert asked[-1] != asked[0]


async def test_it_stays_where_its_subnet_can_be_had_before_the_commit_was_fetched(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, asked = control.parts.engine.prepare, list[str | None]()

    async def taken_once(placement: Placement) -> None:
        asked.append(placement.subnet)
        if len(asked) == 1:
            raise AddressTaken("another network has it", delay=0)
        await prepare(placement)

    monkeypatch.setattr(control.parts.engine, "prepare", taken_once)
    environment = await control.settle(facts(1))

    assert environment.live is not None
    assert set(asked) == {asked[0]}
