"""Limits and addresses: who waits, and who gets which subnet."""

from dataclasses import replace
from pathlib import Path

import pytest

from revieee.model.policy import AdmissionPolicy, Policy
from revieee.ports import AddressTaken, Placement
from support.reconciling import Plane, facts, plane


@pytest.mark.parametrize(
    ("admission", "words"),
    [
        (AdmissionPolicy(environments_per_repository=1), "This repository has 1 environments, as many as it may"),
        (AdmissionPolicy(environments=1), "There are 1 environments, as many as there may be"),
    ],
    ids=["of a repository", "in all"],
)
async def test_a_pull_request_over_the_limit_waits_and_begins_when_another_goes(
    tmp_path: Path, admission: AdmissionPolicy, words: str
) -> None:
    one = plane(tmp_path, policy=Policy(admission=admission))
    first = one.wish(facts(1))
    await one.reconciler.settle()
    second = one.wish(replace(facts(1), number=2))
    await one.reconciler.settle()

    assert one.environment(first).live is not None
    assert one.environment(second).live is None
    assert words in one.environment(second).waiting_for

    await one.settle(facts(1, minute=1, open=False))
    one.clock.time += one.parts.policy.pace.tick
    await one.reconciler.settle()
    assert one.environment(second).live is not None
    one.database.close()


async def test_an_environment_moves_where_another_network_has_its_subnet(
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
    assert asked[0] != asked[1]
