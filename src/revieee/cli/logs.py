"""``revieee logs``: what builds, hooks and services printed."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import click

from revieee.cli.errors import told
from revieee.cli.show import printable
from revieee.cli.storing import find, opened
from revieee.model.environment import Release
from revieee.model.masking import SURPLUS_LINES, Masker
from revieee.ports import Engine, Placement, Refused
from revieee.store import logs as stored
from revieee.store import secrets
from revieee.store.database import Database
from revieee.wiring import load_engine, open_vault


@click.command()
@click.argument("environment")
@click.option("--service", help="Only this service's output.")
@click.option("--build", is_flag=True, help="The output of builds and hooks instead of the services'.")
@click.option(
    "--tail", default=50, show_default=True, type=click.IntRange(min=0), help="How many last lines of each service."
)
@click.option("--follow", "-f", is_flag=True, help="Go on as it comes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@told
def logs(environment: str, *, service: str | None, build: bool, tail: int, follow: bool, as_json: bool) -> None:
    """Print what an ENVIRONMENT's builds, hooks and services wrote."""
    if build and (service is not None or follow):
        raise click.UsageError(
            "`--build` prints all that builds and hooks wrote; `--service` and `--follow` are not for it."
        )
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
        if not found.placed:
            words = f"{found.name} is not there, and what its services wrote went with it."
            raise Refused(f"{words} `revieee logs --build {found.name}` prints what its last builds and hooks wrote.")
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


class _Lines:
    """Cuts output into lines when it is masked.

    Args:
        values: secrets.
    """

    def __init__(self, values: tuple[str, ...]) -> None:
        self._masker = Masker(values)
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Take some output; gives the lines that are whole."""
        yield from self._cut(self._masker.feed(data))

    def end(self) -> Iterator[str]:
        """Give the rest."""
        yield from self._cut(self._masker.end())
        if self._rest:
            yield self._rest.decode(errors="replace")

    def _cut(self, data: bytes) -> Iterator[str]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").rstrip("\r")


async def _services(engine: Engine, placement: Placement, keys: Mapping[str, str], form: _Form) -> None:
    """Print the output of several services side by side."""

    async def lines(key: str, *, follow: bool) -> AsyncIterator[str]:
        cutter = _Lines(form.secrets)
        async for piece in engine.logs(placement, key, tail=form.tail + SURPLUS_LINES, follow=follow):
            for line in cutter.feed(piece):
                yield line
        for line in cutter.end():
            yield line

    async def one(key: str, name: str) -> None:
        # More is read than is printed: a secret whose beginning is cut off may not be known for one.
        surplus = sum([1 async for _ in lines(key, follow=False)]) - form.tail
        async for line in lines(key, follow=form.follow):
            surplus -= 1
            if surplus < 0:
                form.line(name, line, prefix=len(keys) > 1)

    try:
        await asyncio.gather(*(one(key, name) for key, name in keys.items()))
    finally:
        await engine.close()


def _stored(database: Database, release: Release, form: _Form) -> None:
    """Print what builds and hooks of a release wrote."""
    after, stages = 0, dict[str, _Lines]()
    while chunks := database.read_here(partial(stored.read, release_id=release.id, after=after)):
        for chunk in chunks:
            for line in stages.setdefault(chunk.stage, _Lines(form.secrets)).feed(chunk.data):
                form.line(chunk.stage, line, prefix=True)
        after = chunks[-1].id
    for stage, cutter in stages.items():
        for line in cutter.end():
            form.line(stage, line, prefix=True)
