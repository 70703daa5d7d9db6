"""The tick: one look at everything, so that whatever was missed is found."""

import asyncio
import logging
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from revieee.ports import Placement, PortError, Presence, RetryLater
from revieee.reconcile.idle import note_visits, put_away
from revieee.reconcile.parts import CHECKOUTS, Parts
from revieee.reconcile.restored import beat
from revieee.reconcile.setback import notice
from revieee.store import environments, inbox, leases, logs, releases, routes, secrets

log = logging.getLogger(__name__)

KEEP_DELIVERIES = 30 * 86_400.0
KEEP_LOGS = 30 * 86_400.0
KEEP_GONE_ROUTES = 86_400.0
"""Seconds for which each is kept."""


async def tick(parts: Parts) -> None:
    """Compare routes and engine with the rows; what differs becomes due, what has no row is removed.

    Of several processes each looks at the clock and at the routes, since it may be the last; one at a time does the
    rest.

    Raises:
        PortError: a part does not answer; the others were looked at all the same.
    """
    problems: list[PortError] = []
    mine = await _is_ours(parts)
    alone = (beat, sweep, clear_checkouts, forget_repositories, note_visits, put_away, tidy)
    for look in (notice, compare_routes, forget_the_gone, *(alone if mine else ())):
        try:
            await look(parts)
        except PortError as error:
            problems.append(error)  # one part that does not answer keeps nobody from the others
    for problem in problems[1:]:
        log.warning("tick: %s", problem)
    if problems:
        raise problems[0]


async def _is_ours(parts: Parts) -> bool:
    """Tell whether no other process looks at everything. Without the database each keeps up what needs no row."""
    now, owner = parts.clock.now(), parts.owner
    until = now + parts.policy.pace.lease
    try:
        return await parts.database.run(lambda session: leases.claim_tick(session, owner, now=now, until=until))
    except RetryLater:
        return True


async def compare_routes(parts: Parts) -> None:
    """Have the router up, with exactly the routes that the rows say."""
    await parts.router.ensure()
    await parts.router.push_all(await parts.database.read(routes.everything))


async def forget_the_gone(parts: Parts) -> None:
    """Remember nothing of environments of which nothing is there any more, whichever process removed them."""
    there = await parts.database.read(environments.expectations)
    for id_ in parts.remembered.keys() - there.keys():
        del parts.remembered[id_]


async def sweep(parts: Parts) -> None:
    """Find what a row names and the engine has not, and what the engine has and no row names.

    The rows are read after the engine, so what was begun meanwhile is in them.

    Raises:
        PortError: store or engine do not answer.
    """
    there = await parts.engine.observe_all(parts.instance)
    expected = await parts.database.read(environments.expectations)
    due: list[int] = []
    for id_, (_, keys) in expected.items():
        presence = there.get(id_, Presence())
        if keys and not keys <= presence.running | presence.completed:  # of those, a look tells whether they may be so
            due.append(id_)
        elif keys and presence.keys - keys:
            parts.remembered[id_].extras = presence.keys - keys
            due.append(id_)
    if due:
        now = parts.clock.now()
        await parts.database.run(lambda session: leases.make_due(session, due, now=now))
        parts.lost.update(due)
        parts.bell.hint()
    strange = [
        id_
        for id_, presence in there.items()
        if not presence.absent and (id_ not in expected or expected[id_][0] < presence.incarnation)
    ]
    if strange:
        await _strangers(parts, strange)


async def _strangers(parts: Parts, strange: Sequence[int]) -> None:
    """Remove what carries our label and should not be there, as far as it is still there at a second look.

    By now the rows have told that it should not: a removal that ended after the first look has left nothing. What
    belongs to a row is left to a turn, under its lease: the environment may be on its way back by now.
    """
    there, now = await parts.engine.observe_all(parts.instance), parts.clock.now()
    for id_ in strange:
        presence = there.get(id_, Presence())
        if presence.absent:
            continue
        reclaim = partial(environments.reclaim, environment_id=id_, incarnation=presence.incarnation, now=now)
        if await parts.database.run(reclaim):
            log.info("sweep: environment %d should not have this: %s", id_, _words(presence))
        else:
            await _remove(parts, id_, presence)


async def _remove(parts: Parts, environment: int, presence: Presence) -> None:
    """Remove what nobody owns, with a receipt in the log."""
    placement = Placement(instance=parts.instance, environment=environment, incarnation=0, name=f"#{environment}")
    try:
        await parts.engine.remove(placement, None, grace=parts.policy.pace.stop_grace)
    except PortError as error:
        log.warning("sweep: environment %d: %s", environment, error)
        return
    log.info("sweep: removed of environment %d, which has no row: %s", environment, _words(presence))


def _words(presence: Presence) -> str:
    """List everything by name: the receipt."""
    return ", ".join(sorted(presence.keys | presence.networks | presence.volumes | presence.images))


async def clear_checkouts(parts: Parts) -> None:
    """Remove the checkouts of builds that a crash cut off, with what lies beside them under their name (``7.build-…``).

    Those of builds under way stay. The rows are read after the folder, so what was begun meanwhile is in them.
    """
    folder = parts.data / CHECKOUTS
    names = await asyncio.to_thread(_names, folder)
    if names:
        building = await parts.database.read(releases.building)
        under_way = {str(id_) for id_ in building}
        for name in names:
            if name.partition(".")[0] not in under_way:
                await asyncio.to_thread(shutil.rmtree, folder / name, ignore_errors=True)
                log.info("removed the checkout %s of a release that is not being built", name)


def _names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()} if folder.is_dir() else set()


async def forget_repositories(parts: Parts) -> None:
    """Drop what the source keeps of repositories that were removed; one that stays keeps no other.

    Raises:
        RetryLater: the store does not answer.
    """
    for repository in await parts.database.read(environments.gone_repositories):
        try:
            await parts.source.forget(repository)
        except PortError as error:
            log.warning("what is kept of %s stays: %s", repository.name, error)


async def tidy(parts: Parts) -> None:
    """Drop rows that nobody asks for any more, and keep the build cache within its bounds."""
    now = parts.clock.now()
    await parts.database.run(lambda session: _tidy(session, now))
    await parts.builder.tidy()


def _tidy(session: Session, now: float) -> None:
    inbox.forget(session, before=now - KEEP_DELIVERIES)
    logs.forget(session, before=now - KEEP_LOGS)
    routes.forget(session, before=now - KEEP_GONE_ROUTES)
    releases.forget(session, before=now - KEEP_LOGS)
    secrets.forget(session, before=now - KEEP_LOGS)
