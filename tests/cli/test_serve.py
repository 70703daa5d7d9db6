"""The tasks of the control plane: none waits for another."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from revieee.cli.serve import Intake, Lister, _end
from revieee.model.facts import RepositoryFacts
from revieee.settings import Settings
from revieee.store import wishes
from revieee.testing.github import PracticeGitHub
from revieee.wiring import open_database, wire
from support.practice import BOT, clock, practice

__all__ = ["clock", "practice"]


async def test_intake_rests_while_the_forge_does_not_answer_a_listing(practice: PracticeGitHub, tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path / "var",
        engine="memory",
        webhook_secret=SecretStr("practice-practice"),
        github_api_url=practice.api,
        github_token=SecretStr(practice.personal_token(BOT)),
    )
    database = open_database(settings)
    plane = wire(settings, database)
    shop = RepositoryFacts(id=practice.repository("acme/shop").id, name="acme/shop")
    await database.run(lambda session: wishes.record_repository(session, shop, now=0.0))
    fault = practice.faults.next("hang", times=None)
    intake, lister = Intake(plane), Lister(plane)
    plane.inbox.to_list.add(shop.id)
    plane.parts.bell.hint()
    await asyncio.wait_for(intake.handle(), 5)
    assert not fault.met.is_set()

    listing = asyncio.create_task(lister.handle())
    await asyncio.wait_for(fault.met.wait(), 5)
    listing.cancel()
    await asyncio.gather(listing, return_exceptions=True)
    await plane.parts.engine.close()
    await plane.github.close()
    database.close()


async def test_a_task_that_lost_its_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revieee.cli.serve._AGAIN", 0.01)
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 2:
                    raise

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    await asyncio.wait_for(_end(tasks), 5)
    assert [task.cancelled() for task in tasks] == [True, True]
