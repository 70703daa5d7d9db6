"""``revieee secret``: what a repository's own code is given, and nobody is ever shown."""

import json
import sys
import time
from datetime import UTC, datetime

import click

from revieee.cli.errors import told
from revieee.cli.storing import opened
from revieee.model.secrets import MOST, secret_name, secret_value
from revieee.ports import Refused
from revieee.store import secrets
from revieee.wiring import open_vault

_LINE_END = 2
"""Bytes."""


@click.group()
def secret() -> None:
    """Set what services, hooks and builds of a repository are given.

    Releases of strangers' commits get none. No command shows a value.
    """


@secret.command("key")
@told
def make_key() -> None:
    """Make the key that seals secrets (once, before the first one)."""
    with opened() as (settings, _):
        click.echo(f"{open_vault(settings).make()} is made. Keep a copy: without it no secret can be read again.")


@secret.command("set")
@click.argument("repository")
@click.argument("name")
@told
def set_(repository: str, name: str) -> None:
    """Set the secret NAME of a REPOSITORY to what is read from standard input."""
    secret_name(name)
    with opened() as (settings, database):
        vault = open_vault(settings)
        vault.check()
        id_ = database.read_here(lambda session: secrets.repository(session, repository))
        value = _asked()
        with vault.alone():
            data, now = vault.seal(id_, name, value), time.time()
            database.run_here(lambda session: secrets.put(session, id_, name, data, now=now))
    click.echo(f"{name} is set. Releases begun from now on get it; `revieee deploy` gives it to one that runs.")


@secret.command("list")
@click.argument("repository")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@told
def list_(repository: str, *, as_json: bool) -> None:
    """Name the secrets of a REPOSITORY, and when each was set."""
    with opened() as (_, database):
        id_ = database.read_here(lambda session: secrets.repository(session, repository))
        found = [one for one in database.read_here(lambda session: secrets.sealed(session, id_)) if not one.retired]
    when = {one.name: datetime.fromtimestamp(one.changed_at, UTC).isoformat(" ", "seconds") for one in found}
    if as_json:
        click.echo(json.dumps([{"name": name, "set_at": at} for name, at in when.items()]))
        return
    for name, at in when.items():
        click.echo(f"{name}  set {at}")


@secret.command()
@click.argument("repository")
@click.argument("name")
@told
def unset(repository: str, name: str) -> None:
    """Take the secret NAME of a REPOSITORY away."""
    with opened() as (_, database):
        id_, now = database.read_here(lambda session: secrets.repository(session, repository)), time.time()
        if not database.run_here(lambda session: secrets.take_away(session, id_, name, now=now)):
            raise Refused(f"{repository} has no secret {name}. `revieee secret list {repository}` names those it has.")
    click.echo(f"{name} is taken away. What runs keeps it until its next release; `revieee deploy` makes one.")


@secret.command()
@told
def rotate() -> None:
    """Seal all secrets with a new key, and drop the old one."""
    with opened() as (settings, database):
        vault = open_vault(settings)
        count = vault.rotate(database)
        click.echo(f"{count} sealed anew with the first key of {vault.check()}; older keys are needed no more.")


def _asked() -> str:
    """Read the value: what comes through a pipe, or what is typed unseen.

    Raises:
        Refused: it is no value of a secret.
    """
    if sys.stdin.isatty():
        data = str(click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)).encode()
    else:
        data = sys.stdin.buffer.read(MOST + _LINE_END + 1)
    try:
        return secret_value(data)
    except ValueError as error:
        raise Refused(str(error)) from None
