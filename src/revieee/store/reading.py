"""Reading: rows as the values of the model, a handful of queries for however many environments."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from revieee.model.crashes import Crashes
from revieee.model.environment import Environment, Release
from revieee.model.facts import KNOWN, RepositoryFacts
from revieee.model.names import EnvironmentName
from revieee.model.phases import Phase, Verdict
from revieee.model.resolve import RESOLVED
from revieee.model.trust import TRUST, Trust
from revieee.store.codec import ENDPOINTS, MANIFEST, REPOSITORY
from revieee.store.schema import EnvironmentRow, ReleaseRow, RepositoryRow

_AT_ONCE = 500
"""Ids in one query: SQLite takes no more than some thousands of values."""


def portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Give ids a few hundred at a time, as many as one query takes."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def environment_of(session: Session, row: EnvironmentRow) -> Environment:
    """Turn a row and those that belong to it into a value."""
    return environments_of(session, [row])[0]


def environments_of(session: Session, rows: Sequence[EnvironmentRow]) -> Sequence[Environment]:
    """Turn rows and those that belong to them into values, in their order."""
    releases = _releases(session, [row.id for row in rows])
    repositories = _repositories(session, {row.repository_id for row in rows})
    return [_environment(row, repositories[row.repository_id], releases.get(row.id, ())) for row in rows]


def _repositories(session: Session, ids: set[int]) -> Mapping[int, RepositoryRow]:
    found: dict[int, RepositoryRow] = {}
    for some in portions(sorted(ids)):
        found |= {row.id: row for row in session.scalars(select(RepositoryRow).where(RepositoryRow.id.in_(some)))}
    return found


def trust_of(row: EnvironmentRow) -> Trust:
    """Give what is known of a pull request's head besides its facts."""
    return TRUST.validate_json(row.trust) if row.trust else Trust()


def crashes_of(row: EnvironmentRow) -> Crashes:
    """Give the crashes of what is live."""
    return Crashes() if row.crashed_at is None else Crashes(row.crashes or 0, row.crashed_at)


def _releases(session: Session, ids: Sequence[int]) -> Mapping[int, Sequence[ReleaseRow]]:
    """Give, by environment, the releases that have not ended, and the newest one whatever it is; oldest first."""
    found: dict[int, list[ReleaseRow]] = defaultdict(list)
    for some in portions(ids):
        of_these = ReleaseRow.environment_id.in_(some)
        newest = select(func.max(ReleaseRow.id)).where(of_these).group_by(ReleaseRow.environment_id)
        going = or_(ReleaseRow.phase != Phase.ENDED.value, ReleaseRow.id.in_(newest))
        for row in session.scalars(select(ReleaseRow).where(of_these, going).order_by(ReleaseRow.id)):
            found[row.environment_id].append(row)
    return found


def _environment(row: EnvironmentRow, repository: RepositoryRow, releases: Sequence[ReleaseRow]) -> Environment:
    known = KNOWN.validate_json(row.facts)
    # The repository's own row has its newest name, and the installation that speaks for it now.
    about: RepositoryFacts = REPOSITORY.validate_json(repository.facts)
    return Environment(
        id=row.id,
        name=EnvironmentName(repository.name, row.number),
        facts=replace(known.facts, repository=about),
        repository_slug=repository.slug,
        repository_removed=repository.removed_at is not None,
        label=row.label,
        incarnation=row.incarnation,
        slot=row.slot,
        wanted=row.wanted,
        wanted_reason=row.wanted_reason,
        wanted_at=row.facts_at,
        commit=row.wanted_commit,
        trusted=row.trusted,
        waits=row.waits,
        trust=trust_of(row),
        inputs=row.inputs,
        nonce=row.nonce,
        revision=row.revision,
        version=row.version,
        removing=row.removing_since is not None,
        created_hook=row.created_hook,
        placed=row.placed,
        attempts=row.attempts,
        waiting_for=row.waiting_for,
        crashes=crashes_of(row),
        releases=tuple(_release(one) for one in releases),
    )


def _release(row: ReleaseRow) -> Release:
    return Release(
        id=row.id,
        incarnation=row.incarnation,
        commit=row.commit,
        trusted=row.trusted,
        inputs=row.inputs,
        nonce=row.nonce,
        phase=Phase(row.phase),
        verdict=Verdict(row.verdict) if row.verdict else None,
        reason=row.reason,
        log_tail=row.log_tail,
        manifest=MANIFEST.validate_json(row.manifest) if row.manifest else None,
        stack=RESOLVED.validate_json(row.stack) if row.stack else None,
        endpoints=ENDPOINTS.validate_json(row.endpoints) if row.endpoints else (),
        wanted_at=row.wanted_at,
        phase_since=row.phase_since,
        live_at=row.live_at,
        ended_at=row.ended_at,
    )
