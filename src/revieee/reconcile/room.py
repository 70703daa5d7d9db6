"""Room: disks that fill up are cleaned in time, and while one is nearly full nothing new is begun."""

import asyncio
import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from revieee.model.lifecycle import Act
from revieee.model.policy import DiskPolicy
from revieee.ports import Engine, Finding, PortError, Severity
from revieee.reconcile.parts import Parts, Turn, Wait
from revieee.store import environments, logs, wishes

log = logging.getLogger(__name__)

_GIB, _SMALL = 2**30, 10
_OURS = "of Revieee's own data"
_CLEAN_EVERY, _WALK_EVERY = 600.0, 600.0
_WALK_WHEN_SHORT = 30.0
_KEEP_LOGS = 86_400.0
"""Seconds."""

_ANYTIME = float("inf")
_WHEN = "a new release begins when there is room again."
_NEW = {Act.BEGIN, Act.FETCH, Act.BUILD}
"""What takes room and can wait. What was built is started: the images are there, and an update frees the old ones."""


async def keep_room(parts: Parts) -> None:
    """Look at the disks, and remove what can be made again.

    Raises:
        PortError: a part does not answer.
    """
    policy, room, now = parts.policy.disk, parts.room, parts.clock.now()
    try:
        disks = await _free(parts.data, parts.engine)
    except PortError:  # what lies on our own disk is known all the same, and how the other one was
        if (own := await _own(parts.data))[_OURS] < policy.keep_free:
            _note(parts, own)
        raise
    _note(parts, disks)
    low = min(disks.values()) < policy.clean_below
    if low and (room.short or now - room.cleaned_at >= _CLEAN_EVERY):
        room.cleaned_at = now
        await _clean(parts, disks)


async def keep_bounds(parts: Parts) -> None:
    """Put away environments that wrote too much; looks now and then, sooner while there is no room.

    Beside :func:`keep_room`: the engine walks the whole disk, which takes minutes, and may fail where that one works.

    Raises:
        PortError: a part does not answer.
    """
    room, now = parts.room, parts.clock.now()
    if now - room.walked_at >= (_WALK_WHEN_SHORT if room.short else _WALK_EVERY):
        room.walked_at = now
        await _bound(parts)


async def _free(data: Path, engine: Engine) -> Mapping[str, int]:
    """Give the free bytes of each disk, by what lies on it."""
    free, own = await engine.free(), await _own(data)
    return own if free is None else own | {"of images and containers": free}


async def _own(data: Path) -> dict[str, int]:
    return {_OURS: (await asyncio.to_thread(shutil.disk_usage, data)).free}


async def look(data: Path, engine: Engine, policy: DiskPolicy) -> Sequence[Finding]:
    """Tell an operator how much room is left.

    Raises:
        PortError: the engine does not answer.
    """
    disks = await _free(data, engine)
    words = _words(disks)
    least = min(disks.values())
    if least >= policy.clean_below:
        return [Finding(subject="disk", severity=Severity.GOOD, words=words)]
    mend = "Make room, or lower REVIEEE_DISK_CLEAN and REVIEEE_DISK_FREE (docs/limits.md)."
    if least >= policy.keep_free:
        words += "; what can be made again is removed, so builds are slower"
        return [Finding(subject="disk", severity=Severity.WARNING, words=words, mend=mend)]
    return [Finding(subject="disk", severity=Severity.BAD, words=f"{words}; no new release begins", mend=mend)]


def waits(turn: Turn, act: Act) -> Wait | None:
    """Give the wait of an act that would take room where there is none, or None."""
    short = turn.parts.room.short
    return Wait(seconds=turn.parts.policy.pace.tick, words=short) if short and act in _NEW else None


def waited(words: str) -> bool:
    """Tell whether these are the words of a wait for room."""
    return words.endswith(_WHEN)


def _note(parts: Parts, disks: Mapping[str, int]) -> None:
    """Write down whether there is room; what waits asks again by itself, each tick.

    How much there is stands in the log: words that change with it would edit every comment that tells them.
    """
    keep = parts.policy.disk.keep_free
    full = [name for name, free in disks.items() if free < keep]
    short = f"The disk {full[0]} has less than {_gib(keep)} GiB free: {_WHEN}" if full else ""
    if bool(short) != bool(parts.room.short):
        log.warning("room: %s (%s)", short or "There is room again.", _words(disks))
    parts.room.short = short


async def _clean(parts: Parts, disks: Mapping[str, int]) -> None:
    before = parts.clock.now() - _KEEP_LOGS
    log.info("room: %s; unused build cache and logs of past days are removed", _words(disks))
    await parts.builder.tidy(urgent=True)
    await parts.database.run(partial(logs.forget, before=before))


def _words(disks: Mapping[str, int]) -> str:
    return ", ".join(f"{_gib(free)} GiB free on the disk {name}" for name, free in disks.items())


def _gib(size: float) -> str:
    gib = size / _GIB
    return f"{gib:.2g}" if gib < _SMALL else f"{gib:.0f}"


async def _bound(parts: Parts) -> None:
    """Put away every environment that has written more than it may; none that was reopened during the walk."""
    most, now = parts.policy.disk.environment, parts.clock.now()
    if not most:
        return
    walked = await parts.database.read(environments.incarnations)
    for id_, size in (await parts.engine.usage(parts.instance)).items():
        incarnation = walked.get(id_)
        if size <= most or incarnation is None:  # what has no row is the sweep's
            continue
        reason = (
            f"Its containers and volumes wrote {_gib(size)} GiB, and {_gib(most)} GiB are allowed. "
            "A new push, or `revieee deploy`, brings it back, with empty volumes."
        )
        put_away = partial(wishes.put_away, environment_id=id_, reason=reason, incarnation=incarnation)
        work = partial(put_away, idle_since=_ANYTIME, now=now)
        if await parts.database.run(work):
            log.warning("environment %d is put away: it wrote %d bytes", id_, size)
            parts.bell.hint(id_)
