"""Restored: after a database from a backup, everything begins anew.

It does not know what was opened, closed and pushed since, and gives numbers anew that the engine knows already: a new
environment would find another one's containers and volumes under its own. So nothing of what is there is taken over.
"""

import asyncio
import contextlib
import logging
from pathlib import Path

from revieee.ports import Placement, PortError, Presence
from revieee.reconcile.parts import Parts
from revieee.store import beats

log = logging.getLogger(__name__)

FILE = "serve.beat"
"""In the data folder, which no backup of the database brings back: the number of the last tick that was written."""
_SLACK = 3
"""Ticks that a database server may have lost when it was killed, and did not come from a backup."""
_AT_ONCE = 8


async def beat(parts: Parts) -> None:
    """Count a tick: in the database first, so that the file is never ahead of it.

    Raises:
        RetryLater: the store does not answer.
    """
    number = await parts.database.run(beats.count)
    with contextlib.suppress(OSError):  # a full disk, mostly; the next tick writes it
        await asyncio.to_thread(_write, parts.data / FILE, number)


async def begin_anew_if_restored(parts: Parts) -> None:
    """Remove all that the engine has where the database came from a backup; to be done before anything else is.

    It goes on until it is done, whatever does not answer meanwhile.
    """
    while True:
        try:
            known, last = await asyncio.to_thread(_read, parts.data / FILE), await parts.database.read(beats.last)
            if known - last > _SLACK:
                await _begin_anew(parts, known)
        except PortError as error:
            log.warning("the database may have come from a backup, and nothing is done until that is known: %s", error)
            await parts.clock.sleep(parts.policy.pace.tick)
        else:
            return


async def _begin_anew(parts: Parts, known: int) -> None:
    log.warning("the database came from a backup: all environments are removed, and begin anew where they are wanted")
    there = await parts.engine.observe_all(parts.instance)
    if await parts.database.read(beats.last) >= known:
        return  # another process did it meanwhile, and some of what is there has begun since then
    places = asyncio.Semaphore(_AT_ONCE)

    async def remove(environment: int, presence: Presence) -> None:
        placement = Placement(
            instance=parts.instance,
            environment=environment,
            incarnation=presence.incarnation,  # what begins from now on has a later one
            name=f"#{environment}",
        )
        try:
            async with places:
                await parts.engine.remove(placement, None, grace=parts.policy.pace.stop_grace)
        except PortError as error:  # of that incarnation nothing begins any more; who has its number waits for it
            log.warning("environment %d: what cannot be removed yet keeps no other waiting: %s", environment, error)
            return
        log.info("removed of environment %d: %d containers", environment, len(presence.keys))

    await asyncio.gather(*(remove(id_, presence) for id_, presence in there.items()))
    incarnations = {id_: presence.incarnation for id_, presence in there.items()}
    now = parts.clock.now()
    await parts.database.run(lambda session: beats.begin_anew(session, incarnations, beat=known, now=now))


def _write(file: Path, number: int) -> None:
    new = file.with_suffix(".new")
    new.write_text(f"{number}\n", encoding="ascii")
    new.replace(file)


def _read(file: Path) -> int:
    """Give the number; 0 where there is none, or no number."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
