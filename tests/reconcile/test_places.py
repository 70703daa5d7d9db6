"""Places of their own: what they are for gets one, whatever else is under way, and nothing else is done in them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from revieee.engines.memory import Behaviour
from revieee.model.facts import RepositoryFacts
from revieee.model.phases import Phase, Verdict
from revieee.model.policy import AdmissionPolicy, Policy
from revieee.store import releases
from revieee.store.schema import EnvironmentRow, ReleaseRow
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import calm
from support.stage import on_stage

pytestmark = pytest.mark.slow

TURNS = 4
SOON = 30.0
"""Seconds, a few ticks."""
HOUR = 3600.0


def repository(number: int) -> RepositoryFacts:
    return RepositoryFacts(id=100 + number, name=f"acme/r{number}")


def hear(around: Outside, number: int, *, head: int = 0, of: int = 0, after: float = 0, closed: bool = False) -> int:
    """A pull request of one of some repositories, some minutes later; its commit is its own unless it is said which."""
    head, whose = head or number, repository(of)
    around.source.commits.setdefault(commit(head), files(head))
    said = pull_request(number, head=head, after=60 * after, open=not closed)
    return around.hear(replace(said, repository=whose, head_repository=whose.id))


async def all_live(around: Outside, count: int, *, repositories: int = TURNS) -> tuple[Process, list[int]]:
    """Pull requests in some repositories, all of them live; gives the process and the ids of the environments."""
    ids = [hear(around, number, of=number % repositories) for number in range(1, count + 1)]
    process = Process(around)
    process.start()
    assert await calm(around)
    assert all(around.everything()[id_].live for id_ in ids)
    return process, ids


def running(around: Outside, environment: int, service: str) -> list[str]:
    query = "SELECT key FROM containers WHERE environment = ? AND key LIKE ? AND status = 'running'"
    return [str(row["key"]) for row in around.world.read(query, environment, f"{service}-%")]


async def is_healed(around: Outside, environment: int) -> bool:
    """Lose a live service, and tell whether it is back soon."""
    [web] = running(around, environment, "web")
    around.world.lose(environment, web)
    for _ in range(int(SOON)):
        await asyncio.sleep(1)
        if web in running(around, environment, "web"):
            return True
    return False


async def starts_that_hang(around: Outside, process: Process) -> None:
    """More than there are places, in all the repositories."""
    around.world.script("never", Behaviour(exits=None))
    for number in range(50, 50 + 10 * TURNS):
        around.source.commits[commit(number)] = files(number, deploy="never")
        hear(around, number, of=number % TURNS)
    process.bell.hint()
    await asyncio.sleep(SOON)


async def broken_after_live(around: Outside) -> tuple[Process, int]:
    """Make one live and let its next commit fail; gives the process and the environment's id."""
    around.policy = Policy(turns=TURNS)
    process, [mine] = await all_live(around, 1)
    around.source.commits[commit(2)] = files(2, kind="broken")
    hear(around, 1, head=2, of=1, after=10)
    process.bell.hint()
    assert await calm(around)
    return process, mine


def test_a_live_release_is_healed_whose_newer_one_has_failed(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        process, mine = await broken_after_live(around)
        newest = around.everything()[mine].newest
        assert newest is not None
        assert newest.verdict is Verdict.FAILED
        await starts_that_hang(around, process)
        assert await is_healed(around, mine)
        await process.stop()

    on_stage(tmp_path, main)


@pytest.mark.parametrize("phase", [Phase.UNDOING, Phase.SWITCHING, Phase.REPLACING, Phase.FETCHING])
def test_a_live_release_is_healed_while_what_a_crash_cut_off_has_to_wait_for_a_turn(
    tmp_path: Path, phase: Phase
) -> None:
    async def main(around: Outside) -> None:
        process, mine = await broken_after_live(around)
        await starts_that_hang(around, process)
        [newest] = [one.id for one in around.everything()[mine].releases if one.commit == commit(2)]

        def cut_off(session: Session) -> None:
            row, due = session.get_one(ReleaseRow, newest), around.loop.unix()
            row.phase, row.ended_at, row.verdict = phase.value, None, None
            session.get_one(EnvironmentRow, mine).due_at = due

        around.database.run_here(cut_off)
        if phase is Phase.FETCHING:  # and is outdone by now
            hear(around, 1, head=3, of=1, after=11)
        assert await is_healed(around, mine)
        environment = around.everything()[mine]
        assert environment.newest is not None
        assert environment.newest.id == newest, "its turn did not come"
        assert environment.next is not None or phase is Phase.FETCHING
        await process.stop()

    on_stage(tmp_path, main)


def test_a_live_release_is_healed_while_the_newer_one_has_to_wait_for_a_turn(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy(turns=TURNS)
        process, ids = await all_live(around, TURNS + 1, repositories=1)
        around.source.gate = asyncio.Event()
        for number in range(1, TURNS + 2):
            hear(around, number, head=100 + number, after=10)
            process.bell.hint()
            await asyncio.sleep(1)
        last = ids[-1]
        await asyncio.sleep(SOON)
        newest = around.everything()[last].newest
        assert newest is not None
        assert newest.commit != commit(100 + TURNS + 1), "its repository's share of the turns is used up"
        since = around.database.run_here(lambda session: releases.due_at(session, last))
        assert await is_healed(around, last)
        assert await is_healed(around, last), "and again"
        assert around.database.run_here(lambda session: releases.due_at(session, last)) == since, (
            "its turn comes as before"
        )
        around.source.gate.set()
        assert await calm(around)
        live = around.everything()[last].live
        assert live is not None
        assert live.commit == commit(100 + TURNS + 1)
        await process.stop()

    on_stage(tmp_path, main)


def test_live_releases_that_have_to_be_built_anew_take_no_more_places_than_any_build(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy(turns=TURNS)
        process, ids = await all_live(around, 2 * TURNS + 1)
        around.builder.seconds = HOUR
        for id_ in ids[:-1]:
            live = around.everything()[id_].live
            assert live is not None
            assert live.stack is not None
            web = live.stack.task_of("web")
            around.world.lose_image(web.image.id)
            around.world.lose(id_, web.key)
        await asyncio.sleep(2 * SOON)
        assert around.builder.running == TURNS
        await starts_that_hang(around, process)
        assert around.builder.running == TURNS
        assert await is_healed(around, ids[-1])
        await process.stop()

    on_stage(tmp_path, main)


def test_environments_reopened_while_they_go_are_not_built_in_the_places_of_those_that_go(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy(turns=TURNS)
        process, ids = await all_live(around, TURNS + 1)
        around.builder.seconds = HOUR
        around.world.script("destroy", Behaviour(exits=0, exits_after=5.0))
        for number in range(1, TURNS + 1):
            hear(around, number, of=number % TURNS, after=10, closed=True)
        process.bell.hint()
        await asyncio.sleep(2)
        for number in range(1, TURNS + 1):
            hear(around, number, head=100 + number, of=number % TURNS, after=11)
        process.bell.hint()
        await starts_that_hang(around, process)
        assert around.builder.running == TURNS
        hear(around, TURNS + 1, of=(TURNS + 1) % TURNS, after=12, closed=True)
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert not around.everything()[ids[-1]].placed
        await process.stop()

    on_stage(tmp_path, main)


def test_closes_whose_hooks_hang_keep_no_live_release_from_being_healed(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy(turns=TURNS)
        process, ids = await all_live(around, 3 * TURNS + 1)
        around.world.script("destroy", Behaviour(exits=None))
        for number in range(1, 3 * TURNS + 1):
            hear(around, number, of=number % TURNS, after=10, closed=True)
        process.bell.hint()
        await asyncio.sleep(5)
        assert await is_healed(around, ids[-1])
        await process.stop()

    on_stage(tmp_path, main)


def test_who_is_next_for_a_place_gets_it_though_its_repository_has_its_share_of_turns(tmp_path: Path) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy(turns=TURNS, admission=AdmissionPolicy(environments=TURNS))
        process, _ = await all_live(around, 1, repositories=2)  # of the other repository
        for number in range(11, 10 + TURNS):
            hear(around, number)
        process.bell.hint()
        assert await calm(around)
        next_ = hear(around, 50)
        process.bell.hint()
        await asyncio.sleep(SOON)
        around.builder.seconds = HOUR
        for number in range(11, 10 + TURNS):
            hear(around, number, head=100 + number, after=10)
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert around.builder.running == TURNS - 1, "all that one repository may have under way"
        hear(around, 1, of=1, after=11, closed=True)
        process.bell.hint()
        await asyncio.sleep(SOON)
        assert around.everything()[next_].placed
        assert around.builder.running == TURNS - 1, "its build waits for a turn all the same"
        await process.stop()

    on_stage(tmp_path, main)
