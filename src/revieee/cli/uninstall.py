"""``revieee uninstall``: take away what Revieee keeps on this host."""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from revieee.cli.errors import told
from revieee.cli.storing import is_served, opened
from revieee.ports import Engine, Placement, Presence, Refused
from revieee.reconcile.owner import PLACES, holders, take_place
from revieee.settings import Settings
from revieee.store import environments as rows
from revieee.store.database import Database
from revieee.wiring import load_engine, open_router, router_inside


@click.command()
@click.option("--environments", is_flag=True, help="Remove all environments of this instance first.")
@click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
@told
def uninstall(*, environments: bool, as_json: bool) -> None:
    """Take away what outlives `revieee serve` on this host.

    That is nginx, the firewall table and the router's address. The data folder stays. Stop `revieee serve` first: it
    would bring them back, and is refused while it runs.
    """
    with opened() as (settings, database):
        _refuse_if_served(settings, database)
        instance = database.instance()
        names = {one.id: str(one.name) for one in database.read_here(rows.everything)}
        with _none_may_start(settings.data):
            engine = load_engine(settings, instance)
            receipt = asyncio.run(_engine(engine, instance, names if environments else None))
            if asyncio.run(open_router(settings).stop()):
                receipt.append("nginx")
    if settings.engine == "docker" and settings.walls:
        receipt += ["firewall table", *(["router's address"] if router_inside(settings) else ())]
    words = f"Removed: {', '.join(receipt)}." if receipt else "Nothing was there."
    click.echo(json.dumps({"removed": receipt}) if as_json else words)


def _refuse_if_served(settings: Settings, database: Database) -> None:
    """Leave everything to a control plane that works: it would make all anew, with empty volumes.

    Raises:
        Refused: one works, or nobody can tell.
    """
    data = settings.data.absolute()
    try:
        found = holders(data)
    except PermissionError as error:
        raise Refused(f"{data} is closed to this user: run this as the user that `revieee serve` runs as.") from error
    if not found:
        if is_served(settings, database):
            raise Refused(
                "`revieee serve` works from another data folder on this database, or did until moments ago, and would "
                "bring everything back, with empty volumes. Nothing was removed. Stop it first."
            )
        return
    processes = ", ".join(one for one in found if one)
    which, end = (f" (process {processes})", f", or end process {processes}") if processes else ("", "")
    raise Refused(
        f"`revieee serve`{which} works in {data} and would bring everything back, with empty volumes. "
        f"Nothing was removed. Stop it first: systemctl stop revieee{end}."
    )


@contextlib.contextmanager
def _none_may_start(data: Path) -> Iterator[None]:
    """Hold all places of the data folder, so that a control plane that is started meanwhile is refused."""
    with contextlib.ExitStack() as places:
        for _ in range(PLACES):
            places.enter_context(take_place(data))
        yield


async def _engine(engine: Engine, instance: str, names: Mapping[int, str] | None) -> list[str]:
    """Remove environments, then what belongs to none of them; gives the receipt.

    Args:
        engine: is closed.
        instance: ours.
        names: of environments by id; None where they are not to be removed.

    Raises:
        Refused: there are some, and they are not to be removed, or the engine did not remove all of them.
    """
    try:
        there = {id_: one for id_, one in (await engine.observe_all(instance)).items() if not one.absent}
        if there and names is None:
            words = "1 environment is still there" if len(there) == 1 else f"{len(there)} environments are still there"
            raise Refused(f"{words}. `--environments` removes what there is.")
        removed = [await _remove(engine, instance, id_, one, names or {}) for id_, one in there.items()]
        left = [one for one in (await engine.observe_all(instance)).values() if not one.absent]
        if left:
            things = sorted(set().union(*(one.keys | one.networks | one.volumes | one.images for one in left)))
            raise Refused(f"These are still there: {', '.join(things)}. Run it again when nothing uses them.")
        await engine.uninstall()
        return removed
    finally:
        await engine.close()


async def _remove(engine: Engine, instance: str, environment: int, presence: Presence, names: Mapping[int, str]) -> str:
    name = names.get(environment, f"environment {environment}")
    placement = Placement(instance=instance, environment=environment, incarnation=0, name=name)
    await engine.remove(placement, None, grace=1.0)
    many = len(presence.keys)
    return f"{name} ({many} container{'' if many == 1 else 's'})"
