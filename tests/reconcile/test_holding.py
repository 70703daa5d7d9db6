"""What a turn does outside, it does only while its lease is surely its own."""

import asyncio
import inspect
import socket
import time
from collections.abc import Collection
from dataclasses import replace

import pytest

from revieee.ports import Placement
from revieee.reconcile import holding
from revieee.reconcile.holding import Hold, held, unless_late
from revieee.reconcile.turn import take_turn
from revieee.store import leases
from revieee.store.leases import Lease, StaleLease
from support.reconciling import Plane, facts


async def test_once_the_time_is_over_nothing_is_done_outside(control: Plane) -> None:
    await control.settle(facts(1))
    hold = Hold(Lease(1, 1), until=asyncio.get_running_loop().time() + 60)
    parts = held(control.parts, hold)
    before = await parts.engine.observe_all(control.parts.instance)
    hold.until = asyncio.get_running_loop().time()

    with pytest.raises(StaleLease):
        await parts.engine.remove(control.placement(), None)
    with pytest.raises(StaleLease):
        await parts.router.push(())
    assert await control.parts.engine.observe_all(control.parts.instance) == before


async def test_every_method_of_every_port_looks_at_the_lease(control: Plane) -> None:
    parts = held(control.parts, Hold(Lease(1, 1), until=0.0))
    for name in ("source", "builder", "engine", "router"):
        port = getattr(parts, name)
        methods = inspect.getmembers(type(getattr(control.parts, name)), inspect.iscoroutinefunction)
        for method, _ in methods:
            if not method.startswith("_"):
                with pytest.raises(StaleLease):
                    await getattr(port, method)()


class Answers(asyncio.Protocol):
    """The far end of a pipe: an answer that lies ready when a stopped process wakes up."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.answer.set_result(data)


async def test_who_was_stopped_past_the_time_does_not_go_on_with_what_lies_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "_BEAT", 0.01)
    monkeypatch.setattr(holding, "_STOPPED", 0.02)
    loop, acts = asyncio.get_running_loop(), []
    ours, theirs = socket.socketpair()
    transport, protocol = await loop.create_connection(Answers, sock=ours)

    async def work() -> None:
        until = loop.time() + 0.05
        with unless_late(lambda: until):
            acts.append(await protocol.answer)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.02)
    theirs.send(b"answer")
    time.sleep(0.1)  # noqa: ASYNC251 -- stands for SIGSTOP: nothing of this process goes on
    with pytest.raises(StaleLease):
        await task
    assert (acts, protocol.answer.result()) == ([], b"answer")
    transport.close()
    theirs.close()


async def test_who_is_merely_slow_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_BEAT", 0.01)
    with unless_late(lambda: 0.0):
        await asyncio.sleep(0.05)


async def test_who_was_stopped_in_the_middle_of_an_act_does_not_end_it(
    control: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "_BEAT", 0.01)
    monkeypatch.setattr(holding, "_STOPPED", 0.02)
    await control.settle(facts(1))
    control.wish(facts(1, minute=1, open=False))
    acts, now, life = list[str](), control.clock.now(), 0.3

    async def remove(placement: Placement, keys: Collection[str] | None, *, grace: float | None = None) -> None:
        del placement, keys, grace
        acts.append("looked")
        control.database.run_here(
            lambda session: leases.claim_going(session, "other", now=now + 1, until=1e12, limit=1)
        )
        time.sleep(2 * life)  # noqa: ASYNC251 -- stands for SIGSTOP: nothing of this process goes on
        await asyncio.sleep(0.001)
        acts.append("removed what it saw before")

    monkeypatch.setattr(control.parts.engine, "remove", remove)
    slow = replace(control.parts.policy, pace=replace(control.parts.policy.pace, lease=life, poll=1))
    [lease] = control.database.run_here(
        lambda session: leases.claim_going(session, "us", now=now, until=now + life, limit=1)
    )
    await take_turn(replace(control.parts, policy=slow), lease, asyncio.get_running_loop().time() + life)
    assert acts == ["looked"]
