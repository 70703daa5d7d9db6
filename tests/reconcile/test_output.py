import asyncio

from revieee.model.lifecycle import Act, next_act
from revieee.reconcile import output
from revieee.reconcile.output import Output
from revieee.reconcile.parts import Turn
from revieee.store import leases, logs, releases
from support.reconciling import Plane, facts
from support.storing import all_free


async def turn_of(control: Plane) -> Turn:
    """A turn on an environment whose release has begun."""
    environment = (await control.settle(facts())).id
    now = control.clock.now()
    control.wish(facts(2, minute=1))
    (lease,) = control.database.run_here(
        lambda session: leases.claim(session, "test", all_free(1), now=now + 60, until=now + 90)
    )
    loaded = control.database.run_here(lambda session: releases.load(session, environment))
    assert next_act(loaded) is Act.BEGIN
    return Turn(parts=control.parts, lease=lease, environment=loaded)


def text(control: Plane, release: int) -> bytes:
    return b"".join(one.data for one in control.database.run_here(lambda session: logs.read(session, release)))


async def test_what_a_silent_build_said_can_be_read_while_it_is_silent(control: Plane) -> None:
    turn = await turn_of(control)
    release = turn.environment.live
    assert release is not None
    before = text(control, release.id)
    async with Output(turn, release, "build web") as out:
        await out.write(b"begins\n")
        async with asyncio.timeout(output.PAUSE + 5):
            while text(control, release.id) == before:  # noqa: ASYNC110 - rows have no event
                await asyncio.sleep(0.02)
        assert text(control, release.id) == before + b"begins\n"


async def test_all_of_it_is_written_at_the_end_in_its_order(control: Plane) -> None:
    turn = await turn_of(control)
    release = turn.environment.live
    assert release is not None
    before = text(control, release.id)
    pieces = [b"a" * output.CHUNK, b"b", b"c" * (output.CHUNK + 1), b"d"]
    async with Output(turn, release, "build web") as out:
        for piece in pieces:
            await out.write(piece)
    assert text(control, release.id) == before + b"".join(pieces)
