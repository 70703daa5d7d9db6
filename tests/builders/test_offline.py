"""Builds of strangers: no step has a network."""

import os
from dataclasses import replace

import pytest

from builders.conftest import Yard
from revieee.ports import Refused

INTERFACES = f"RUN echo {os.getpid()}; echo has-$(ls /sys/class/net | tr '\\n' '-')-end"


async def built(yard: Yard, text: str, *, online: bool = False) -> str:
    request = replace(yard.request(text), online=online)
    await yard.builder().build(request, yard.write)
    return yard.output.decode()


async def test_a_step_has_no_network(yard: Yard) -> None:
    assert "has-lo--end" in await built(yard, f"FROM FRESH\n{INTERFACES}\n")


async def test_with_a_network_it_has_one(yard: Yard) -> None:
    assert "has-eth0-lo--end" in await built(yard, f"FROM FRESH\n{INTERFACES}\n", online=True)


@pytest.mark.parametrize("network", ["host", "default"])
async def test_a_step_cannot_give_itself_one(yard: Yard, network: str) -> None:
    step = INTERFACES.replace("RUN", f"RUN --network={network}", 1)
    try:
        output = await built(yard, f"FROM FRESH\n{step}\n")
    except Refused:
        return  # this engine knows no such flag, or allows no such network
    assert "has-lo--end" in output
