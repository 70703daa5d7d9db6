"""What could go on for ever in silence: it ends, is told, or heals by itself."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

import pytest

from revieee.engines.memory import Behaviour, Fault
from revieee.model.image import Image
from revieee.model.phases import Verdict
from revieee.model.resolve import ResolvedHook, ResolvedStack
from revieee.model.route import RouteState
from revieee.model.telling import view_of
from revieee.model.view import View
from revieee.ports import Observed, Placement, RetryLater, RetryWithinTime
from revieee.reconcile.room import keep_bounds, keep_room
from revieee.store import images, leases
from support.reconciling import COMPOSE, HOST, Plane, commit, facts

SEED = COMPOSE.replace(b"  db:", b"  seed:\n    image: seeds\n  db:")


def told(control: Plane) -> View:
    return view_of(control.environment(), instance="x", base_url="http://localhost")


async def test_what_the_engine_cannot_do_for_as_long_as_a_start_may_take_has_failed(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await control.settle(facts(1))
    apply = control.parts.engine.apply

    async def cannot(
        placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        if placement.release == commit(2):
            raise RetryWithinTime("The Docker engine could not start the services: not a directory", delay=2)
        return await apply(placement, stack, only=only)

    monkeypatch.setattr(control.parts.engine, "apply", cannot)
    before = control.clock.now()
    environment = await control.settle(facts(2, minute=1))
    assert environment.newest is not None
    assert environment.newest.verdict is Verdict.FAILED
    assert "not a directory" in environment.newest.reason
    assert 120 <= control.clock.now() - before < 130
    assert environment.live is not None
    assert environment.live.commit == commit(1)
    assert control.router.routes[HOST].state is RouteState.UP


async def test_while_nobody_could_try_it_has_not_failed(control: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    apply, tries = control.parts.engine.apply, list[float]()

    async def late(
        placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        tries.append(control.clock.now())
        if len(tries) == 1:
            control.clock.time += 3600  # as long as the process was stopped
        if len(tries) < 4:
            raise RetryWithinTime("The Docker engine could not start the services: it only just began", delay=2)
        return await apply(placement, stack, only=only)

    monkeypatch.setattr(control.parts.engine, "apply", late)
    assert (await control.settle(facts(1))).live is not None


async def test_a_commit_whose_files_were_lost_after_it_was_read_is_fetched_anew(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, tree, read = control.parts.source.fetch, control.parts.source.tree, list[str]()

    async def again(*args: object, **named: object) -> None:
        await fetch(*args, **named)  # type: ignore[arg-type] # handed on
        read.append("fetched")

    async def once(*args: object) -> object:
        if read[-1:] != ["fetched"]:
            raise RetryLater("It must be fetched again.", delay=1)
        read.append("read")  # and then another release finds the mirror damaged
        return await tree(*args)  # type: ignore[arg-type] # handed on

    monkeypatch.setattr(control.parts.source, "fetch", again)
    monkeypatch.setattr(control.parts.source, "tree", once)
    assert (await control.settle(facts(1))).live is not None


async def test_what_had_done_its_work_when_the_release_went_live_is_known(control: Plane) -> None:
    control.world.script("seeds", Behaviour(exits=0))
    control.source.commits[commit(1)] = {"compose.yaml": SEED, "Dockerfile": b"FROM busybox"}
    live = (await control.settle(facts(1))).live
    assert live is not None
    assert live.stack is not None
    assert live.stack.completed == (live.stack.task_of("seed").key,)


async def test_an_image_that_is_used_again_by_now_is_not_removed(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.source.commits[commit(1)] = {"compose.yaml": SEED, "Dockerfile": b"FROM busybox"}
    await control.settle(facts(1))
    other = control.wish(replace(facts(1), number=2, open=False))
    forget, gone = control.parts.engine.forget_image, list[str]()

    async def slowly(image: str) -> None:
        gone.append(image)
        for kept in control.database.run_here(images.unused):
            if kept not in gone:  # another environment finds it at hand meanwhile
                used = Image(id=kept, reference="found")
                pin = partial(images.pin, environment_id=other, image=used, refreshed=False, now=0)
                control.database.run_here(pin)
        await forget(image)

    monkeypatch.setattr(control.parts.engine, "forget_image", slowly)
    await control.settle(facts(1, minute=1, open=False))
    assert len(gone) == 1


async def test_an_image_that_cannot_be_removed_holds_up_no_close_and_goes_with_the_next(control: Plane) -> None:
    control.source.commits[commit(1)] = {"compose.yaml": SEED, "Dockerfile": b"FROM busybox"}
    await control.settle(facts(1))
    control.world.fail("forget_image", Fault(words="unlinkat: device or resource busy"), times=10_000)
    assert not (await control.settle(facts(1, minute=1, open=False))).placed
    assert control.world.read("SELECT name FROM things WHERE kind = 'image'")
    control.world.mend()
    await control.settle(facts(1, minute=2))
    await control.settle(facts(1, minute=3, open=False))
    assert not control.world.read("SELECT name FROM things WHERE kind = 'image'")


async def test_an_image_that_cannot_be_removed_keeps_no_other_for_ever(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.source.commits[commit(1)] = {"compose.yaml": SEED, "Dockerfile": b"FROM busybox"}
    await control.settle(facts(1))
    forget, broken = control.parts.engine.forget_image, list[str]()

    async def cannot(image: str) -> None:
        broken[:] = broken or [image]
        if image in broken:
            raise RetryLater("unlinkat: device or resource busy")
        await forget(image)

    monkeypatch.setattr(control.parts.engine, "forget_image", cannot)
    await control.settle(facts(1, minute=1, open=False))
    assert len(control.database.run_here(images.unused)) > 1
    await control.settle(facts(1, minute=2))
    assert not (await control.settle(facts(1, minute=3, open=False))).placed
    assert list(control.database.run_here(images.unused)) == broken


async def test_a_farewell_without_end_holds_up_a_close_for_two_minutes(control: Plane) -> None:
    control.world.script("farewell", Behaviour(exits=None))
    hooks = b"hooks: {destroy: {command: [farewell], timeout: 25m}}\n"
    control.source.commits[commit(1)] = {"compose.yaml": COMPOSE, "Dockerfile": b"FROM x", "revieee.yml": hooks}
    assert (await control.settle(facts(1))).live is not None
    before = control.clock.now()
    assert not (await control.settle(facts(1, minute=1, open=False))).placed
    assert 120 <= control.clock.now() - before < 130
    assert await control.keys() == set()


async def test_a_control_plane_that_dies_meanwhile_gives_a_farewell_no_more_time(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.world.script("farewell", Behaviour(exits=None))
    hooks = b"hooks: {destroy: {command: [farewell]}}\n"
    control.source.commits[commit(1)] = {"compose.yaml": COMPOSE, "Dockerfile": b"FROM x", "revieee.yml": hooks}
    await control.settle(facts(1))
    run, before, words = control.parts.engine.run, control.clock.now(), set[str]()

    async def dies(placement: Placement, stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        words.add(told(control).reason)
        if control.clock.now() - before > 50 * len(deaths) + 50:
            deaths.append(control.clock.now())
            raise RuntimeError("as good as dead: all that it remembered is lost")
        return await run(placement, stack, hook)

    deaths = list[float]()
    monkeypatch.setattr(control.parts.engine, "run", dies)
    assert not (await control.settle(facts(1, minute=1, open=False))).placed
    assert len(deaths) == 2
    assert 120 <= control.clock.now() - before < 130
    assert any("destroy hook runs first, for at most 120 s." in one for one in words)
    assert told(control).reason.endswith("it took longer than 120 s.")


async def test_a_full_disk_that_cannot_be_cleaned_keeps_nobody_who_filled_it(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = await control.settle(facts(1))
    control.world.free, control.world.usage[environment.id] = 0, 500 * 2**30

    async def cannot(*, urgent: bool = False) -> None:
        raise RetryLater(f"The build cache could not be looked at ({urgent=}).")

    monkeypatch.setattr(control.parts.builder, "tidy", cannot)
    with pytest.raises(RetryLater):
        await keep_room(control.parts)
    await keep_bounds(control.parts)
    await control.settle()
    assert "wrote 500 GiB" in control.environment().wanted_reason


async def test_a_live_service_that_is_not_healthy_any_more_is_told_and_told_when_it_is(control: Plane) -> None:
    await control.settle(facts(1))
    control.world.script("postgres:16", Behaviour(healthy_after=None, words="pg_isready says no"))
    for _ in range(2):
        await look(control)
    assert "Service db is not healthy: pg_isready says no" in told(control).reason
    control.world.script("postgres:16", Behaviour())
    await look(control)
    assert told(control).reason == ""


async def look(control: Plane) -> None:
    """Let the engine say that something changed, and one turn happen."""
    work = control.database.run_here
    work(lambda session: leases.make_due(session, [1], now=control.clock.now()))
    await control.reconciler.settle()
    control.clock.time += control.parts.policy.pace.tick
