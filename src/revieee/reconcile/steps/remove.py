"""Remove: a close wins over everything, and gone means observed absent."""

import logging
from dataclasses import replace
from functools import partial

from sqlalchemy.orm import Session

from revieee.model.environment import Release
from revieee.ports import PortError, Presence, RetryLater
from revieee.reconcile.parts import Step, Turn, Wait
from revieee.reconcile.steps import routing
from revieee.reconcile.steps.prepare import run_hook
from revieee.reconcile.steps.stack import named
from revieee.store import environments, images, releases
from revieee.store.leases import StaleLease

log = logging.getLogger(__name__)

HOOK_ATTEMPTS = 3
"""How often removal waits for an engine that cannot run the ``destroy`` hook now."""
IMAGE_ATTEMPTS = 8
"""How often it waits, some minutes in all, for one that cannot remove an image which nobody uses any more."""
AGAIN = 0.5
"""Seconds until what is still there is looked at again."""


async def remove(turn: Turn) -> Step:
    """Take an environment away: its routes first, acknowledged, then all that carries its label."""
    environment, parts = turn.environment, turn.parts
    if not environment.removing:
        await turn.write(lambda session: releases.start_removal(session, turn.lease, now=turn.now))
    await routing.forget(turn)
    live = environment.live
    failed = await _destroy_hook(turn, live) if live else ""
    # From here on nothing of it is live, so that a crash does not run the hook again, nor the tick mend anything.
    await turn.write(lambda session: releases.end_all(session, turn.lease, now=turn.now, farewell=failed))
    placement = turn.placement(live)
    await parts.engine.remove(placement, None, grace=parts.policy.pace.stop_grace)
    left = (await parts.engine.observe_all(parts.instance)).get(environment.id, Presence())
    if not left.absent:
        return Wait(seconds=AGAIN, words=f"Still there: {_words(left)}.")
    try:
        await _forget_images(turn)
    except StaleLease:
        raise
    except PortError as error:
        if environment.attempts < IMAGE_ATTEMPTS:
            raise
        log.warning("%s: an image that nobody uses stays until another environment goes: %s", environment.name, error)
        await turn.write(lambda session: images.let_go(session, environment.id, now=turn.now))
    await turn.write(lambda session: _write(session, turn))
    log.info("%s: observed absent: no containers, networks, volumes, images, routes", environment.name)
    return None


async def _forget_images(turn: Turn) -> None:
    """Remove what was pulled and no environment uses any more."""
    engine, id_ = turn.parts.engine, turn.environment.id
    for reference in await turn.write(lambda session: images.cut_off(session, id_)):
        await engine.forget_image(reference)
    await turn.write(lambda session: images.unpin(session, id_))
    # One after the other: each takes a while, and another environment may use the next one by then.
    while (image := await turn.write(lambda session: images.claim(session, id_, now=turn.now))) is not None:
        await engine.forget_image(image)
        await turn.write(partial(images.forgotten, environment_id=id_, image_id=image))


def _write(session: Session, turn: Turn) -> None:
    slot = releases.removed(session, turn.lease, now=turn.now)
    if slot is not None:
        environments.rest_slot(session, slot, now=turn.now)


async def _destroy_hook(turn: Turn, live: Release) -> str:
    """Run the ``destroy`` hook once, also when a crash comes between; whatever it comes to, removal goes on.

    Returns:
        How it failed, for people; empty where it did not.
    """
    hook = next((one for one in live.stack.hooks if one.name.startswith("hook-destroy-")), None) if live.stack else None
    if hook is None or live.stack is None:
        return ""
    others = named(turn.environment, without=live) - live.keys
    most = turn.parts.policy.limits.farewell
    short = replace(hook, hook=replace(hook.hook, timeout=min(hook.hook.timeout, most)))
    stack = replace(live.stack, start_timeout=min(live.stack.start_timeout, most))
    words = f"Its destroy hook runs first, for at most {short.hook.timeout:.0f} s."
    await turn.write(lambda session: releases.wait(session, turn.lease, words))
    try:
        if others:  # the hook wakes what the live release stopped for them, and only one may write a volume
            await turn.parts.engine.remove(turn.placement(live), others, grace=turn.parts.policy.pace.stop_grace)
        ending = await run_hook(turn, live, stack, short)
        failed = ending.reason if ending else ""
    except StaleLease:
        raise
    except PortError as error:
        if isinstance(error, RetryLater) and turn.environment.attempts < HOOK_ATTEMPTS:
            raise
        failed = str(error)
    if failed and not failed.startswith("The destroy hook"):  # what it needs did not start, or the engine refused
        failed = f"The destroy hook could not run: {failed}"
    failed = turn.masked(failed)
    if failed:
        log.warning("%s: %s", turn.environment.name, failed)
    await turn.write(lambda session: releases.wait(session, turn.lease, failed))
    return failed


def _words(left: Presence) -> str:
    found = {"containers": left.keys, "networks": left.networks, "volumes": left.volumes, "images": left.images}
    return ", ".join(f"{len(names)} {kind}" for kind, names in found.items() if names)
