"""Build: have every image, built or pulled, and settle what is to run: keys, ports, addresses."""

import asyncio
import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path

from revieee.model.addresses import assign
from revieee.model.environment import Release
from revieee.model.image import Image
from revieee.model.manifest import Manifest
from revieee.model.phases import Outcome
from revieee.model.resolve import ResolvedHook, ResolvedStack, resolve
from revieee.model.stack import Build, Service
from revieee.model.tags import image_tags
from revieee.model.tree import Tree
from revieee.ports import BuildRequest, NotPulled, Refused, RetryLater
from revieee.reconcile.output import Output
from revieee.reconcile.parts import CHECKOUTS, Done, Step, Turn
from revieee.store import images, releases

_SOON = 1.0
"""Seconds until an image that is being removed is asked for again."""


async def build(turn: Turn, release: Release) -> Step:
    """Build and pull in parallel."""
    manifest = _manifest(release)
    # Of this lease alone: one who was paused and wakes up late clears away his own, and not that of who followed him.
    folder = turn.parts.data / CHECKOUTS / f"{release.id}.{turn.lease.token}"
    try:
        images_ = await _images(turn, release, manifest, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    stack = _settle(turn, release, manifest, images_)
    await turn.write(lambda session: releases.keep_stack(session, turn.lease, release.id, stack))
    return Done(outcome=Outcome.DONE)


def _manifest(release: Release) -> Manifest:
    if release.manifest is None:
        raise Refused("The manifest of this release is missing. `revieee deploy` makes a new release.")
    return release.manifest


async def _images(turn: Turn, release: Release, manifest: Manifest, folder: Path) -> Mapping[str, Image]:
    """Have the image of every service; one failure ends the others."""
    facts = turn.environment.facts
    ready: dict[str, Image] = {}
    to_build: list[tuple[Service, str]] = []
    contents = await _contents(turn, release, manifest)
    stale = bool(contents) and await _stale(turn)
    for service, content in contents:
        kept = None if stale else await _kept(turn, service.name, content)
        if kept is not None:
            ready[service.name] = kept
        else:
            to_build.append((service, content))
    if to_build:
        await asyncio.to_thread(_empty, folder)
        await turn.parts.source.checkout(facts.repository, release.commit, folder)
    try:
        async with asyncio.TaskGroup() as group:
            building = {
                one.name: group.create_task(_build(turn, release, one, _Checkout(folder, refresh=stale)))
                for one, _ in to_build
            }
            pulling = {
                one.name: group.create_task(_pull(turn, one)) for one in manifest.stack.services if one.build is None
            }
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    if stale:
        await turn.write(lambda session: images.bases_refreshed(session, _scope(turn), now=turn.now))
    hashes = {service.name: content for service, content in to_build}
    built = {name: replace(task.result(), content=hashes[name]) for name, task in building.items()}
    return ready | built | {name: task.result() for name, task in pulling.items()}


async def _contents(turn: Turn, release: Release, manifest: Manifest) -> list[tuple[Service, str]]:
    """Hash what each service that is built is built from."""
    built = [service for service in manifest.stack.services if service.build is not None]
    if not built:
        return []
    facts = turn.environment.facts
    repository = facts.repository
    # Asks nobody while the commit is at hand; what another release found damaged, and removed, is fetched anew.
    await turn.parts.source.fetch(repository, facts.number, release.commit)
    with contextlib.closing(await turn.parts.source.tree(repository, release.commit)) as tree:
        return [(one, await asyncio.to_thread(_content, tree, one.build)) for one in built if one.build]


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


def _content(tree: Tree, build: Build) -> str:
    """Hash what an image is built from: the context's files, the Dockerfile, target and arguments."""
    parts = [tree.object_id(build.context), tree.object_id(build.dockerfile), asdict(build)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


async def _kept(turn: Turn, service: str, content: str) -> Image | None:
    """Find the image that an earlier release of this environment built from the very same content."""
    for release in reversed(turn.environment.releases):
        for task in release.stack.tasks if release.stack else ():
            if task.service.name == service and task.image.content == content:
                try:
                    found = await turn.parts.engine.image(task.image.reference, pinned=task.image.id)
                except Refused:
                    continue
                if found.id == task.image.id:
                    return replace(task.image, content=content)
    return None


@dataclass(frozen=True, slots=True)
class _Checkout:
    """Where a commit's files are, and whether to look for newer base images."""

    folder: Path
    refresh: bool


def _scope(turn: Turn) -> str:
    """Name the cache that a build may use: of its repository, and of what is trusted alike."""
    environment = turn.environment
    return f"{environment.facts.repository.id} {'own' if environment.trusted else 'stranger'}"


async def _stale(turn: Turn) -> bool:
    """Tell whether it is time to ask the registry for newer base images."""
    now, scope = turn.now, _scope(turn)
    fresh_since = now - turn.parts.policy.pace.image_refresh
    return await turn.write(lambda session: images.bases_stale(session, scope, fresh_since=fresh_since, now=now))


async def _build(turn: Turn, release: Release, service: Service, checkout: _Checkout) -> Image:
    facts, parts = turn.environment.facts, turn.parts
    assert service.build is not None  # noqa: S101 -- the caller chose services with a build
    mine = turn.environment.id, service.name

    async def queued(place: int) -> None:
        if place:
            parts.queued.add(mine)
        else:  # none of the environment's builds waits any more
            parts.queued.difference_update([one for one in parts.queued if one[0] == turn.environment.id])
        parts.bell.hint()
        words = f"It waits for its turn to be built: number {place} in the queue." if place else ""
        await turn.write(lambda session: releases.wait(session, turn.lease, words))

    request = BuildRequest(
        environment=turn.environment.id,
        folder=checkout.folder,
        build=service.build,
        tags=image_tags(
            *(parts.instance, facts.repository.name, facts.head_ref, release.commit, service.name),
            secret=parts.image_secret,
        ),
        cache_scope=_scope(turn),
        refresh=checkout.refresh,
        online=turn.environment.trusted or parts.policy.stranger_builds_online,
        own=turn.environment.trusted,
        queued=queued,
        secrets=turn.given(release).values,
        masked=turn.secrets.known,
    )
    try:
        async with Output(turn, release, f"build {service.name}") as output:
            return await parts.builder.build(request, output.write)
    finally:
        parts.queued.discard(mine)


async def _pull(turn: Turn, service: Service) -> Image:
    """Have an image that is not built here; pinned for the environment until it is time for a newer one."""
    reference, environment, now = service.image or "", turn.environment.id, turn.now
    fresh_since = now - turn.parts.policy.pace.image_refresh
    known, stale = await turn.write(
        lambda session: images.pinned(session, environment, reference, fresh_since=fresh_since)
    )

    async def pulling() -> None:
        await turn.write(lambda session: images.pulling(session, environment, reference, now=now))

    try:
        image = await turn.parts.engine.image(reference, pinned=known, refresh=stale, pulling=pulling)
    except (Refused, NotPulled):
        # It was not pulled: what has this name later is whoever's who brought it.
        await turn.write(lambda session: images.not_pulled(session, environment, reference))
        raise
    image = replace(image, reference=reference)
    held = await turn.write(lambda session: images.pin(session, environment, image, refreshed=stale, now=now))
    # An environment that went may have removed it after the engine found it, and before it was pinned.
    if not held or (await turn.parts.engine.image(reference, pinned=image.id, pulling=pulling)).id != image.id:
        raise RetryLater(f"The image {reference} was just removed, as nobody used it. It is had again.", delay=_SOON)
    return image


def _settle(turn: Turn, release: Release, manifest: Manifest, images_: Mapping[str, Image]) -> ResolvedStack:
    """Give every task and hook its key and its address."""
    environment = turn.environment
    salt = (release.commit if manifest.stack.commit_in_hash else "") + turn.given(release).version
    stack = resolve(manifest.stack, images_, manifest.injected, salt=salt)
    hooks = _hooks(turn, release, manifest, stack)
    subnet = turn.placement(release).subnet
    if subnet is None:
        return replace(stack, hooks=hooks)
    taken = {
        key: address
        for other in environment.releases
        if other.id != release.id and other.stack is not None and other.ended_at is None
        for key, address in other.stack.addresses
        if ip_address(address) in ip_network(subnet)
    }
    names = [*(task.key for task in stack.tasks), *(hook.name for hook in hooks)]
    addresses = assign(subnet, names, taken)
    return replace(stack, hooks=hooks, addresses=tuple(addresses.items()))


def _hooks(turn: Turn, release: Release, manifest: Manifest, stack: ResolvedStack) -> tuple[ResolvedHook, ...]:
    """Name the hooks after the release, so that a second start of the same one is refused."""
    declared = manifest.stack.hooks
    wanted = {"create": declared.create, "deploy": declared.deploy, "destroy": declared.destroy}
    return tuple(
        ResolvedHook(name=f"hook-{name}-{release.id}", task=stack.task_of(hook.service), hook=hook)
        for name, hook in wanted.items()
        if hook is not None and not (name == "create" and turn.environment.created_hook)
    )
