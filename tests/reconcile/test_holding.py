"""What a turn does outside, it does only while its lease is surely its own."""

import asyncio
import inspect

import pytest

from revieee.reconcile.holding import Hold, held
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
