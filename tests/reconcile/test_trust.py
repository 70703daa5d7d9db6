"""Strangers' pull requests on the memory engine: they wait, run apart and with less, and never mix with the trusted."""

from collections.abc import Callable

import pytest

from revieee.model.desire import desire
from revieee.model.environment import Environment
from revieee.model.facts import PullRequestFacts
from revieee.model.policy import AdmissionPolicy
from revieee.model.route import RouteState
from revieee.model.telling import view_of
from revieee.model.trust import Trust
from revieee.model.view import State, View
from revieee.ports import BuildRequest, Write
from revieee.reporters import words
from revieee.store import wishes
from support.reconciling import HOST, Plane, commit, facts

GREEDY = b"""
services:
  web:
    build: .
    ports: ["80"]
    mem_limit: 2g
    cpus: 2
"""


def fork(number: int = 1, *, minute: int = 0) -> PullRequestFacts:
    return facts(number, minute=minute, head_repository=8, author="stranger", head_owner="stranger")


def record(control: Plane, change: Callable[[Trust], Trust]) -> None:
    control.database.run_here(
        lambda session: wishes.record_trust(
            session, 1, change, lambda one, trust: desire(one, AdmissionPolicy(), trust), now=control.clock.now()
        )
    )


async def approve(control: Plane) -> Environment:
    record(control, lambda trust: trust.approve("maintainer", at=control.clock.now()))
    return await control.settle()


async def vouch(control: Plane, number: int) -> Environment:
    record(control, lambda trust: trust.asked(commit(number), may_write=True, at=control.clock.now()))
    return await control.settle()


def view(control: Plane) -> View:
    return view_of(control.environment(), instance="abcd", base_url="http://localhost:8080")


@pytest.fixture
def requests(control: Plane, monkeypatch: pytest.MonkeyPatch) -> list[BuildRequest]:
    """What was asked of the builder."""
    asked: list[BuildRequest] = []
    build = control.builder.build

    async def noted(request: BuildRequest, write: Write) -> object:
        asked.append(request)
        return await build(request, write)

    monkeypatch.setattr(control.builder, "build", noted)
    return asked


async def test_a_fork_waits_and_nothing_of_it_is_fetched_or_built(control: Plane) -> None:
    environment = await control.settle(fork())
    assert environment.releases == ()
    assert not environment.placed
    told = view(control)
    assert (told.state, told.headline) == (State.NONE, "This pull request waits for approval.")
    assert "/revieee approve" in told.next_act
    comment = words.comment(told)
    assert "waits for approval" in comment
    assert "/revieee approve" in comment
    status = words.status(told)
    assert status is not None
    assert status.state == "success", "it stands in the way of no merge"


async def test_an_approved_stranger_builds_apart_and_without_network(
    control: Plane, requests: list[BuildRequest]
) -> None:
    await control.settle(fork())
    environment = await approve(control)
    assert environment.live is not None
    assert not environment.live.trusted
    assert [(one.online, one.own, one.cache_scope) for one in requests] == [(False, False, "7 stranger")]
    assert "Approved by maintainer." in words.comment(view(control))


async def test_the_repositorys_own_code_builds_with_network(control: Plane, requests: list[BuildRequest]) -> None:
    await control.settle(facts())
    assert [(one.online, one.own, one.cache_scope) for one in requests] == [(True, True, "7 own")]


async def test_an_approved_stranger_has_lower_limits(control: Plane) -> None:
    stranger = fork()
    control.source.commits[stranger.head_commit] = {"compose.yaml": GREEDY, "Dockerfile": b"FROM busybox"}
    await control.settle(stranger)
    environment = await approve(control)
    assert environment.live is not None
    assert environment.live.manifest is not None
    limits = environment.live.manifest.stack.service("web").limits
    assert (limits.memory, limits.cpus) == (2**30, 1.0)
    assert environment.live.manifest.notices


async def test_a_newer_push_waits_while_the_approved_commit_stays(control: Plane) -> None:
    await control.settle(fork())
    first = await approve(control)
    assert first.live is not None
    pushed = await control.settle(fork(2, minute=1))
    assert pushed.live == first.live
    told = view(control)
    assert (told.state, told.commit, told.waiting_commit) == (State.LIVE, commit(1), commit(2))
    assert f"Commit `{commit(2)[:12]}` waits for approval" in words.comment(told)

    second = await approve(control)
    assert second.live is not None
    assert second.live.commit == commit(2)
    assert second.incarnation == first.incarnation
    assert view(control).waiting_commit is None


async def test_a_push_does_not_end_the_build_of_the_approved_commit(control: Plane) -> None:
    await control.settle(fork())
    record(control, lambda trust: trust.approve("maintainer", at=control.clock.now()))
    control.wish(fork(2, minute=1))
    environment = await control.settle()
    assert environment.live is not None
    assert environment.live.commit == commit(1)


async def test_what_a_stranger_left_is_not_there_for_the_trusted(control: Plane) -> None:
    await control.settle(fork())
    stranger = await approve(control)
    await control.settle(fork(2, minute=1))
    trusted = await vouch(control, 2)
    assert trusted.live is not None
    assert trusted.live.trusted
    assert trusted.incarnation == stranger.incarnation + 1, "no volume, no network is shared"
    assert control.router.routes[HOST].state is RouteState.UP


async def test_destroyed_it_comes_back_with_an_approval(control: Plane) -> None:
    await control.settle(fork())
    await approve(control)
    control.database.run_here(
        lambda session: wishes.destroy(
            session, 1, lambda one, trust: desire(one, AdmissionPolicy(), trust), now=control.clock.now()
        )
    )
    assert not (await control.settle()).placed
    await control.settle(fork(2, minute=1))
    assert not control.environment().placed, "the newer commit waits"
    assert (await approve(control)).live is not None
