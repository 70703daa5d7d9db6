"""Environments as people and timers look for them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from revieee.model.environment import Environment
from revieee.model.facts import KNOWN, PullRequestFacts, RepositoryFacts
from revieee.model.names import EnvironmentName
from revieee.model.phases import Phase
from revieee.store.codec import REPOSITORY
from revieee.store.reading import environment_of, environments_of
from revieee.store.schema import EnvironmentRow, MetaRow, ReleaseRow, RepositoryRow, RouteRow, SubnetRow

_LAST_SLOT = "last_slot"


def find(session: Session, name: EnvironmentName) -> Environment | None:
    """Give the environment of that name."""
    row = session.scalar(
        select(EnvironmentRow)
        .join(RepositoryRow, RepositoryRow.id == EnvironmentRow.repository_id)
        .where(func.lower(RepositoryRow.name) == name.repository.lower(), EnvironmentRow.number == name.number)
        .where(RepositoryRow.removed_at.is_(None))
        .order_by(RepositoryRow.heard_at.desc())  # of two that had the name, the one that has it now
        .limit(1)
    )
    return None if row is None else environment_of(session, row)


def present(session: Session) -> Sequence[Environment]:
    """Give all environments that are wanted or still there, by name."""
    there = or_(EnvironmentRow.wanted.is_(True), EnvironmentRow.placed.is_(True))
    return _by_name(session, session.scalars(select(EnvironmentRow).where(there)).all())


def everything(session: Session) -> Sequence[Environment]:
    """Give all environments ever seen, by name."""
    return _by_name(session, session.scalars(select(EnvironmentRow)).all())


def _by_name(session: Session, rows: Sequence[EnvironmentRow]) -> Sequence[Environment]:
    return sorted(environments_of(session, rows), key=lambda one: one.name)


def expectations(session: Session) -> dict[int, tuple[int, frozenset[str]]]:
    """Tell, by environment id, of which incarnation anything may exist, and which keys its live release needs.

    What the tick compares with the engine's list; one query, whatever the number of environments. One that is not
    named has nothing anywhere.
    """
    rows = session.execute(
        select(EnvironmentRow.id, EnvironmentRow.incarnation, ReleaseRow.keys)
        .outerjoin(
            ReleaseRow, (ReleaseRow.environment_id == EnvironmentRow.id) & (ReleaseRow.phase == Phase.LIVE.value)
        )
        .where(EnvironmentRow.placed.is_(True))
    ).all()
    return {id_: (incarnation, frozenset((keys or "").split())) for id_, incarnation, keys in rows}


def incarnations(session: Session) -> dict[int, int]:
    """Tell, by environment id, the incarnation of which anything may exist, and that is not on its way out."""
    there = (EnvironmentRow.placed.is_(True), EnvironmentRow.removing_since.is_(None))
    rows = session.execute(select(EnvironmentRow.id, EnvironmentRow.incarnation).where(*there)).all()
    return {id_: incarnation for id_, incarnation in rows}  # noqa: C416 -- rows are no pairs to mypy


def reclaim(session: Session, environment_id: int, *, incarnation: int, now: float) -> bool:
    """Have removed what an environment has on the engine and should not have; False where no row is.

    It should have nothing, or nothing of so late an incarnation: its row is from a backup. What is wanted begins anew.
    While somebody works on it, nothing is done: the next look tells whether it is still so.
    """
    row = session.get(EnvironmentRow, environment_id, with_for_update=True)
    if row is None:
        return False
    unexpected = not row.placed or row.incarnation < incarnation
    if unexpected and (row.lease_until is None or row.lease_until < now):
        row.placed, row.removing_since, row.due_at = True, now, now
        row.incarnation = max(row.incarnation, incarnation)
        row.version += 1
    return True


def idle(session: Session, *, since: float) -> Mapping[int, Sequence[str]]:
    """Give the hosts, by environment id, of what is live and was neither pushed to, deployed nor visited since then.

    Of visits, the router knows the newest.
    """
    rows = session.execute(
        select(EnvironmentRow.id, RouteRow.hostname)
        .join(ReleaseRow, (ReleaseRow.environment_id == EnvironmentRow.id) & (ReleaseRow.phase == Phase.LIVE.value))
        .outerjoin(RouteRow, RouteRow.environment_id == EnvironmentRow.id)
        .where(EnvironmentRow.wanted.is_(True), EnvironmentRow.facts_at < since)
        .where(or_(EnvironmentRow.visited_at.is_(None), EnvironmentRow.visited_at < since))
    ).all()
    found: dict[int, list[str]] = {id_: [] for id_, _ in rows}
    for id_, hostname in rows:
        found[id_] += [hostname] if hostname else []
    return found


def note_visits(session: Session, seen: Mapping[str, float]) -> int:
    """Write down when environments were last visited, given that of hosts; gives of how many that was news.

    Nothing else of a row changes: a visit is no wish, wakes no turn and makes none stale.
    """
    rows = session.execute(
        select(EnvironmentRow.id, EnvironmentRow.visited_at, RouteRow.hostname)
        .join(RouteRow, RouteRow.environment_id == EnvironmentRow.id)
        .where(EnvironmentRow.wanted.is_(True))
        .order_by(EnvironmentRow.id)
    ).all()
    newest: dict[int, float] = {}
    for id_, known, hostname in rows:
        visit = seen.get(hostname)
        if visit is not None and visit > newest.get(id_, known or 0.0):
            newest[id_] = visit
    if newest:
        session.execute(update(EnvironmentRow), [{"id": id_, "visited_at": visit} for id_, visit in newest.items()])
    return len(newest)


def repositories(session: Session) -> Sequence[RepositoryFacts]:
    """Give the repositories that are watched."""
    rows = session.scalars(select(RepositoryRow).where(RepositoryRow.removed_at.is_(None)))
    return [REPOSITORY.validate_json(row.facts) for row in rows]


def gone_repositories(session: Session) -> Sequence[RepositoryFacts]:
    """Give the repositories that were removed and of which nothing is placed any more."""
    placed = select(EnvironmentRow.repository_id).where(EnvironmentRow.placed.is_(True))
    gone = RepositoryRow.removed_at.is_not(None) & RepositoryRow.id.not_in(placed)
    return [REPOSITORY.validate_json(row.facts) for row in session.scalars(select(RepositoryRow).where(gone))]


def taken_slots(session: Session, *, rested_since: float) -> tuple[set[int], int]:
    """Give the places of subnets that are in use or rest, and the one given out last.

    Whoever asks holds a lock until the transaction ends, so that two never choose alike.
    """
    last = session.get(MetaRow, _LAST_SLOT, with_for_update=True)
    used = set(session.scalars(select(EnvironmentRow.slot).where(EnvironmentRow.slot.is_not(None))))
    resting = set(session.scalars(select(SubnetRow.slot).where(SubnetRow.freed_at > rested_since)))
    return {slot for slot in used if slot is not None} | resting, int(last.value) if last else -1


def note_slot(session: Session, slot: int) -> None:
    """Remember which subnet was given out last."""
    session.merge(MetaRow(key=_LAST_SLOT, value=str(slot)))


def rest_slot(session: Session, slot: int, *, now: float) -> None:
    """Let a freed subnet rest."""
    session.merge(SubnetRow(slot=slot, freed_at=now))


def repository(session: Session, repository_id: int) -> RepositoryFacts | None:
    """Give a repository as it was last heard of."""
    row = session.get(RepositoryRow, repository_id)
    return REPOSITORY.validate_json(row.facts) if row else None


def open_facts(session: Session, repository_id: int) -> Sequence[PullRequestFacts]:
    """Give a repository's pull requests that are open as far as we know, by number."""
    rows = session.scalars(select(EnvironmentRow).where(EnvironmentRow.repository_id == repository_id))
    known = [KNOWN.validate_json(row.facts).facts for row in rows]
    return sorted((facts for facts in known if facts.open), key=lambda facts: facts.number)


def count(session: Session) -> int:
    """Count the environments that may have something on the engine."""
    return session.scalar(select(func.count()).select_from(EnvironmentRow).where(EnvironmentRow.placed.is_(True))) or 0
