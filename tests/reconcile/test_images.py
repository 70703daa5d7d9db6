"""Images that go while a release is on its way: it is had again, and nobody has to ask for it."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from revieee.model.image import Image
from revieee.model.phases import Verdict
from revieee.model.resolve import ResolvedHook, ResolvedStack
from revieee.model.route import RouteState
from revieee.model.telling import view_of
from revieee.ports import Announce, NotPulled, Observed, Placement
from revieee.store import images, leases
from support.reconciling import COMPOSE, HOST, Plane, commit, facts

HOOKED = {"compose.yaml": COMPOSE, "Dockerfile": b"FROM x", "revieee.yml": b"hooks: {deploy: {command: [migrate]}}\n"}


@pytest.mark.parametrize("service", ["web", "db"], ids=["built", "pulled"])
async def test_a_release_whose_image_is_removed_before_it_starts_has_it_again(
    control: Plane, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    await control.settle(facts(1))
    apply, removed = control.parts.engine.apply, list[str]()

    async def after_a_removal(
        placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        if placement.release == commit(2) and not removed:
            assert control.router.routes[HOST].state is RouteState.UP, "the live one answers meanwhile"
            removed.append(stack.task_of(service).image.id)
            control.world.lose_image(removed[0])
            control.world.lose(1, stack.task_of(service).key)  # which may be the live one's, too
        return await apply(placement, stack, only=only)

    monkeypatch.setattr(control.parts.engine, "apply", after_a_removal)
    environment = await control.settle(facts(2, minute=1))

    assert removed
    assert environment.live is not None
    assert environment.live.commit == commit(2)
    assert control.world.has_image(removed[0])
    assert await control.keys() == {"web", "db"}
    assert Verdict.FAILED not in {one.verdict for one in environment.releases}


async def test_so_does_one_whose_hook_finds_it_gone(control: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    control.source.commits[commit(1)] = HOOKED
    run, removed = control.parts.engine.run, list[str]()

    async def after_a_removal(placement: Placement, stack: ResolvedStack, hook: ResolvedHook) -> Observed:
        if not removed:
            removed.append(hook.task.image.id)
            control.world.lose_image(removed[0])
        return await run(placement, stack, hook)

    monkeypatch.setattr(control.parts.engine, "run", after_a_removal)
    assert (await control.settle(facts(1))).live is not None
    assert removed
    assert len(control.world.acts("run")) == 1


async def test_an_image_that_is_removed_before_it_is_pinned_is_pulled_again(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, removed = control.parts.engine.image, list[str]()

    async def just_before(
        reference: str, *, pinned: str | None = None, refresh: bool = False, pulling: Announce | None = None
    ) -> Image:
        found = await image(reference, pinned=pinned, refresh=refresh, pulling=pulling)
        if not removed:
            removed.append(found.id)
            control.world.lose_image(found.id)
        return found

    monkeypatch.setattr(control.parts.engine, "image", just_before)
    environment = await control.settle(facts(1))
    assert environment.live is not None
    assert environment.live.id == 1, "it was noticed while it was built"

    assert not (await control.settle(facts(1, minute=1, open=False))).placed
    assert not control.world.has_image(removed[0]), "it stayed ours to remove"


async def test_an_image_that_another_environment_is_removing_is_waited_for(control: Plane) -> None:
    other = control.wish(replace(facts(1), number=2, open=False))
    old = await control.parts.engine.image("postgres:16")
    control.database.run_here(lambda session: images.pin(session, other, old, refreshed=False, now=0))
    control.database.run_here(lambda session: images.unpin(session, other))
    assert control.database.run_here(lambda session: images.claim(session, other, now=0)) == old.id

    control.wish(facts(1))
    await control.reconciler.settle()
    waiting = next(one for one in (control.environment(1), control.environment(2)) if one.id != other)
    assert waiting.waiting_for == "The image postgres:16 was just removed, as nobody used it. It is had again."

    await control.parts.engine.forget_image(old.id)
    control.database.run_here(lambda session: images.forgotten(session, other, old.id))
    await control.settle(facts(1))
    assert control.environment(waiting.id).live is not None


async def test_a_registry_that_is_away_fails_no_release_however_long(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, away = control.parts.engine.image, control.clock.now() + 7200
    words = "The image postgres:16 cannot be pulled now: 503 Service Unavailable. It is tried again."

    async def late(
        reference: str, *, pinned: str | None = None, refresh: bool = False, pulling: Announce | None = None
    ) -> Image:
        if control.clock.now() < away:
            assert pulling is not None
            await pulling()
            raise NotPulled(words)
        return await image(reference, pinned=pinned, refresh=refresh, pulling=pulling)

    monkeypatch.setattr(control.parts.engine, "image", late)
    control.wish(facts(1))
    await control.reconciler.settle()
    assert control.environment().waiting_for == words
    assert control.database.run_here(lambda session: images.cut_off(session, 1)) == [], "nothing was left half pulled"

    environment = await control.settle(facts(1))
    assert environment.live is not None
    assert environment.live.id == 1
    assert 7200 <= control.clock.now() - (away - 7200) < 7200 + control.parts.policy.pace.last_retry + 10


async def test_a_live_release_whose_image_is_gone_while_a_newer_one_failed_is_live_no_more(control: Plane) -> None:
    live = (await control.settle(facts(1))).live
    assert live is not None
    assert live.stack is not None
    control.source.commits[commit(2)] = {"compose.yaml": b"services: {web: {build: ., privileged: true, ports: [80]}}"}
    failed = await control.settle(facts(2, minute=1))
    assert failed.live is not None
    web = live.stack.task_of("web")
    control.world.lose(1, web.key)
    control.world.lose_image(web.image.id)
    control.database.run_here(lambda session: leases.make_due(session, [1], now=control.clock.now()))
    environment = await control.settle()
    assert environment.live is None
    assert control.router.routes[HOST].state is RouteState.FAILED
    assert await control.keys() == set()
    assert control.world.read("SELECT 1 FROM things WHERE kind = 'image' AND environment = 1") == [], "nor its images"
    told = view_of(environment, instance=control.parts.instance, base_url="http://localhost").reason
    assert "privileged" in told
    assert f"What was live until now ended, too: The image of service web ({web.image.reference})" in told
    control.source.commits.pop(commit(3), None)
    mended = await control.settle(facts(3, minute=2))
    assert mended.live is not None
    assert mended.live.commit == commit(3)
    assert control.router.routes[HOST].state is RouteState.UP
