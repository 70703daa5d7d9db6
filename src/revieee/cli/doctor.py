"""``revieee doctor``: what is set up, what is not, and how to mend it."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial

import click
from rich.console import Console
from rich.text import Text

from revieee.cli.errors import told
from revieee.cli.keys import app_key, secret_key
from revieee.cli.storing import is_served
from revieee.forges.github import GitHubForge
from revieee.ports import Fault, Finding, PortError, Severity
from revieee.reconcile.owner import holders
from revieee.reconcile.room import look
from revieee.reporters.github import GitHubReporter
from revieee.settings import Settings, load
from revieee.store import secrets
from revieee.store.database import Database
from revieee.wiring import load_engine, open_builder, open_github, open_router, open_source

_MARKS = {Severity.GOOD: ("✓", "green"), Severity.WARNING: ("!", "yellow"), Severity.BAD: ("✗", "red")}
_NO_INSTANCE = "00000000"
"""Stands for the id before the first `revieee serve` gives one."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@told
def doctor(*, as_json: bool) -> None:
    """Check engine, nginx, git, database, domain, keys and GitHub.

    Says whether `revieee serve` runs and how to mend what is wrong, and ends with 1 if something is.
    Before the first start the firewall table and the router's address are not there yet.
    """
    settings = load()
    database, instance = _database(settings)
    ports = asyncio.run(_ports(settings, instance))
    findings = [*_settings(settings), *app_key(settings), *database, *_domain(settings), *ports]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings], indent=2))
    else:
        _print(findings)
    if any(one.severity is Severity.BAD for one in findings):
        raise SystemExit(1)


def _print(findings: Sequence[Finding]) -> None:
    console = Console(highlight=False)
    for one in findings:
        mark, colour = _MARKS[one.severity]
        console.print(Text.assemble((f"{mark} ", colour), (f"{one.subject}: ", "bold"), one.words))
        if one.mend and one.severity is not Severity.GOOD:
            console.print(Text(f"  → {one.mend}"))


def _settings(settings: Settings) -> list[Finding]:
    if settings.secrets:
        return [Finding(subject="webhook secret", severity=Severity.GOOD, words=f"{len(settings.secrets)} set")]
    mend = "Set REVIEEE_WEBHOOK_SECRET to the secret of the webhook (a long random text)."
    return [Finding(subject="webhook secret", severity=Severity.BAD, words="none is set", mend=mend)]


def _database(settings: Settings) -> tuple[list[Finding], str]:
    """Look at the database. Also gives the instance's id, by which the firewall table is known."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = Database(settings.database)
    except (OSError, Fault) as error:
        mend = "Check REVIEEE_DATABASE_URL and REVIEEE_DATA."
        return [Finding(subject="database", severity=Severity.BAD, words=str(error), mend=mend)], _NO_INSTANCE
    try:
        found = database.check()
        good = found.severity is Severity.GOOD
        instance = database.known_instance() if good else None
        stored = good and _asked(lambda: database.read_here(secrets.any_))
        served = good and _asked(lambda: is_served(settings, database))
        key = secret_key(settings, needed=stored)
        return [found, key, _control_plane(settings, served=served)], instance or _NO_INSTANCE
    finally:
        database.close()


def _asked(question: Callable[[], bool]) -> bool:
    """Ask a database that answers; one that has no tables yet has nothing to tell."""
    try:
        return question()
    except PortError:
        return False


def _control_plane(settings: Settings, *, served: bool) -> Finding:
    """Tell whether one works. None is no fault yet: this is run before the first start, too."""
    subject = "control plane"
    try:
        found = holders(settings.data)
    except PermissionError:
        words, mend = f"{settings.data} is closed to this user", "run this as the user that `revieee serve` runs as"
        return Finding(subject=subject, severity=Severity.WARNING, words=words, mend=mend)
    if found:
        words = f"`revieee serve` works here (process {', '.join(one or 'unknown' for one in found)})"
        return Finding(subject=subject, severity=Severity.GOOD, words=words)
    if served:
        words = "`revieee serve` works from another data folder on this database"
        return Finding(subject=subject, severity=Severity.GOOD, words=words)
    words = "`revieee serve` does not run: pull requests get no answer, and nothing is built, healed or removed"
    mend = "Start it: systemctl start revieee. If it ran before, journalctl -u revieee says why it ended."
    return Finding(subject=subject, severity=Severity.WARNING, words=words, mend=mend)


def _domain(settings: Settings) -> list[Finding]:
    """Look up a host below the domain, as a visitor's browser would."""
    if settings.domain == "localhost":
        words = "*.localhost is this machine in every browser: good to try, not for a team"
        return [Finding(subject="domain", severity=Severity.GOOD, words=words)]
    name = f"any-pr-1.{settings.domain}"
    try:
        addresses = sorted({str(one[4][0]) for one in socket.getaddrinfo(name, None)})
    except OSError:
        mend = f"Add a wildcard DNS record: *.{settings.domain} to this machine's address."
        return [Finding(subject="domain", severity=Severity.BAD, words=f"{name} has no address", mend=mend)]
    return [Finding(subject="domain", severity=Severity.GOOD, words=f"*.{settings.domain} is {', '.join(addresses)}")]


async def _ports(settings: Settings, instance: str) -> list[Finding]:
    """Ask every adapter what it finds."""
    github = open_github(settings)
    forge = GitHubForge(github)
    engine, builder = load_engine(settings, instance), open_builder(settings, instance)
    checks: dict[str, Callable[[], Awaitable[Sequence[Finding]]]] = {
        "engine": engine.check,
        "disk": partial(look, settings.data, engine, settings.policy().disk),
        "builder": builder.check,
        "router": open_router(settings).check,
        "git": open_source(settings, forge).check,
        "GitHub": forge.check,
        "reports": GitHubReporter(github).check,
    }
    findings: list[Finding] = []
    try:
        for subject, check in checks.items():
            try:
                findings += await check()
            except PortError as error:
                findings.append(Finding(subject=subject, severity=Severity.BAD, words=str(error)))
    finally:
        await builder.close()
        await engine.close()
        await github.close()
    return findings
