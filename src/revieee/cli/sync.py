"""``revieee sync``: list open pull requests from the forge now, and heal what deliveries missed."""

import asyncio
import json

import click

from revieee.cli.errors import told
from revieee.cli.storing import opened
from revieee.wiring import ControlPlane, wire


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
@told
def sync(*, as_json: bool) -> None:
    """Ask GitHub for the open pull requests of all repositories.

    A running control plane acts on what differs from what deliveries told.
    """
    with opened() as (settings, database):
        count = asyncio.run(_sync(wire(settings, database)))
    words = "1 pull request is open." if count == 1 else f"{count} pull requests are open."
    click.echo(json.dumps({"open": count}) if as_json else words)


async def _sync(plane: ControlPlane) -> int:
    try:
        return await plane.listing.list_all()
    finally:
        await plane.parts.engine.close()
        await plane.github.close()
