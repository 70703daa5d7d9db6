"""``revieee deploy``, ``destroy`` and ``approve``: wishes, which a running control plane carries out."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence

import click

from revieee.cli.errors import told
from revieee.cli.storing import find, is_served, opened
from revieee.model.desire import desire
from revieee.model.environment import Environment
from revieee.model.lifecycle import Act, next_act
from revieee.model.telling import view_of
from revieee.model.trust import OPERATOR, Trust
from revieee.model.view import State, View
from revieee.ports import PortError, Presence, Refused
from revieee.settings import Settings
from revieee.store import releases, wishes
from revieee.store.database import Database
from revieee.wiring import load_engine

_LOOK = 0.3
_PATIENCE = 20.0
"""Seconds without any change after which we say so, if no control plane runs."""
_INTERRUPTED = 130
"""The exit code of what Ctrl-C ended, as shells have it."""

wait_option = click.option("--wait/--no-wait", default=True, help="Follow it to its end (Ctrl-C stops following only).")
json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON.")


@click.command()
@click.argument("environment")
@wait_option
@json_option
@told
def deploy(environment: str, *, wait: bool, as_json: bool) -> None:
    """Make a new release of an ENVIRONMENT's commit.

    Brings a destroyed one back.
    """
    with opened() as (settings, database):
        found, decide, now = find(database, environment), _decide(settings), time.time()
        database.run_here(lambda session: wishes.deploy(session, found.id, decide, now=now))
        view = _follow(settings, database, found.id, wait=wait, quiet=as_json)
    _end(view, as_json=as_json, good=view.state is State.LIVE or not wait)


@click.command()
@click.argument("environment")
@wait_option
@json_option
@told
def destroy(environment: str, *, wait: bool, as_json: bool) -> None:
    """Remove an ENVIRONMENT until its next push.

    Ends when all of it was observed absent, with a list of what that was.
    """
    with opened() as (settings, database):
        found, decide, now = find(database, environment), _decide(settings), time.time()
        before = _there(settings, database, found.id)
        database.run_here(lambda session: wishes.destroy(session, found.id, decide, now=now))
        view = _follow(settings, database, found.id, wait=wait, quiet=as_json)
        left = _there(settings, database, found.id) if wait else None
    gone = view.state in {State.NONE, State.GONE} and left in (None, Presence())
    _end(view, as_json=as_json, good=gone or not wait, receipt=_receipt(before, left))


@click.command()
@click.argument("environment")
@click.option(
    "--commit", metavar="SHA", help="The full hash of the commit you looked at; refused if it is not the head."
)
@wait_option
@json_option
@told
def approve(environment: str, commit: str | None, *, wait: bool, as_json: bool) -> None:
    """Let the newest commit of an ENVIRONMENT run.

    For a pull request from a fork: as a stranger's.
    """
    if commit == "":  # a script's unset variable must not turn "this commit" into "whichever is the newest"
        raise click.BadParameter("--commit is empty. Give the full hash of the commit that you looked at.")
    with opened() as (settings, database):
        found, decide, now = find(database, environment), _decide(settings), time.time()
        database.run_here(
            lambda session: wishes.record_trust(
                session, found.id, lambda trust: _approved(found, trust, commit, now), decide, now=now
            )
        )
        view = _follow(settings, database, found.id, wait=wait, quiet=as_json)
    _end(view, as_json=as_json, good=view.state is State.LIVE or not wait)


def _there(settings: Settings, database: Database, environment: int) -> Presence | None:
    """Give what the engine has of an environment, or None where it cannot be asked from here."""

    async def ask() -> Presence:
        engine = load_engine(settings, instance := database.instance())
        try:
            return (await engine.observe_all(instance)).get(environment, Presence())
        finally:
            await engine.close()

    try:
        return asyncio.run(ask())
    except PortError as error:
        click.echo(f"What it has could not be listed: {error}", err=True)
        return None


def _receipt(before: Presence | None, left: Presence | None) -> Mapping[str, Sequence[str]]:
    """List what was there and is not any more, by kind."""
    if before is None or left is None:
        return {}
    kinds = {
        "containers": before.keys - left.keys,
        "networks": before.networks - left.networks,
        "volumes": before.volumes - left.volumes,
        "images": before.images - left.images,
    }
    return {kind: sorted(names) for kind, names in kinds.items()}


def _decide(settings: Settings) -> wishes.Decide:
    admission = settings.policy().admission
    return lambda facts, trust: desire(facts, admission, trust)


def _approved(found: Environment, trust: Trust, commit: str | None, now: float) -> Trust:
    """Approve the head, which must be the commit that was named.

    Raises:
        Refused: nothing waits, or it is another commit.
    """
    if not found.waits:
        raise Refused(f"Nothing of {found.name} waits for approval.")
    if (commit or found.facts.head_commit) != trust.head:
        raise Refused(f"{commit or found.facts.head_commit} is not the newest commit of {found.name}: {trust.head} is.")
    return trust.approve(OPERATOR, at=now)


def _follow(settings: Settings, database: Database, environment: int, *, wait: bool, quiet: bool) -> View:
    """Follow a wish to its end; Ctrl-C ends this command only, which it says."""
    try:
        return _to_its_end(settings, database, environment, wait=wait, quiet=quiet)
    except KeyboardInterrupt:
        click.echo("\nNot followed any further; it goes on without you.", err=True)
        raise SystemExit(_INTERRUPTED) from None


def _to_its_end(settings: Settings, database: Database, environment: int, *, wait: bool, quiet: bool) -> View:
    """Print each change of the view, and what it waits for meanwhile, until nothing more is to happen."""
    shown, since, warned = "", time.monotonic(), False
    while True:
        found = database.read_here(lambda session: releases.load(session, environment))
        view = view_of(found, instance=database.instance(), base_url=settings.base_url)
        at_rest = next_act(found) in {Act.KEEP, Act.DRAIN, Act.REST}
        ended = at_rest or not wait
        words = view.headline if ended else f"{view.headline} {view.reason}".strip()
        if words != shown:
            shown, since = words, time.monotonic()
            if not quiet:
                click.echo(f"{view.environment}: {words}")
        impatient = not ended and time.monotonic() - since > _PATIENCE
        hurried = not (wait or at_rest or quiet)
        if (impatient or hurried) and not warned and not is_served(settings, database):
            warned = True
            click.echo("Nothing happens yet: `revieee serve` does not run. The wish is kept until it does.", err=True)
        if ended:
            return view
        time.sleep(_LOOK)


def _end(view: View, *, as_json: bool, good: bool, receipt: Mapping[str, Sequence[str]] | None = None) -> None:
    if as_json:
        words = {"environment": view.environment, "state": view.state, "url": view.url}
        click.echo(json.dumps(words if receipt is None else {**words, "absent": receipt}))
    elif view.url and view.live:
        click.echo(view.url)
    if view.reason and not as_json:
        click.echo(view.reason, err=not good)
    if receipt and good and not as_json:
        for kind, names in receipt.items():
            click.echo(f"observed absent: {kind}: {', '.join(names) or 'none were there'}")
    if not good:
        raise SystemExit(1)
