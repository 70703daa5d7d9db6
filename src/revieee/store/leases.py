"""Leases: who works on an environment. A token that is no longer the row's writes nothing."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Result,
    Select,
    Update,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from revieee.model.phases import ON_ITS_WAY, Phase, Verdict
from revieee.model.places import dealt
from revieee.ports import PortError
from revieee.store.schema import EnvironmentRow, MetaRow, ReleaseRow

_TICK = "tick"
_FEW = 4
"""Places; with fewer there is nothing to share."""


def _is_free(now: float | ColumnElement[float]) -> ColumnElement[bool]:
    """Whether nobody works on an environment."""
    return or_(EnvironmentRow.lease_until.is_(None), EnvironmentRow.lease_until < now)


def _newest(is_so: Callable[[type[ReleaseRow]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether an environment's newest release is of this incarnation, and something is so of it."""
    newest, later = aliased(ReleaseRow), aliased(ReleaseRow)
    return exists().where(
        newest.environment_id == EnvironmentRow.id,
        ~exists().where(later.environment_id == newest.environment_id, later.id > newest.id),
        newest.incarnation == EnvironmentRow.incarnation,
        is_so(newest),
    )


def _has(*phases: Phase) -> ColumnElement[bool]:
    """Whether an environment has a release in one of some phases."""
    of_it = ReleaseRow.environment_id == EnvironmentRow.id
    return exists().where(of_it, ReleaseRow.phase.in_([phase.value for phase in phases]))


_STAYS = and_(EnvironmentRow.wanted.is_(True), EnvironmentRow.removing_since.is_(None))
"""Of an environment that is not to go."""
_SETTLED = _newest(
    lambda newest: and_(
        newest.inputs == EnvironmentRow.inputs,
        newest.trusted == EnvironmentRow.trusted,
        or_(newest.verdict.is_(None), newest.verdict != Verdict.EXCLUDED.value),
    )
)
"""Nothing newer is wanted than its newest release."""
_NOW_OTHERWISE_TRUSTED = _newest(lambda newest: newest.trusted != EnvironmentRow.trusted)

# Made once: to write such a statement down takes longer than to run it.
_DUE = (
    select(EnvironmentRow.id, EnvironmentRow.lease_token, EnvironmentRow.repository_id)
    .where(EnvironmentRow.due_at <= bindparam("now"))
    .where(_is_free(bindparam("now")))
    .order_by(EnvironmentRow.due_at, EnvironmentRow.id)
)
"""What is due and free, longest due first. All of it: a limit would let one repository with many hide the others."""
_GOING = _DUE.where(or_(~_STAYS, and_(EnvironmentRow.placed.is_(True), _NOW_OTHERWISE_TRUSTED)))
_LIVE = _DUE.where(_STAYS, _has(Phase.LIVE))
_KEPT = _LIVE.where(_SETTLED, ~_has(*ON_ITS_WAY, Phase.UNDOING))
_ASKING = _DUE.where(_STAYS, EnvironmentRow.queued_at.is_not(None), EnvironmentRow.placed.is_(False))


class StaleLease(PortError):
    """Someone else works on the environment now: apply nothing, do nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one environment until it runs out."""

    environment: int
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a process has room for."""

    free: int
    """The most turns to begin."""
    busy: Mapping[int, int]
    """Turns under way in this process, by repository id."""
    share: int
    """The most that one repository may have under way."""


def share_of(places: int) -> int:
    """Tell how many places one repository may have: not all, where there are some to share."""
    return places if places < _FEW else places * 3 // 4


def claim(session: Session, owner: str, places: Places, *, now: float, until: float) -> Sequence[Lease]:
    """Take leases on environments that are due, fairly: repositories with the fewest turns under way first.

    Two processes may look at the same rows: the update that names the token it saw is what one of them wins.

    Args:
        session: of the store.
        owner: this process.
        places: how many it may take, and of which repositories.
        now: Unix time, seconds.
        until: when the leases run out unless renewed.
    """
    if places.free <= 0:
        return []
    under_way = Counter(places.busy)
    wanted = [
        (id_, token)
        for id_, token, repository in _fairly(_due(session, _DUE, now=now), under_way)
        if (under_way := under_way + Counter([repository]))[repository] <= places.share
    ]
    return _take(session, owner, wanted, now=now, until=until, limit=places.free)


def claim_going(session: Session, owner: str, *, now: float, until: float, limit: int) -> Sequence[Lease]:
    """Take leases on environments that are due and are to go: places of their own, so that builds hold up no close.

    What was begun with another trust than is had now is to go as well.
    """
    wanted = [(id_, token) for id_, token, _ in _due(session, _GOING, now=now)]
    return _take(session, owner, wanted, now=now, until=until, limit=limit)


def claim_kept(session: Session, owner: str, *, now: float, until: float, limit: int) -> Sequence[Lease]:
    """Take leases on environments that are due, of which nothing newer is on its way: what is live is to stay so.

    Just those of which :func:`~revieee.model.lifecycle.next_act` says to keep or to drain: what were taken for another
    act would be given back, and taken again at once.
    """
    wanted = [(id_, token) for id_, token, _ in _due(session, _KEPT, now=now)]
    return _take(session, owner, wanted, now=now, until=until, limit=limit)


def claim_lost(
    session: Session, owner: str, lost: Collection[int], *, now: float, until: float, limit: int
) -> Sequence[Lease]:
    """Take leases on those of some environments that are due and have something live, whatever else they wait for.

    Args:
        session: of the store.
        owner: this process.
        lost: ids of environments of which something that should run may not.
        now: Unix time, seconds.
        until: when the leases run out unless renewed.
        limit: the most to take.
    """
    if not lost or limit <= 0:
        return []
    wanted = [(id_, token) for id_, token, _ in _due(session, _LIVE, now=now) if id_ in lost]
    return _take(session, owner, wanted, now=now, until=until, limit=limit)


def claim_asking(session: Session, owner: str, *, now: float, until: float, limit: int) -> Sequence[Lease]:
    """Take leases on environments that are due and wait for a place among the environments: to ask again is soon done.

    Whoever is next in that line keeps those behind it waiting, so it asks whatever else its repository has under way.
    """
    wanted = [(id_, token) for id_, token, _ in _due(session, _ASKING, now=now)]
    return _take(session, owner, wanted, now=now, until=until, limit=limit)


def _take(
    session: Session, owner: str, wanted: Sequence[tuple[int, int]], *, now: float, until: float, limit: int
) -> Sequence[Lease]:
    """Write our name on rows whose token is still the one that was seen, and that nobody holds on to since."""
    taken: list[Lease] = []
    for id_, token in wanted:
        if len(taken) >= limit:
            break
        claimed = session.execute(
            update(EnvironmentRow)
            .where(EnvironmentRow.id == id_, EnvironmentRow.lease_token == token, _is_free(now))
            .values(lease_owner=owner, lease_token=token + 1, lease_until=until)
        )
        if _changed(claimed) == 1:
            taken.append(Lease(id_, token + 1))
    return taken


def _due(session: Session, which: Select[int, int, int], *, now: float) -> Sequence[tuple[int, int, int]]:
    """Give (id, token, repository) of what is due."""
    return [(id_, token, repository) for id_, token, repository in session.execute(which, {"now": now})]


def _fairly(found: Sequence[tuple[int, int, int]], busy: Mapping[int, int]) -> Sequence[tuple[int, int, int]]:
    """Deal out one environment per repository in turn."""
    return [found[index] for index in dealt([repository for _, _, repository in found], busy)]


def renew(session: Session, lease: Lease, *, until: float) -> bool:
    """Hold on to a lease; False when it is someone else's by now."""
    done = session.execute(_mine(lease).values(lease_until=until))
    return _changed(done) == 1


def guard(session: Session, lease: Lease) -> EnvironmentRow:
    """Give the environment's row, locked, if the lease is still ours.

    Raises:
        StaleLease: it is not; the transaction must write nothing.
    """
    row = session.scalar(
        select(EnvironmentRow)
        .where(EnvironmentRow.id == lease.environment, EnvironmentRow.lease_token == lease.token)
        .with_for_update()
    )
    if row is None:
        raise StaleLease(f"the lease on environment {lease.environment} went to someone else")
    return row


def release(session: Session, lease: Lease, *, seen_revision: int | None, due_at: float | None, now: float) -> None:
    """Give a lease back, and say when the environment is due again.

    A wish that came since ``seen_revision`` was read makes it due at once; None: nothing was read. From here on the
    token writes nothing.
    """
    seen = EnvironmentRow.revision if seen_revision is None else seen_revision
    session.execute(
        _mine(lease).values(
            lease_owner=None,
            lease_until=None,
            lease_token=lease.token + 1,
            due_at=case((EnvironmentRow.revision == seen, due_at), else_=now),
        )
    )


def free_of(session: Session, owner: str) -> None:
    """Give back all leases of a process that ends."""
    session.execute(
        update(EnvironmentRow)
        .where(EnvironmentRow.lease_owner == owner)
        .values(lease_owner=None, lease_until=None, lease_token=EnvironmentRow.lease_token + 1)
    )
    row = session.get(MetaRow, _TICK, with_for_update=True)
    if row is not None and row.value.rpartition(" ")[0] == owner:
        session.delete(row)


def claim_tick(session: Session, owner: str, *, now: float, until: float) -> bool:
    """Be the one process that looks at everything until then; False where another one is."""
    row = session.get(MetaRow, _TICK, with_for_update=True)
    if row is None:
        session.add(MetaRow(key=_TICK, value=f"{owner} {until}"))
        session.flush()  # another process that made the same row fails here, and its transaction is run again
        return True
    holder, _, ends = row.value.rpartition(" ")
    if holder != owner and float(ends) >= now:
        return False
    row.value = f"{owner} {until}"
    return True


def server(session: Session, *, now: float) -> str | None:
    """Name a control plane that runs, or did until moments ago: one of them looks at everything."""
    row = session.get(MetaRow, _TICK)
    owner, _, ends = row.value.rpartition(" ") if row else ("", "", "-inf")
    return owner if float(ends) >= now else None


def owners(session: Session) -> frozenset[str]:
    """Give all processes that hold a lease, that of the tick included, or did not give one back."""
    found = session.scalars(
        select(EnvironmentRow.lease_owner).where(EnvironmentRow.lease_owner.is_not(None)).distinct()
    )
    row = session.get(MetaRow, _TICK)
    ticking = [row.value.rpartition(" ")[0]] if row else []
    return frozenset(owner for owner in (*found, *ticking) if owner is not None)


def make_due(session: Session, environments: Sequence[int], *, now: float) -> None:
    """Ask for a look at environments of which the engine says something else than the rows."""
    if environments:
        session.execute(
            update(EnvironmentRow)
            .where(
                EnvironmentRow.id.in_(environments), or_(EnvironmentRow.due_at.is_(None), EnvironmentRow.due_at > now)
            )
            .values(due_at=now)
        )


def look(session: Session, environments: Sequence[int], *, now: float) -> None:
    """Ask for a look at environments of which the engine says that something changed.

    Whoever works on one sees for himself. What fails again and again, its container in a crash loop, is left to its
    backoff.
    """
    due = session.scalars(
        select(EnvironmentRow.id).where(
            EnvironmentRow.id.in_(environments), _is_free(now), EnvironmentRow.attempts == 0
        )
    )
    make_due(session, due.all(), now=now)


def _mine(lease: Lease) -> Update:
    return update(EnvironmentRow).where(
        EnvironmentRow.id == lease.environment, EnvironmentRow.lease_token == lease.token
    )


def _changed(result: Result[tuple[()]]) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
