"""``revieee logs``: what builds, hooks and services printed."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import click

from revieee.cli.errors import told
from revieee.cli.show import printable
from revieee.cli.storing import find, opened
from revieee.model.environment import Release
from revieee.model.masking import Masker, masked
from revieee.ports import Engine, Placement, Refused
from revieee.store import logs as stored
from revieee.store import secrets
from revieee.store.database import Database
from revieee.wiring import load_engine, open_vault


@click.command()
@click.argument("environment")
@click.option("--service", help="Only this service's output.")
@click.option("--build", is_flag=True, help="The output of builds and hooks instead of the services'.")
@click.option("--tail", default=50, show_default=True, help="How many last lines of each service.")
@click.option("--follow", "-f", is_flag=True, help="Go on as it comes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@told
def logs(environment: str, *, service: str | None, build: bool, tail: int, follow: bool, as_json: bool) -> None:
    """Print what an ENVIRONMENT's builds, hooks and services wrote."""
    with opened() as (settings, database):
        found = find(database, environment)
        release = found.live or found.newest
        if release is None:
            raise Refused(f"{found.name} has no release yet.")
        sealed = database.read_here(lambda session: secrets.sealed(session, found.facts.repository.id))
        form = _Form(tail=tail, follow=follow, as_json=as_json, secrets=open_vault(settings).secrets(sealed).known)
        if build:
            _stored(database, found.newest or release, form)
            return
        tasks = [one for one in release.stack.tasks if service in {None, one.service.name}] if release.stack else []
        if not tasks:
            raise Refused(f"{found.name} runs no service {service or ''}. `revieee show {found.name}` names them.")
        keys = {one.key: one.service.name for one in tasks}
        placement = Placement(
            instance=database.instance(), environment=found.id, incarnation=found.incarnation, name=str(found.name)
        )
        engine = load_engine(settings, placement.instance)
        try:
            asyncio.run(_services(engine, placement, keys, form))
        except KeyboardInterrupt:  # how following ends
            if not follow:
                raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How much is printed, and how."""

    tail: int
    follow: bool
    as_json: bool
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def line(self, name: str, text: str, *, prefix: bool) -> None:
        """Print one line of a service or stage."""
        if self.as_json:
            click.echo(json.dumps({"name": name, "line": text}))
        else:
            click.echo(f"{name} | {printable(text)}" if prefix else printable(text))


async def _services(engine: Engine, placement: Placement, keys: Mapping[str, str], form: _Form) -> None:
    """Print the output of several services side by side."""

    async def one(key: str, name: str) -> None:
        rest, masker = b"", Masker(form.secrets)
        async for piece in engine.logs(placement, key, tail=form.tail, follow=form.follow):
            *lines, rest = (rest + masker.feed(piece)).split(b"\n")
            for line in lines:
                form.line(name, line.decode(errors="replace").rstrip("\r"), prefix=len(keys) > 1)
        rest += masker.end()
        if rest:
            form.line(name, rest.decode(errors="replace"), prefix=len(keys) > 1)

    try:
        await asyncio.gather(*(one(key, name) for key, name in keys.items()))
    finally:
        await engine.close()


def _stored(database: Database, release: Release, form: _Form) -> None:
    """Print what builds and hooks of a release wrote."""
    after = 0
    while chunks := database.read_here(partial(stored.read, release_id=release.id, after=after)):
        for chunk in chunks:
            for line in masked(chunk.data.decode(errors="replace"), form.secrets).splitlines():
                form.line(chunk.stage, line, prefix=True)
        after = chunks[-1].id
