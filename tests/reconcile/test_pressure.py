"""What happens when things come at once: releases that drain, turns that are taken, a live one that is broken."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from revieee.model.phases import Phase
from revieee.model.policy import Policy
from revieee.model.resolve import ResolvedStack
from revieee.ports import Observed, Placement, Refused
from support.reconciling import COMPOSE, REPOSITORY, Plane, commit, facts, plane

WEB_ONLY = COMPOSE.replace(b"depends_on: [db]", b"").partition(b"  db:")[0]
OTHER_DATABASE = COMPOSE.replace(b"image: postgres:16", b"image: postgres:17")


def files(compose: bytes, number: int) -> dict[str, bytes]:
    return {"compose.yaml": compose, "Dockerfile": b"FROM busybox", "c": str(number).encode()}


async def test_a_draining_release_never_writes_a_volume_beside_a_newer_one(control: Plane) -> None:
    first = await control.settle(facts(1))
    assert first.live is not None
    control.router.requests[dict(first.live.endpoints)["web"]] = 1
    control.source.commits[commit(2)] = files(WEB_ONLY, 2)
    control.wish(facts(2, minute=1))
    await control.reconciler.settle()
    assert control.environment().draining

    control.source.commits[commit(3)] = files(OTHER_DATABASE, 3)
    control.wish(facts(3, minute=2))
    await control.reconciler.settle()
    presence = (await control.parts.engine.observe_all(control.parts.instance))[1]
    assert len({key for key in presence.running if key.startswith("db-")}) == 1


async def test_a_label_ends_no_build_of_the_same_commit(control: Plane) -> None:
    control.builder.gate = asyncio.Event()
    control.wish(facts(1))
    work = asyncio.create_task(control.reconciler.settle())
    await control.building()
    control.wish(facts(1, minute=1, labels=("later",)))
    await asyncio.sleep(0)
    control.builder.gate.set()
    await work
    environment = await control.settle()

    assert control.builder.cancelled == 0
    assert sum(control.builder.built.values()) == 1
    assert environment.live is not None
    assert environment.live.inputs == environment.inputs


async def test_builds_hold_up_no_close(tmp_path: Path) -> None:
    control = plane(tmp_path, policy=Policy(turns=2))
    other = replace(REPOSITORY, id=8, name="acme/blog")
    live = control.wish(replace(facts(1), repository=other, head_repository=8))
    await control.reconciler.settle()
    control.builder.gate = asyncio.Event()
    for number in (1, 2, 3):
        control.wish(replace(facts(number), number=number))
    work = asyncio.create_task(control.reconciler.settle())
    while control.builder.running < 2:  # noqa: ASYNC110 -- the builder has no event
        await asyncio.sleep(0.005)

    control.wish(replace(facts(1, minute=1, open=False), repository=other, head_repository=8))
    await control.reconciler.claim()
    while control.environment(live).placed:  # noqa: ASYNC110 -- nor has the store
        await asyncio.sleep(0.005)
    assert control.builder.running == 2

    control.builder.gate.set()
    await work
    control.database.close()


async def test_a_broken_live_release_keeps_no_newer_push_waiting(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = await control.settle(facts(1))
    assert environment.live is not None
    broken = environment.live.keys
    apply = control.parts.engine.apply

    async def without_image(
        placement: Placement, stack: ResolvedStack, *, only: Collection[str] | None = None
    ) -> Mapping[str, Observed]:
        if stack.keys == broken:
            raise Refused("The image of service web is not there.")
        return await apply(placement, stack, only=only)

    monkeypatch.setattr(control.parts.engine, "apply", without_image)
    control.builder.fails = "The Dockerfile failed."
    control.wish(facts(2, minute=1))
    await control.reconciler.settle()
    control.builder.fails = None
    control.wish(facts(3, minute=2))
    await control.reconciler.settle()

    now = control.environment()
    assert now.live is not None
    assert now.live.commit == commit(3)


async def test_the_drain_limit_holds_while_a_newer_release_is_built(control: Plane) -> None:
    first = await control.settle(facts(1))
    assert first.live is not None
    control.router.requests[dict(first.live.endpoints)["web"]] = 1
    control.wish(facts(2, minute=1))
    await control.reconciler.settle()
    control.clock.time += control.parts.policy.pace.drain_limit
    control.builder.fails = "no"
    control.wish(facts(3, minute=2))
    await control.reconciler.settle()

    assert not [one for one in control.environment().releases if one.phase is Phase.DRAINING]
