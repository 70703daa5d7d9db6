"""Fetch: have the commit at hand, read its manifest, take its hostnames."""

import asyncio
import contextlib
import logging
from dataclasses import replace

from revieee.model.environment import Release
from revieee.model.manifest import Context, Manifest, ManifestError
from revieee.model.names import label
from revieee.model.phases import Outcome, Verdict
from revieee.model.reading import excluded, read
from revieee.model.tree import PathError
from revieee.ports import AddressTaken, Refused
from revieee.reconcile.parts import Done, Step, Turn, hostnames
from revieee.reconcile.steps.begin import move
from revieee.store import releases, routes
from revieee.store.releases import Ending

log = logging.getLogger(__name__)


async def fetch(turn: Turn, release: Release) -> Step:
    """Fetch exactly the release's commit and say what its files want; the engine makes the network meanwhile."""
    source, facts = turn.parts.source, turn.environment.facts
    prepared = asyncio.create_task(turn.parts.engine.prepare(turn.placement(release)))
    waiting = turn.environment.id, ""
    turn.parts.queued.add(waiting)
    try:
        await source.fetch(facts.repository, facts.number, release.commit, base_ref=facts.base_ref)
        await prepared
    except AddressTaken:
        await _move_if_needed(turn, release)
        return None
    finally:
        turn.parts.queued.discard(waiting)
        prepared.cancel()
        await asyncio.gather(prepared, return_exceptions=True)
    manifest = await _manifest(turn, release, turn.environment.label)
    reason = await _excluded(turn, release, manifest)
    if reason is not None:
        return Done(outcome=Outcome.EXCLUDED, ending=Ending(verdict=Verdict.EXCLUDED, reason=reason))
    live = turn.environment.live
    if live and live.manifest == manifest and (live.commit, live.nonce) == (release.commit, release.nonce):
        await turn.write(lambda session: releases.unchanged(session, turn.lease, release.id, live.id, now=turn.now))
        return None
    if not await _claim(turn, release, manifest):
        unique = label(turn.environment.label, unique=f"{facts.repository.id}#{facts.number}")
        await turn.write(lambda session: releases.relabel(session, turn.lease, unique))
        manifest = await _manifest(turn, release, unique)
        if not await _claim(turn, release, manifest):
            raise Refused(f"A hostname of {turn.environment.name} belongs to another environment.")
    await turn.write(lambda session: releases.keep_manifest(session, turn.lease, release.id, manifest))
    return Done(outcome=Outcome.DONE)


async def _move_if_needed(turn: Turn, release: Release) -> None:
    """Take another subnet, unless ours can be had by now: what is live was perhaps healed while the forge was slow."""
    try:
        await turn.parts.engine.prepare(turn.placement(release))
    except AddressTaken as error:
        log.warning("%s: %s", turn.environment.name, error)
        await move(turn)


async def _manifest(turn: Turn, release: Release, label_: str) -> Manifest:
    facts, policy = turn.environment.facts, turn.parts.policy
    context = Context(
        repository=facts.repository.name,
        number=facts.number,
        branch=facts.head_ref,
        commit=release.commit,
        environment_label=label_,
        base_url=policy.base_url,
    )
    with contextlib.closing(await turn.parts.source.tree(facts.repository, release.commit)) as tree:
        try:
            return await asyncio.to_thread(read, tree, context, policy.limits_of(trusted=release.trusted))
        except (ManifestError, PathError) as error:
            raise Refused(str(error)) from error


async def _excluded(turn: Turn, release: Release, manifest: Manifest) -> str | None:
    facts, when = turn.environment.facts, manifest.when
    paths = None
    if when.paths or when.ignore_paths:
        paths = await turn.parts.source.changed_paths(facts.repository, facts.base_ref, release.commit)
    return excluded(when, facts, paths)


async def _claim(turn: Turn, release: Release, manifest: Manifest) -> bool:
    hosts = hostnames(turn.parts.policy.base_url, replace(release, manifest=manifest))
    environment, now = turn.environment, turn.now
    return await turn.write(lambda session: routes.claim(session, environment.id, hosts, now=now))
