"""The life of an environment, from open to close, on the memory engine."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from revieee.engines.memory import Behaviour
from revieee.model.phases import Verdict
from revieee.model.resolve import ResolvedStack
from revieee.model.route import RouteState
from revieee.ports import Observed, Placement, Refused
from revieee.reconcile.tick import tick
from support.reconciling import HOST, Plane, commit, facts

pytestmark = pytest.mark.slow


async def test_an_opened_pull_request_becomes_live(control: Plane) -> None:
    environment = await control.settle(facts(1))

    assert environment.live is not None
    assert environment.live.commit == commit(1)
    assert control.router.routes[HOST].state is RouteState.UP
    assert await control.keys() == {"web", "db"}


async def test_a_push_replaces_what_changed_and_keeps_the_rest(control: Plane) -> None:
    first = await control.settle(facts(1))
    second = await control.settle(facts(2, minute=1))

    assert first.live is not None
    assert second.live is not None
    assert second.live.commit == commit(2)
    assert first.live.stack is not None
    assert second.live.stack is not None
    assert first.live.stack.task_of("db").key == second.live.stack.task_of("db").key
    assert first.live.stack.task_of("web").key != second.live.stack.task_of("web").key
    assert len((await control.parts.engine.observe_all(control.parts.instance))[1].keys) == 2


async def test_the_old_release_stays_until_its_requests_are_finished(control: Plane) -> None:
    first = await control.settle(facts(1))
    assert first.live is not None
    old = dict(first.live.endpoints)["web"]
    control.router.requests[old] = 1
    control.wish(facts(2, minute=1))
    await control.reconciler.settle()
    assert len((await control.parts.engine.observe_all(control.parts.instance))[1].keys) == 3

    control.router.requests.clear()
    await control.settle()
    assert len((await control.parts.engine.observe_all(control.parts.instance))[1].keys) == 2


async def test_requests_that_never_end_are_cut_at_the_drain_limit(control: Plane) -> None:
    first = await control.settle(facts(1))
    assert first.live is not None
    control.router.requests[dict(first.live.endpoints)["web"]] = 1
    before = control.clock.now()
    await control.settle(facts(2, minute=1))

    assert len((await control.parts.engine.observe_all(control.parts.instance))[1].keys) == 2
    assert control.clock.now() - before >= control.parts.policy.pace.drain_limit


async def test_a_closed_pull_request_leaves_nothing(control: Plane) -> None:
    await control.settle(facts(1))
    environment = await control.settle(facts(1, minute=1, open=False))

    assert await control.parts.engine.observe_all(control.parts.instance) == {}
    assert control.router.routes == {}
    assert not environment.placed
    assert environment.slot is None


async def test_a_close_ends_a_running_build(control: Plane) -> None:
    control.builder.gate = asyncio.Event()
    control.wish(facts(1))
    work = asyncio.create_task(control.reconciler.settle())
    await control.building()
    control.wish(facts(1, minute=1, open=False))
    await work

    assert control.builder.cancelled == 1
    assert await control.parts.engine.observe_all(control.parts.instance) == {}


async def test_a_newer_push_ends_the_older_build(control: Plane) -> None:
    control.builder.gate = asyncio.Event()
    control.wish(facts(1))
    work = asyncio.create_task(control.reconciler.settle())
    await control.building()
    control.wish(facts(2, minute=1))
    await control.cancelled()
    control.builder.gate.set()
    await work
    environment = await control.settle()

    assert environment.live is not None
    assert environment.live.commit == commit(2)
    assert sum(control.builder.built.values()) == 1


async def test_a_failed_release_leaves_the_live_one(control: Plane) -> None:
    await control.settle(facts(1))
    control.builder.fails = "The Dockerfile failed at line 3."
    environment = await control.settle(facts(2, minute=1))

    assert environment.live is not None
    assert environment.live.commit == commit(1)
    assert environment.newest is not None
    assert environment.newest.verdict is Verdict.FAILED
    assert environment.newest.reason == "The Dockerfile failed at line 3."
    assert environment.newest.log_tail == "the last line"
    assert control.router.routes[HOST].state is RouteState.UP


async def test_a_first_release_that_fails_shows_a_page(control: Plane) -> None:
    control.builder.fails = "no"
    environment = await control.settle(facts(1))

    assert environment.live is None
    assert control.router.routes[HOST].state is RouteState.FAILED


async def test_a_service_that_never_turns_healthy_fails_after_its_start_timeout(control: Plane) -> None:
    control.world.script("postgres:16", Behaviour(healthy_after=None, words="pg_isready says no", log="starting up\n"))
    before = control.clock.now()
    environment = await control.settle(facts(1))

    assert environment.newest is not None
    assert environment.newest.verdict is Verdict.FAILED
    assert "db was not healthy in time: pg_isready says no" in environment.newest.reason
    assert environment.newest.log_tail == "starting up\n"
    assert 120 <= control.clock.now() - before < 130
    assert await control.keys() == set()


async def test_a_commit_that_vanished_waits_for_the_newer_one_and_is_superseded(control: Plane) -> None:
    control.wish(facts(1))
    control.source.commits.clear()
    await control.reconciler.settle()
    waiting = control.environment()
    assert waiting.newest is not None
    assert waiting.newest.verdict is None
    assert "A newer one is expected" in waiting.waiting_for

    environment = await control.settle(facts(2, minute=1))
    assert environment.live is not None
    assert environment.live.commit == commit(2)


async def test_a_forge_that_shows_a_commit_late_keeps_nobody_waiting_for_ever(control: Plane) -> None:
    control.wish(facts(1))
    files = dict(control.source.commits)
    control.source.commits.clear()
    await control.reconciler.settle()
    control.source.commits.update(files)

    environment = await control.settle()
    assert environment.live is not None


async def test_reopened_is_a_new_incarnation(control: Plane) -> None:
    await control.settle(facts(1))
    await control.settle(facts(1, minute=1, open=False))
    environment = await control.settle(facts(1, minute=2))

    assert environment.incarnation == 2
    assert environment.live is not None


async def test_a_container_removed_by_hand_comes_back(control: Plane) -> None:
    environment = await control.settle(facts(1))
    assert environment.live is not None
    await control.parts.engine.remove(control.placement(), environment.live.keys)
    await tick(control.parts)
    await control.settle()

    assert await control.keys() == {"web", "db"}


async def test_base_images_are_looked_for_on_schedule_and_the_image_built_anew(control: Plane) -> None:
    await control.settle(facts(1))
    await control.settle(facts(2, minute=1))
    control.clock.time += control.parts.policy.pace.image_refresh + 1
    await control.settle(facts(3, minute=2))
    await control.settle(facts(4, minute=3))

    assert control.builder.refreshed == [False, False, True, False]


async def test_a_container_killed_by_hand_is_started_again(control: Plane) -> None:
    environment = await control.settle(facts(1))
    assert environment.live is not None
    assert environment.live.stack is not None
    key = environment.live.stack.task_of("web").key
    control.world.end(environment.id, key, exit_code=137)
    await tick(control.parts)
    await control.settle()

    presence = (await control.parts.engine.observe_all(control.parts.instance))[environment.id]
    assert key in presence.running


@pytest.mark.parametrize("title", ["", "Other words"])
async def test_a_live_release_whose_image_is_gone_is_built_anew(
    control: Plane, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    environment = await control.settle(facts(1))
    if title:  # the newest release finds that nothing of the commit would change
        environment = await control.settle(facts(1, minute=1, title=title))
        assert environment.newest is not environment.live
    assert environment.live is not None
    apply, refused = control.parts.engine.apply, list[ResolvedStack]()

    async def gone_once(
        placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        if not refused:
            refused.append(stack)
            raise Refused("The image of service web is not there.")
        return await apply(placement, stack, only=only)

    monkeypatch.setattr(control.parts.engine, "apply", gone_once)
    await control.parts.engine.remove(control.placement(), environment.live.keys)
    await tick(control.parts)
    again = await control.settle()

    assert refused
    assert again.live is not None
    assert again.live.id != environment.live.id
    assert await control.keys() == {"web", "db"}
