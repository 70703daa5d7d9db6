"""Wishes: what intake, timers and commands write. They change what is wanted and never act."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from revieee.model.desire import Desire
from revieee.model.facts import KNOWN, Known, PullRequestFacts, RepositoryFacts, merge
from revieee.model.names import environment_label, label, slug
from revieee.model.trust import TRUST, Trust
from revieee.store import beats
from revieee.store.codec import REPOSITORY
from revieee.store.leases import Lease, guard
from revieee.store.reading import trust_of
from revieee.store.schema import EnvironmentRow, RepositoryRow

_ON_REQUEST = "It was removed on request. A new push, or `revieee deploy`, brings it back."

Decide = Callable[[PullRequestFacts, Trust], Desire]


def inputs_of(facts: PullRequestFacts, commit: str, nonce: int) -> str:
    """Hash all facts that can change a release: the commit, and what a manifest's ``when`` looks at."""
    parts = [commit, facts.head_ref, facts.title, sorted(facts.labels), facts.draft, facts.base_ref, nonce]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()


def record_repository(session: Session, facts: RepositoryFacts, *, now: float, settled: bool = False) -> RepositoryRow:
    """Have a row for a repository that is there; a rename changes its name and nothing else.

    Where a removal was heard of as well, either may be the newer news: only the forge can tell (:mod:`.doubts`).

    Args:
        session: of the store.
        facts: what a delivery or the forge says of it.
        now: Unix time, seconds.
        settled: it is newer than the removal for sure, as the forge's own answer is.
    """
    row = _repository(session, facts, heard_at=now)
    if not settled and (row.removed_at is not None or row.doubted_at is not None):
        row.doubted_at, row.doubt = now, row.doubt or row.removed_reason
    if row.removed_at is not None:
        row.removed_at, row.removed_reason = None, ""
        _tell_again(session, row)
    return row


def record_facts(
    session: Session, facts: PullRequestFacts, decide: Decide, *, now: float, settled: bool = False
) -> EnvironmentRow:
    """Merge facts into what is known of a pull request, and write down what is wanted now.

    A pull request that was closed before we heard of it gets a row too: its opening may still arrive. A late delivery
    does not bring a repository back that was removed since, nor an older name of it.

    Args:
        session: of the store.
        facts: from a delivery or a listing.
        decide: turns facts into what is wanted.
        now: Unix time, seconds.
        settled: they come from asking the forge just now.

    Returns:
        The environment's row; :func:`unclear` tells whether the forge must be asked.
    """
    said_at = now if settled else facts.updated_at.timestamp()
    # An answer has the installation through which it was asked for; there may be another one by now.
    about = replace(facts.repository, installation=None) if settled else facts.repository
    repository = _repository(session, about, heard_at=said_at)
    if repository.removed_at is not None and said_at > repository.removed_at:
        repository = record_repository(session, about, now=said_at, settled=True)
    row = session.scalar(
        select(EnvironmentRow)
        .where(EnvironmentRow.repository_id == repository.id, EnvironmentRow.number == facts.number)
        .with_for_update()
    )
    known = KNOWN.validate_json(row.facts) if row else None
    if row is None:
        row = _new(session, repository, facts.number, now=now)
    _write(row, repository, merge(known, facts, settled=settled), decide, now=now)
    session.flush()
    return row


def unclear(row: EnvironmentRow) -> bool:
    """Tell whether only the forge can say what is true of a pull request: deliveries of one second disagree."""
    return KNOWN.validate_json(row.facts).unclear


def redecide(session: Session, environment_id: int, decide: Decide, *, now: float) -> None:
    """Write down again what is wanted of an environment, after a policy or a person changed it."""
    row = _locked(session, environment_id)
    _decide(session, row, decide, now=now)


def deploy(session: Session, environment_id: int, decide: Decide, *, now: float) -> None:
    """Ask for a new release of the same commit; brings a destroyed environment back."""
    row = _locked(session, environment_id)
    row.nonce += 1
    row.destroyed = None
    _decide(session, row, decide, now=now)


def ask_again(session: Session, lease: Lease) -> None:
    """Ask for a new release of the same commit, because the live one, or one on its way, lacks what it needs."""
    row = guard(session, lease)
    row.nonce += 1
    row.inputs = inputs_of(KNOWN.validate_json(row.facts).facts, row.wanted_commit, row.nonce)
    row.revision += 1
    row.version += 1


def destroy(session: Session, environment_id: int, decide: Decide, *, now: float) -> None:
    """Ask for an environment's removal, until its pull request has another commit or someone deploys it."""
    row = _locked(session, environment_id)
    row.destroyed, row.destroyed_reason = row.wanted_commit, _ON_REQUEST
    _decide(session, row, decide, now=now)


def put_away(
    session: Session, environment_id: int, reason: str, *, idle_since: float, now: float, incarnation: int | None = None
) -> bool:
    """Ask for the removal of an environment that nobody pushed to or deployed since then; False where somebody did.

    As after :func:`destroy`, another commit brings it back, and so does ``deploy``. Where an incarnation is given it is
    meant alone: one that goes already, or was followed by another, is no reason to put that away.
    """
    row = session.get_one(EnvironmentRow, environment_id, with_for_update=True)
    if not row.wanted or row.facts_at >= idle_since:
        return False
    if incarnation is not None and (row.removing_since is not None or row.incarnation != incarnation):
        return False
    row.destroyed, row.destroyed_reason = row.wanted_commit, reason
    row.wanted, row.wanted_reason, row.facts_at = False, reason, now
    row.revision += 1
    row.version += 1
    row.due_at, row.attempts, row.waiting_for = now, 0, ""
    return True


def record_trust(
    session: Session, environment_id: int, change: Callable[[Trust], Trust], decide: Decide, *, now: float
) -> Trust:
    """Write down something new about trust, and what is wanted now that it is known.

    Args:
        session: of the store.
        environment_id: whose.
        change: from what is known to what is known now.
        decide: turns facts and trust into what is wanted.
        now: Unix time, seconds.
    """
    row = _locked(session, environment_id)
    known = trust_of(row)
    new = change(known)
    if new.answer != known.answer:
        row.version += 1
    if new.approval != known.approval:
        row.destroyed = None
    row.trust = TRUST.dump_json(new).decode()
    _decide(session, row, decide, now=now)
    return new


def remove_repository(session: Session, repository_id: int, reason: str, *, now: float) -> None:
    """Ask for the removal of all environments of a repository that is gone or no longer ours to see.

    Its secrets stay for a while, since it may come back (:func:`revieee.store.secrets.forget`).
    """
    repository = session.get(RepositoryRow, repository_id, with_for_update=True)
    if repository is None:
        return
    repository.removed_at, repository.removed_reason = now, reason
    repository.doubted_at = repository.doubt = None
    session.execute(
        update(EnvironmentRow)
        .where(EnvironmentRow.repository_id == repository_id, EnvironmentRow.wanted.is_(True))
        .values(
            wanted=False,
            wanted_reason=reason,
            revision=EnvironmentRow.revision + 1,
            version=EnvironmentRow.version + 1,
            facts_at=now,
            due_at=now,
            queued_at=None,
            attempts=0,
            waiting_for="",
        )
    )


def _repository(session: Session, facts: RepositoryFacts, *, heard_at: float) -> RepositoryRow:
    """Have a row for a repository, with the newest name that was heard; also for one that was removed."""
    row = session.get(RepositoryRow, facts.id, with_for_update=True)
    if row is None:
        row = RepositoryRow(id=facts.id, name=facts.name, slug=_free_slug(session, facts), heard_at=heard_at)
        row.facts, row.removed_reason = REPOSITORY.dump_json(facts).decode(), ""
        session.add(row)
        session.flush()
    elif heard_at >= row.heard_at:
        known = REPOSITORY.validate_json(row.facts)
        completed = _completed(facts, known)
        if completed != known:
            row.name, row.heard_at, row.facts = facts.name, heard_at, REPOSITORY.dump_json(completed).decode()
        if facts.name != known.name:
            _tell_again(session, row)
    return row


def _completed(facts: RepositoryFacts, known: RepositoryFacts) -> RepositoryFacts:
    """Keep what the short forms of a repository leave out."""
    return replace(
        facts,
        installation=facts.installation or known.installation,
        default_branch=facts.default_branch or known.default_branch,
    )


def _tell_again(session: Session, repository: RepositoryRow) -> None:
    """Let all environments of a repository be reported anew."""
    session.execute(
        update(EnvironmentRow)
        .where(EnvironmentRow.repository_id == repository.id)
        .values(version=EnvironmentRow.version + 1)
    )


def _new(session: Session, repository: RepositoryRow, number: int, *, now: float) -> EnvironmentRow:
    """Make the row of a pull request that we hear of for the first time."""
    row = EnvironmentRow(
        repository_id=repository.id,
        number=number,
        label=_free_label(session, repository, number),
        incarnation=beats.first_incarnation(session),
        wanted=False,
        wanted_reason="",
        inputs="",
        facts_at=now,
        nonce=0,
        revision=0,
        version=0,
        attempts=0,
    )
    session.add(row)
    return row


def _locked(session: Session, environment_id: int) -> EnvironmentRow:
    """Give an environment's row, to decide anew: locked, and its repository's before it, as by whoever removes that.

    Else a removal that is not written yet would not be seen here, nor see what is wanted from now on.
    """
    of_it = select(EnvironmentRow.repository_id).where(EnvironmentRow.id == environment_id)
    session.get_one(RepositoryRow, session.scalars(of_it).one(), with_for_update=True)
    return session.get_one(EnvironmentRow, environment_id, with_for_update=True)


def _decide(session: Session, row: EnvironmentRow, decide: Decide, *, now: float) -> None:
    repository = session.get_one(RepositoryRow, row.repository_id)
    _write(row, repository, KNOWN.validate_json(row.facts), decide, now=now)


def _write(row: EnvironmentRow, repository: RepositoryRow, known: Known, decide: Decide, *, now: float) -> None:
    """Write down what is known, and, where that changes what is wanted, that too."""
    facts, before = known.facts, trust_of(row)
    trust = before.follow(facts)
    row.facts, row.trust = KNOWN.dump_json(known).decode(), TRUST.dump_json(trust).decode()
    desire = decide(facts, trust)
    if row.destroyed is not None and row.destroyed != desire.commit:
        row.destroyed = None
    if not desire.ask:
        row.ask_at = None
    elif row.ask_at is None or trust.head != before.head:
        row.ask_at = now
    wanted, reason = desire.wanted, desire.reason
    if repository.removed_at is not None:
        wanted, reason = False, repository.removed_reason
    elif wanted and row.destroyed is not None:
        wanted, reason = False, row.destroyed_reason
    inputs = inputs_of(facts, desire.commit, row.nonce)
    told = (row.wanted_reason, row.waits)
    row.wanted_reason, row.waits = reason, desire.waits
    if (row.wanted, row.trusted, row.inputs) == (wanted, desire.trusted, inputs):
        if told != (reason, desire.waits):
            row.version += 1
        return
    row.wanted, row.trusted, row.wanted_commit, row.inputs = wanted, desire.trusted, desire.commit, inputs
    row.facts_at = now
    row.queued_at = row.queued_at if wanted else None
    row.revision += 1
    row.version += 1
    row.due_at, row.attempts, row.waiting_for = now, 0, ""


def _free_slug(session: Session, facts: RepositoryFacts) -> str:
    """Name a repository in hostnames: its plain name, or one with a hash where another owner's has it."""
    plain = label(facts.name.partition("/")[2], length=40)
    taken = session.scalar(select(RepositoryRow.id).where(RepositoryRow.slug == plain))
    return plain if taken is None else label(plain, unique=str(facts.id), length=40)


def _free_label(session: Session, repository: RepositoryRow, number: int) -> str:
    plain = environment_label(repository.slug, number)
    taken = session.scalar(select(EnvironmentRow.id).where(EnvironmentRow.label == plain))
    return plain if taken is None else label(slug(plain), unique=f"{repository.id}#{number}")
