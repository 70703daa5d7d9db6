"""``revieee uninstall``: take away what Revieee keeps on this host."""

import asyncio
import json

import click

from revieee.cli.errors import told
from revieee.cli.storing import opened
from revieee.ports import Engine, Placement, Presence, Refused
from revieee.wiring import load_engine, open_router


@click.command()
@click.option("--environments", is_flag=True, help="Remove all environments of this instance first.")
@click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
@told
def uninstall(*, environments: bool, as_json: bool) -> None:
    """Take away what outlives `revieee serve` on this host.

    That is nginx, the firewall table and the router's address. The data folder stays. Stop `revieee serve` first: it
    would bring them back.
    """
    with opened() as (settings, database):
        instance = database.instance()
        receipt = asyncio.run(_engine(load_engine(settings, instance), instance, environments=environments))
        asyncio.run(open_router(settings).stop())
    receipt += ["nginx", "firewall table", "router's address"]
    click.echo(json.dumps({"removed": receipt}) if as_json else "Removed: " + ", ".join(receipt) + ".")


async def _engine(engine: Engine, instance: str, *, environments: bool) -> list[str]:
    """Remove environments where asked to, then what belongs to none of them; gives the receipt."""
    try:
        there = {id_: one for id_, one in (await engine.observe_all(instance)).items() if not one.absent}
        if there and not environments:
            raise Refused(f"{len(there)} environments are still there. `--environments` removes them too.")
        removed = [await _remove(engine, instance, id_, one) for id_, one in there.items()]
        await engine.uninstall()
        return removed
    finally:
        await engine.close()


async def _remove(engine: Engine, instance: str, environment: int, presence: Presence) -> str:
    placement = Placement(instance=instance, environment=environment, incarnation=0, name=f"#{environment}")
    await engine.remove(placement, None, grace=1.0)
    return f"environment {environment} ({len(presence.keys)} containers)"
