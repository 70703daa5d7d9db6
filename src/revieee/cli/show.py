"""``revieee list`` and ``revieee show``: environments in words."""

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from revieee.cli.errors import told
from revieee.cli.storing import find, opened, tell_if_unserved
from revieee.model.telling import view_of
from revieee.model.view import State, View
from revieee.store import environments

_WIDEST = 1000
_COLOURS = {State.LIVE: "green", State.FAILED: "red", State.NONE: "dim", State.GONE: "dim"}


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are gone.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@told
def list_(*, everything: bool, as_json: bool) -> None:
    """List environments: name, state, commit, URL."""
    with opened() as (settings, database):
        read = environments.everything if everything else environments.present
        instance = database.instance()
        found = [view_of(one, instance=instance, base_url=settings.base_url) for one in database.read_here(read)]
        if not as_json:
            tell_if_unserved(settings, database)
    if as_json:
        click.echo(json.dumps([asdict(view) for view in found], indent=2))
        return
    if not found:
        click.echo("No environments. Each opened pull request of a watched repository makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("ENVIRONMENT", "STATE", "COMMIT"):
        table.add_column(heading, no_wrap=True)
    table.add_column("URL", no_wrap=True)
    for view in found:
        state = Text(view.state.value, style=_COLOURS.get(view.state, "yellow"))
        table.add_row(view.environment, state, view.commit[:7], view.url or "")
    # Not cut to the terminal's width: an address broken in two can be neither copied nor searched for.
    Console(width=_WIDEST).print(table)


@click.command()
@click.argument("environment")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@told
def show(environment: str, *, as_json: bool) -> None:
    """Show one ENVIRONMENT: state, services, reason, last log lines."""
    with opened() as (settings, database):
        found = find(database, environment)
        view = view_of(found, instance=database.instance(), base_url=settings.base_url)
        if not as_json:
            tell_if_unserved(settings, database)
    if as_json:
        click.echo(json.dumps(asdict(view), indent=2))
    else:
        _print(view)


def _print(view: View) -> None:
    console = Console(highlight=False)
    console.print(Text(f"{view.environment}: {view.headline}", style="bold"))
    rows = Table(box=None, pad_edge=False, show_header=False)
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    rows.add_row("state", view.state.value)
    rows.add_row("commit", view.commit)
    if view.live_commit and view.live_commit != view.commit:
        rows.add_row("live", view.live_commit)
    if view.duration is not None:
        rows.add_row("took", f"{view.duration:.1f} s")
    for service in view.services:
        rows.add_row(Text(service.name), Text(f"{service.words}  {service.url or ''}".rstrip()))
    waiting = f"{view.waiting_commit} waits for approval. {view.waiting_for}".strip() if view.waiting_commit else ""
    for name, words in (("reason", view.reason), ("waiting", waiting), ("next", view.next_act)):
        if words:
            rows.add_row(name, Text(words))
    for notice in view.notices:
        rows.add_row("notice", Text(notice))
    console.print(rows)
    if view.log:
        console.print(Text(printable(view.log), style="dim"))


def printable(text: str) -> str:
    """Take out what could steer a terminal: everything a container printed is hostile."""
    return "".join(one if one in "\n\t" or one.isprintable() else "�" for one in text)
