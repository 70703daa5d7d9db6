"""``revieee plan``: what a checkout would become, without GitHub and without Docker."""

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from revieee.builders import dockerfile
from revieee.cli.errors import told
from revieee.cli.terminal import printable
from revieee.model.manifest import Context, Manifest, ManifestError, Notice, When
from revieee.model.names import environment_label, slug
from revieee.model.reading import read
from revieee.model.reading.variables import url
from revieee.model.stack import STACK, Build, Condition, Service, ServiceLimits
from revieee.model.tree import PathError, Tree
from revieee.ports import Refused
from revieee.settings import load
from revieee.sources.git import snapshot

_WAITS = {Condition.STARTED: "started", Condition.HEALTHY: "healthy", Condition.COMPLETED: "completed"}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_KIBI = 1024
_SOON = 1.0
"""Seconds after which somebody at a terminal wants to know why nothing comes."""


@click.command()
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--branch", help="As if it were this branch's pull request; the folder's own branch unless given.")
@click.option("--number", default=1, show_default=True, type=click.IntRange(1), help="The pull request's number.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@told
def plan(folder: Path, branch: str | None, number: int, *, as_json: bool) -> None:
    """Print what the checkout in FOLDER would become.

    Also what would be refused, with file and line; it then ends with 1. Needs neither GitHub nor Docker. Uncommitted
    changes count.
    """
    policy = load().policy()
    name = slug(folder.resolve().name) or "repository"
    context = Context(
        repository=f"local/{name}",
        number=number,
        branch=branch or _branch(folder),
        commit="0" * 40,
        environment_label=environment_label(name, number),
        base_url=policy.base_url,
    )
    try:
        with _patiently(folder), snapshot(folder) as tree:
            manifest = read(tree, context, policy.limits)
            manifest = replace(manifest, notices=(*manifest.notices, *_dockerfiles(tree, manifest)))
    except ManifestError as error:
        _tell_faults(error.faults, as_json=as_json)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_value(manifest, context), indent=2))
    else:
        _print(manifest, context)


@contextlib.contextmanager
def _patiently(folder: Path) -> Iterator[None]:
    """Say on a terminal what takes long, and clean up also when asked to end."""
    words = f"Reading the files of {printable(str(folder))} …"
    slow = threading.Timer(_SOON, click.echo, (words,), {"err": True})
    slow.daemon = True
    if sys.stderr.isatty():
        slow.start()
    before = {one: signal.signal(one, _end) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        slow.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _dockerfiles(tree: Tree, manifest: Manifest) -> tuple[Notice, ...]:
    """Read the Dockerfiles as a build does before it begins; gives what is left out.

    Raises:
        ManifestError: one of them would be refused.
    """
    notices: list[Notice] = []
    faults: list[Notice] = []
    for build in dict.fromkeys(service.build for service in manifest.stack.services):
        if build is None:
            continue
        name = "dockerfile_inline" if build.inline is not None else build.dockerfile
        try:
            text = build.inline or tree.read(build.dockerfile).decode("utf-8", "surrogateescape")
            made = dockerfile.read(text, name)
            made.images(dict(build.args), build.target)
        except (PathError, Refused) as error:
            faults.append(_placed(str(error), name))
        else:
            notices += [_placed(words, name) for words in made.notices]
    if faults:
        raise ManifestError(tuple(faults))
    return tuple(notices)


def _placed(words: str, file: str) -> Notice:
    """Take the line out of ``Dockerfile:3: why``."""
    line, parted, rest = words.removeprefix(f"{file}:").partition(": ")
    if parted and line.isdecimal():
        return Notice(file=file, line=int(line), words=rest)
    return Notice(file=file, line=None, words=words)


def _branch(folder: Path) -> str:
    """Read the checked-out branch from git's own file; ``main`` where there is none (gitrepository-layout(5)).

    In a linked worktree ``.git`` is a file that names the folder in which it is.
    """
    git = folder / ".git"
    try:
        if git.is_file():
            git = folder / git.read_text(encoding="utf-8", errors="surrogateescape").strip().removeprefix("gitdir: ")
        head = (git / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError):  # ValueError: no path at all, with a NUL in it
        return "main"
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else "main"


def _value(manifest: Manifest, context: Context) -> dict[str, Any]:
    """Give a manifest as plain values; mounted files with their size in place of their content."""
    stack = STACK.dump_python(manifest.stack, mode="json")
    for service, plain in zip(manifest.stack.services, stack["services"], strict=True):
        for file, entry in zip(service.files, plain["files"], strict=True):
            del entry["content"]
            entry["size"] = len(file.content)
    return {
        "file": manifest.file,
        "stack": stack,
        "urls": {service: url(context, label) for service, label in manifest.hostnames},
        "when": asdict(manifest.when),
        "variables": dict(manifest.injected),
        "notices": [asdict(notice) for notice in manifest.notices],
        "faults": [],
    }


def _tell_faults(faults: tuple[Notice, ...], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"faults": [asdict(fault) for fault in faults]}, indent=2))
        return
    console = Console(highlight=False)
    several = "things" if len(faults) > 1 else "thing"
    console.print(Text(f"Refused: {len(faults)} {several} to mend.", style="bold red"))
    _print_notices(console, faults, "red")


def _print(manifest: Manifest, context: Context) -> None:
    console = Console(highlight=False)
    several = "services" if len(manifest.stack.services) > 1 else "service"
    console.print(Text(f"{len(manifest.stack.services)} {several} from {manifest.file}", style="bold"))
    urls = {service: url(context, label) for service, label in manifest.hostnames}
    for service in manifest.stack.services:
        console.print()
        console.print(Text(printable(service.name), style="bold"))
        _print_rows(console, _service_rows(service, manifest, urls.get(service.name)))
    console.print()
    console.print(Text("environment", style="bold"))
    _print_rows(console, _environment_rows(manifest))
    if manifest.notices:
        console.print()
        several = "notices" if len(manifest.notices) > 1 else "notice"
        console.print(Text(f"{len(manifest.notices)} {several}", style="bold yellow"))
        _print_notices(console, manifest.notices, "yellow")


def _print_rows(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=9)
    table.add_column(overflow="fold")
    for name, words in rows:
        table.add_row(f"  {name}", Text(printable(words)))
    console.print(table)


def _print_notices(console: Console, notices: Iterable[Notice], colour: str) -> None:
    for notice in notices:
        place = notice.file if notice.line is None else f"{notice.file}:{notice.line}"
        console.print(Text(f"  {printable(place)}", style=colour))
        console.print(Padding(Text(printable(notice.words)), (0, 0, 0, 4), expand=False))


def _service_rows(service: Service, manifest: Manifest, address: str | None) -> Iterator[tuple[str, str]]:
    yield ("build", _build_words(service.build)) if service.build else ("image", service.image or "")
    if address:
        port = next(one.port for one in manifest.stack.exposures if one.service == service.name)
        yield "url", address
        yield "port", str(port) if port else "the image's EXPOSE, else $PORT"
        if not service.healthcheck:
            yield "health", f"GET {service.probe.path} answers below 500"
    waits = [f"{one.service} ({_WAITS[one.condition]})" for one in service.depends_on]
    if waits:
        yield "waits for", ", ".join(waits)
    for mount in service.volumes:
        yield "volume", f"{mount.volume} at {mount.target}{' (read-only)' if mount.read_only else ''}"
    for memory in service.tmpfs:
        yield "tmpfs", memory.target
    if service.files:
        amount = _amount(sum(len(file.content) for file in service.files))
        yield "files", f"{len(service.files)} of the repository ({amount}), from {service.files[0].target}"
    if limits := _limit_words(service.limits):
        yield "limits", limits


def _build_words(build: Build) -> str:
    where = f"./{build.context}" if build.context else "."
    dockerfile = "a Dockerfile in the compose file" if build.inline is not None else build.dockerfile
    return f"{where} with {dockerfile}{f', stage {build.target}' if build.target else ''}"


def _limit_words(limits: ServiceLimits) -> str:
    parts = (
        f"memory {_amount(limits.memory)}" if limits.memory else "",
        f"{limits.cpus:g} CPUs" if limits.cpus else "",
        f"{limits.pids} processes" if limits.pids else "",
    )
    return ", ".join(part for part in parts if part)


def _amount(size: float) -> str:
    unit = 0
    while size >= _KIBI and unit < len(_UNITS) - 1:
        size /= _KIBI
        unit += 1
    return f"{size:.4g} {_UNITS[unit]}"


def _environment_rows(manifest: Manifest) -> Iterator[tuple[str, str]]:
    stack = manifest.stack
    for name in ("create", "deploy", "destroy"):
        hook = getattr(stack.hooks, name)
        if hook:
            yield name, f"in {hook.service}: {' '.join(hook.command)}"
    yield "start", f"within {stack.start_timeout:g} s, or the release has failed"
    yield "when", _when_words(manifest.when)
    if stack.commit_in_hash:
        yield "update", "every commit replaces all services, for the container checks $BRANCH out"


def _when_words(when: When) -> str:
    plain = When()
    said = [field.name for field in fields(When) if getattr(when, field.name) != getattr(plain, field.name)]
    if not said:
        return "every pull request"
    values = {name: getattr(when, name) for name in said}
    return "; ".join(
        f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, tuple) else 'no'}"
        for name, value in values.items()
    )
