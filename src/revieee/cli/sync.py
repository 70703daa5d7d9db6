"""``revieee sync``: list open pull requests from the forge now, and heal what deliveries missed."""

import asyncio
import json
from collections.abc import Sequence

import click

from revieee.cli.errors import told
from revieee.cli.storing import opened
from revieee.store import environments
from revieee.wiring import ControlPlane, wire

_NONE_KNOWN = (
    "No repository is known yet. One becomes known with the first change of a pull request there that its webhook "
    "tells of, or, with a GitHub App, when the App is installed on it."
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
@told
def sync(*, as_json: bool) -> None:
    """Ask GitHub for the open pull requests of all repositories.

    A running control plane acts on what differs from what deliveries told.
    """
    with opened() as (settings, database):
        count, unanswered = asyncio.run(_sync(wire(settings, database)))
        known = bool(database.read_here(environments.repositories))
    words = "1 pull request is open." if count == 1 else f"{count} pull requests are open."
    if as_json:
        click.echo(json.dumps({"open": count, "not_listed": unanswered}))
    else:
        click.echo(words if known or unanswered else _NONE_KNOWN)
    if unanswered:
        click.echo(f"Not listed: {', '.join(unanswered)}. A running `revieee serve` asks again.", err=True)
        raise SystemExit(1)


async def _sync(plane: ControlPlane) -> tuple[int, Sequence[str]]:
    try:
        return await plane.listing.list_all(), plane.listing.unanswered
    finally:
        await plane.parts.engine.close()
        await plane.github.close()
