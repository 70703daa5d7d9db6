"""Releases and environments as the reconciler reads and writes them, each write under a lease."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from revieee.model.crashes import Crashes
from revieee.model.environment import Environment
from revieee.model.manifest import Manifest
from revieee.model.phases import Outcome, Phase, Verdict, advance
from revieee.model.policy import Pace
from revieee.model.resolve import RESOLVED, ResolvedStack
from revieee.model.route import Endpoint
from revieee.store import places
from revieee.store.codec import ENDPOINTS, MANIFEST
from revieee.store.leases import Lease, StaleLease, guard
from revieee.store.reading import crashes_of, environment_of, portions
from revieee.store.schema import EnvironmentRow, LogRow, ReleaseRow

LOG_TAIL = 20_000
"""Characters of a failure's log that a release keeps at hand."""
REASON = 20_000


def load(session: Session, environment_id: int) -> Environment:
    """Read one environment.

    Raises:
        NoResultFound: there is none of that id.
    """
    return environment_of(session, session.get_one(EnvironmentRow, environment_id))


def phases(session: Session) -> dict[str, int]:
    """Count the releases that have not ended, by phase."""
    going = select(ReleaseRow.phase, func.count()).where(ReleaseRow.phase != Phase.ENDED.value)
    return dict(session.execute(going.group_by(ReleaseRow.phase)).tuples().all())


def due_at(session: Session, environment_id: int) -> float | None:
    """Tell when an environment is to be looked at next; None: when something happens."""
    return session.get_one(EnvironmentRow, environment_id).due_at


def building(session: Session) -> Sequence[int]:
    """Give the ids of releases that are being built."""
    return session.scalars(select(ReleaseRow.id).where(ReleaseRow.phase == Phase.BUILDING.value)).all()


def if_changed(session: Session, lease: Lease, seen_revision: int) -> Environment | None:
    """Read an environment again if what is wanted of it changed since that revision.

    Raises:
        StaleLease: the lease is someone else's by now.
    """
    row = session.get_one(EnvironmentRow, lease.environment)
    if row.lease_token != lease.token:
        raise StaleLease(f"the lease on environment {lease.environment} went to someone else")
    return environment_of(session, row) if row.revision != seen_revision else None


def begin(session: Session, lease: Lease, *, slot: int | None, now: float) -> int:
    """Write down a new release of what is wanted now; gives its id."""
    environment = guard(session, lease)
    row = ReleaseRow(
        environment_id=environment.id,
        incarnation=environment.incarnation,
        commit=environment.wanted_commit,
        trusted=environment.trusted,
        inputs=environment.inputs,
        nonce=environment.nonce,
        phase=Phase.FETCHING.value,
        reason="",
        log_tail="",
        keys="",
        wanted_at=environment.facts_at,
        phase_since=now,
    )
    session.add(row)
    environment.placed, environment.queued_at, environment.waiting_for = True, None, ""
    if slot is not None:
        environment.slot = slot
    _touch(environment)
    session.flush()
    return row.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why a release does not go live, for the pull request."""

    verdict: Verdict
    reason: str = ""
    log_tail: str = ""
    outdone: bool = False
    """A newer wish ended it: should what it was begun for be wanted again, it is begun again."""


def move(
    session: Session, lease: Lease, release_id: int, outcome: Outcome, *, now: float, ending: Ending | None = None
) -> Phase:
    """Write down what a step came to; gives the phase it leads to.

    Raises:
        StaleLease: the lease is not ours any more.
        KeyError: the phase table has no such row.
    """
    environment = guard(session, lease)
    row = session.get_one(ReleaseRow, release_id)
    phase = advance(Phase(row.phase), outcome)
    row.phase, row.phase_since = phase.value, now
    if ending is not None:
        row.verdict = ending.verdict.value
        row.reason, row.log_tail = ending.reason[:REASON], ending.log_tail[-LOG_TAIL:]
        row.inputs = "" if ending.outdone else row.inputs
    if phase is Phase.ENDED:
        row.ended_at = now
    if phase is Phase.LIVE:
        row.live_at = now
    environment.attempts, environment.waiting_for = 0, ""
    _touch(environment)
    return phase


def keep_manifest(session: Session, lease: Lease, release_id: int, manifest: Manifest) -> None:
    """Keep what a commit's files say with its release."""
    guard(session, lease)
    session.get_one(ReleaseRow, release_id).manifest = MANIFEST.dump_json(manifest).decode()


def keep_stack(session: Session, lease: Lease, release_id: int, stack: ResolvedStack) -> None:
    """Keep what is to run with its release: keys, images and addresses."""
    guard(session, lease)
    row = session.get_one(ReleaseRow, release_id)
    row.stack, row.keys = RESOLVED.dump_json(stack).decode(), " ".join(sorted(stack.keys))


def keep_endpoints(
    session: Session, lease: Lease, release_id: int, endpoints: tuple[tuple[str, Endpoint], ...]
) -> None:
    """Keep where a release answers, for the routes and for its drain."""
    guard(session, lease)
    session.get_one(ReleaseRow, release_id).endpoints = ENDPOINTS.dump_json(endpoints).decode()


def go_live(session: Session, lease: Lease, release_id: int, *, now: float) -> None:
    """Make a release the live one, and the one before it draining, in one transaction."""
    environment = guard(session, lease)
    others = session.scalars(
        select(ReleaseRow).where(ReleaseRow.environment_id == environment.id, ReleaseRow.phase == Phase.LIVE.value)
    )
    for other in others:
        other.phase, other.phase_since = advance(Phase.LIVE, Outcome.REPLACED).value, now
        other.verdict = Verdict.REPLACED.value
    environment.crashes = environment.crashed_at = None
    move(session, lease, release_id, Outcome.DONE, now=now)


def unchanged(session: Session, lease: Lease, release_id: int, live_id: int, *, now: float) -> None:
    """End a release whose commit is live already; the live one takes over its inputs."""
    session.get_one(ReleaseRow, live_id).inputs = session.get_one(ReleaseRow, release_id).inputs
    move(session, lease, release_id, Outcome.UNCHANGED, now=now, ending=Ending(verdict=Verdict.UNCHANGED))


def hook_created(session: Session, lease: Lease) -> None:
    """Note that this incarnation's ``create`` hook succeeded."""
    guard(session, lease).created_hook = True


def wait(session: Session, lease: Lease, words: str, *, failed: bool = False) -> None:
    """Note why nothing goes on at the moment; ``failed`` counts it as an attempt, for the backoff."""
    environment = guard(session, lease)
    if failed:
        environment.attempts += 1
    words = words[:REASON]
    if environment.waiting_for != words:
        environment.waiting_for = words
        _touch(environment)


def crashed(session: Session, lease: Lease, live_id: int, pace: Pace, *, now: float) -> Crashes:
    """Count that something of the live release ended; gives how often in a row it did.

    A newer one that went live meanwhile begins with no crashes.
    """
    environment = guard(session, lease)
    crashes = crashes_of(environment)
    if session.get_one(ReleaseRow, live_id).phase != Phase.LIVE.value:
        return crashes
    crashes = crashes.another(pace, now=now)
    environment.crashes, environment.crashed_at = crashes.count, crashes.last
    return crashes


def recovered(session: Session, lease: Lease, *, words: str = "") -> None:
    """Note that all is well again; ``words`` of what is not over yet stay."""
    environment = guard(session, lease)
    environment.attempts = 0
    if environment.waiting_for != words:
        environment.waiting_for = words
        _touch(environment)


def relabel(session: Session, lease: Lease, label: str) -> None:
    """Give an environment another label, because a host of the old one belongs to another environment."""
    environment = guard(session, lease)
    environment.label = label
    _touch(environment)


def start_removal(session: Session, lease: Lease, *, now: float) -> None:
    """Write down that removal has begun: from here it is finished, also when the pull request is reopened."""
    environment = guard(session, lease)
    environment.removing_since, environment.waiting_for = now, ""
    _touch(environment)


def move_subnet(session: Session, lease: Lease, slot: int) -> int | None:
    """Give an environment another subnet; returns the place of the one it had."""
    environment = guard(session, lease)
    before, environment.slot = environment.slot, slot
    return before


def end_all(session: Session, lease: Lease, *, now: float, farewell: str = "") -> None:
    """End all releases of an environment that is being removed; the live one with how its ``destroy`` hook failed."""
    environment = guard(session, lease)
    going = session.scalars(
        select(ReleaseRow).where(ReleaseRow.environment_id == environment.id, ReleaseRow.phase != Phase.ENDED.value)
    )
    for row in going:
        row.reason = farewell[:REASON] if row.phase == Phase.LIVE.value else row.reason
        row.phase, row.phase_since, row.ended_at = Phase.ENDED.value, now, now
        row.verdict = Verdict.REMOVED.value


def removed(session: Session, lease: Lease, *, now: float) -> int | None:
    """Write down that the environment was observed absent; the next one is a new incarnation.

    How its ``destroy`` hook failed is told from now on, unless a new one is wanted already.

    Returns:
        The place of its subnet, which rests from now on.
    """
    environment = guard(session, lease)
    end_all(session, lease, now=now)
    found, slot = environment_of(session, environment), environment.slot
    farewell = "" if found.wanted and not found.excluded else _farewell(session, environment)
    environment.removing_since = environment.slot = None
    environment.placed = environment.created_hook = False
    environment.incarnation += 1
    environment.attempts, environment.waiting_for = 0, farewell
    environment.crashes = environment.crashed_at = None
    _touch(environment)
    places.wake(session, now=now)
    return slot


def _farewell(session: Session, environment: EnvironmentRow) -> str:
    """Give how the ``destroy`` hook of this incarnation failed: the reason of the last one that had been live."""
    were_live = select(ReleaseRow.reason).where(
        ReleaseRow.environment_id == environment.id,
        ReleaseRow.incarnation == environment.incarnation,
        ReleaseRow.verdict == Verdict.REMOVED.value,
        ReleaseRow.live_at.is_not(None),
    )
    return session.scalar(were_live.order_by(ReleaseRow.id.desc()).limit(1)) or ""


def forget(session: Session, *, before: float) -> None:
    """Drop releases that ended before that time, with their logs; each environment's newest one stays."""
    newest = select(func.max(ReleaseRow.id)).group_by(ReleaseRow.environment_id)
    # Read first: MySQL deletes from no table that the same statement reads.
    ids = set(session.scalars(select(ReleaseRow.id).where(ReleaseRow.ended_at < before))) - set(session.scalars(newest))
    for some in portions(sorted(ids)):
        session.execute(delete(LogRow).where(LogRow.release_id.in_(some)))
        session.execute(delete(ReleaseRow).where(ReleaseRow.id.in_(some)))


def _touch(environment: EnvironmentRow) -> None:
    environment.version += 1
