"""``revieee deploy``, ``destroy`` and ``approve``: wishes, which a running control plane carries out."""

import json
import time

import click

from revieee.cli.errors import told
from revieee.cli.storing import find, opened
from revieee.model.desire import desire
from revieee.model.environment import Environment
from revieee.model.lifecycle import Act, next_act
from revieee.model.telling import view_of
from revieee.model.trust import OPERATOR, Trust
from revieee.model.view import State, View
from revieee.ports import Refused
from revieee.settings import Settings
from revieee.store import releases, wishes
from revieee.store.database import Database

_LOOK = 0.3
_PATIENCE = 20.0
"""Seconds without any sign of a control plane after which we say so."""

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

    Ends when all of it was observed absent.
    """
    with opened() as (settings, database):
        found, decide, now = find(database, environment), _decide(settings), time.time()
        database.run_here(lambda session: wishes.destroy(session, found.id, decide, now=now))
        view = _follow(settings, database, found.id, wait=wait, quiet=as_json)
    _end(view, as_json=as_json, good=view.state in {State.NONE, State.GONE} or not wait)


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
    with opened() as (settings, database):
        found, decide, now = find(database, environment), _decide(settings), time.time()
        database.run_here(
            lambda session: wishes.record_trust(
                session, found.id, lambda trust: _approved(found, trust, commit, now), decide, now=now
            )
        )
        view = _follow(settings, database, found.id, wait=wait, quiet=as_json)
    _end(view, as_json=as_json, good=view.state is State.LIVE or not wait)


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
    """Print each change of the view until nothing more is to happen."""
    shown, since, warned = "", time.monotonic(), False
    while True:
        found = database.read_here(lambda session: releases.load(session, environment))
        view = view_of(found, instance=database.instance(), base_url=settings.base_url)
        if view.headline != shown:
            shown, since = view.headline, time.monotonic()
            if not quiet:
                click.echo(f"{view.environment}: {view.headline}")
        if not wait or next_act(found) in {Act.KEEP, Act.DRAIN, Act.REST}:
            return view
        if not warned and time.monotonic() - since > _PATIENCE:
            warned = True
            click.echo("Nothing happens yet: does `revieee serve` run? The wish is kept until it does.", err=True)
        time.sleep(_LOOK)


def _end(view: View, *, as_json: bool, good: bool) -> None:
    if as_json:
        click.echo(json.dumps({"environment": view.environment, "state": view.state, "url": view.url}))
    elif view.url and view.live:
        click.echo(view.url)
    if view.reason and not as_json:
        click.echo(view.reason, err=not good)
    if not good:
        raise SystemExit(1)
