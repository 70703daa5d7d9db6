"""Which file says what runs: the first that is there."""

from revieee.model.manifest import Context, Limits, Manifest, ManifestError, Notice
from revieee.model.reading import variables
from revieee.model.reading.assemble import assemble
from revieee.model.reading.compose import Compose, read_compose
from revieee.model.reading.compose.ports import Listening
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import OverBudget, Place, quote
from revieee.model.reading.revieee_yml import Wishes, read_wishes
from revieee.model.reading.task_definition import read_task_definition
from revieee.model.stack import Build, Service, Stack
from revieee.model.tree import Kind, Tree

MANIFESTS = ("revieee.yml", "revieee.yaml")
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
DOCKERFILE = "Dockerfile"
TASK_DEFINITION = "task_definition.yml"
ORDER = (*MANIFESTS, *COMPOSE_FILES, DOCKERFILE, TASK_DEFINITION)
"""The first of these that is in the root of the repository is read."""

_NOTHING = f"""There is nothing to run: none of {", ".join(ORDER)} is in the root of the repository. \
Add a Dockerfile, or a compose.yaml like this:
services:
  web: {{build: ., ports: ["3000"]}}"""

WEB = "web"
"""The name of the only service where nobody names it."""


def read(tree: Tree, context: Context, limits: Limits) -> Manifest:
    """Read what a commit says about its environment.

    Args:
        tree: the files of the commit.
        context: the environment, for variables and hostnames.
        limits: the most that the files may ask for.

    Returns:
        The stack with everything that was rewritten or left out.

    Raises:
        ManifestError: the files cannot become a stack; it holds all faults that were found.
    """
    reading = Reading(tree, context, limits)
    file, stack, wishes = _attempt(reading)
    exposed = tuple(exposure.service for exposure in stack.exposures)
    if any(scope.guessed for scope in reading.scopes):
        reading = Reading(tree, context, limits, exposed=exposed)
        file, stack, wishes = _attempt(reading)
    return Manifest(
        file=file,
        stack=stack,
        when=wishes.when,
        hostnames=variables.hostnames(context, exposed),
        injected=variables.injected(context, exposed),
        notices=reading.findings.notices(),
    )


def _attempt(reading: Reading) -> tuple[str, Stack, Wishes]:
    try:
        found = _read(reading)
    except OverBudget as error:
        reading.fault(Place(_first(reading, ORDER) or ""), str(error))
        found = None
    reading.findings.check()
    if found is None:
        folders = [name for name in ORDER if reading.kind(Place(name), name, "The file") is Kind.FOLDER]
        words = "".join(f"\n{name} is a folder, not a file." for name in folders)
        raise ManifestError((Notice(file="repository", line=None, words=_NOTHING + words),))
    return found


def _read(reading: Reading) -> tuple[str, Stack, Wishes] | None:
    manifest = _first(reading, MANIFESTS)
    at = Place(manifest or "")
    scope = reading.scope(at, "")
    wishes = read_wishes(reading, manifest, scope) if manifest else Wishes(at)
    if wishes is None:
        return None
    file, compose, commit_in_hash = _services(reading, wishes, scope)
    if compose is None:
        if file is None and manifest is not None:
            words = (
                "It does not say what runs, and there is no compose file, Dockerfile or task_definition.yml. Add one."
            )
            reading.fault(at, words)
        return None
    return manifest or file or "", assemble(reading, compose, wishes, commit_in_hash=commit_in_hash), wishes


def _services(reading: Reading, wishes: Wishes, scope: Scope) -> tuple[str | None, Compose | None, bool]:
    """Give the file that was found, what it says, and whether the commit is part of every service."""
    if wishes.builds:
        return wishes.at.file, _single(wishes.at, wishes.build) if wishes.build else None, False
    if wishes.compose is not None:
        return wishes.at.file, _compose(reading, wishes.at, wishes.compose, wishes, scope), False
    standard = _first(reading, COMPOSE_FILES)
    if standard:
        paths = (standard, *_override(reading, standard))
        return standard, _compose(reading, Place(standard), paths, wishes, scope), False
    if _first(reading, (DOCKERFILE,)):
        return DOCKERFILE, _single(Place(DOCKERFILE), Build(context="", dockerfile=DOCKERFILE)), False
    if _first(reading, (TASK_DEFINITION,)):
        return TASK_DEFINITION, read_task_definition(reading, TASK_DEFINITION, scope), True
    return None, None, False


def _compose(reading: Reading, at: Place, paths: tuple[str, ...], wishes: Wishes, scope: Scope) -> Compose | None:
    missing = [path for path in paths if reading.kind(at, path, "`compose`") is not Kind.FILE]
    if missing or not paths:
        reading.fault(
            at, f"`compose`: there is no file {quote(missing[0] if missing else '')}. Name a file of the repository."
        )
        return None
    base = paths[0].rpartition("/")[0]
    project = scope if base == scope.base else reading.scope(at, base)
    if "COMPOSE_FILE" in project.env:
        reading.notice(at, "`COMPOSE_FILE` in `.env` is left out: name compose files with `compose` in revieee.yml.")
    off = frozenset(name for name, (overlay, _) in wishes.services.items() if not overlay.mounts)
    return read_compose(reading, at, paths, project, profiles=wishes.profiles, without_mounts=off)


def _override(reading: Reading, standard: str) -> tuple[str, ...]:
    """Give the override file that Compose reads with a standard file."""
    stem = standard.rpartition(".")[0]
    found = _first(reading, (f"{stem}.override.yml", f"{stem}.override.yaml"))
    return (found,) if found else ()


def _first(reading: Reading, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if reading.kind(Place(name), name, "The file") is Kind.FILE), None)


def _single(at: Place, build: Build) -> Compose:
    service = Service(name=WEB, build=build)
    return Compose(services=(service,), listening=(Listening(WEB, at, (), (), builds=True),), volumes=(), at=at)
