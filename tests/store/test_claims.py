"""Who may claim what: each kind of place takes just what its turns do, on every database."""

import itertools
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy.orm import Session

from revieee.model.environment import Environment
from revieee.model.lifecycle import Act, next_act
from revieee.model.phases import Phase, Verdict
from revieee.store import environments, leases, releases
from revieee.store.database import Database
from revieee.store.leases import Lease
from revieee.store.schema import EnvironmentRow, ReleaseRow
from support.storing import NOW, facts, go_live, lease, many, record

Claim = Callable[..., Sequence[Lease]]


class Release(NamedTuple):
    """The newest release of an environment, as it may be."""

    phase: Phase
    verdict: Verdict | None
    asked_for: bool
    trusted: bool
    incarnation: int


NEWEST = [
    None,
    *(
        Release(*one)
        for one in itertools.product(
            Phase, (None, Verdict.FAILED, Verdict.EXCLUDED), (True, False), (True, False), (1, 2)
        )
    ),
]


class Shape(NamedTuple):
    """An environment as it may be."""

    wanted: bool
    removing: float | None
    queued: float | None
    live: bool
    """Whether an older release is."""
    newest: Release | None


SHAPES = [Shape(*one) for one in itertools.product((True, False), (None, NOW), (None, NOW), (True, False), NEWEST)]
SOME = 200


def shape(session: Session, ids: Sequence[int], shapes: Sequence[Shape]) -> None:
    """Give environments those shapes; one with something that did not end is placed."""
    for id_, (wanted, removing, queued, live, newest) in zip(ids, shapes, strict=True):
        row = session.get_one(EnvironmentRow, id_)
        row.wanted, row.removing_since, row.queued_at = wanted, removing, queued
        some = [Release(Phase.LIVE, None, asked_for=True, trusted=True, incarnation=1)] if live else []
        some += [newest] if newest else []
        row.placed = any(one.phase is not Phase.ENDED for one in some)
        for one in some:
            session.add(
                ReleaseRow(
                    environment_id=id_,
                    incarnation=one.incarnation,
                    commit=row.wanted_commit,
                    trusted=one.trusted,
                    inputs=row.inputs if one.asked_for else "other",
                    phase=one.phase.value,
                    verdict=one.verdict.value if one.verdict else None,
                    wanted_at=NOW,
                    phase_since=NOW,
                )
            )
            session.flush()  # in this order


def claimed(database: Database, claim: Claim, *arguments: object, limit: int = 1000) -> set[int]:
    work = partial(claim, now=NOW, until=NOW + 30, limit=limit)
    return {one.environment for one in database.run_here(lambda session: work(session, "us", *arguments))}


def everything(database: Database) -> dict[int, Environment]:
    return {one.id: one for one in database.run_here(environments.everything)}


def test_each_kind_of_place_takes_only_what_its_turns_do(database: Database) -> None:
    shapes = [Shape(wanted=True, removing=None, queued=None, live=True, newest=newest) for newest in NEWEST]
    shapes += random.Random(1).sample(SHAPES, SOME)  # noqa: S311 -- no secret
    ids = many(database, len(shapes))
    database.run_here(partial(shape, ids=ids, shapes=shapes))
    rows = everything(database)
    acts = {id_: next_act(one) for id_, one in rows.items()}

    going = claimed(database, leases.claim_going)
    assert going
    assert {acts[one] for one in going} <= {Act.REMOVE, Act.REST}
    assert {id_ for id_, act in acts.items() if act is Act.REMOVE and not rows[id_].excluded} <= going
    kept = claimed(database, leases.claim_kept)
    assert kept == {id_ for id_, act in acts.items() if act in {Act.KEEP, Act.DRAIN} and rows[id_].live}
    asking = claimed(database, leases.claim_asking)
    assert Act.BEGIN in {acts[one] for one in asking} <= {Act.BEGIN, Act.REST}
    assert kept
    assert not going & kept | going & asking | kept & asking


def test_what_is_lost_is_claimed_where_something_is_live_and_to_stay(database: Database) -> None:
    live = record(database, facts(1))
    held = lease(database)
    database.run_here(lambda session: go_live(session, held))
    database.run_here(lambda session: leases.release(session, held, seen_revision=1, due_at=None, now=NOW))
    record(database, facts(2, after=60))
    waiting = record(database, facts(number=2))
    named = frozenset({live, waiting, 999})

    assert claimed(database, leases.claim_lost, frozenset()) == set()
    assert claimed(database, leases.claim_lost, frozenset({waiting})) == set()
    assert claimed(database, leases.claim_lost, named, limit=0) == set()
    assert claimed(database, leases.claim_kept) == set(), "a newer commit is wanted"
    assert claimed(database, leases.claim_lost, named) == {live}
    assert claimed(database, leases.claim_lost, named) == set(), "somebody works on it"


def test_what_is_lost_and_is_to_go_is_left_to_its_removal(database: Database) -> None:
    live = record(database, facts(1))
    held = lease(database)
    database.run_here(lambda session: go_live(session, held))
    database.run_here(lambda session: leases.release(session, held, seen_revision=1, due_at=None, now=NOW))
    record(database, facts(1, after=60, open=False))
    assert claimed(database, leases.claim_lost, {live}) == set()
    assert claimed(database, leases.claim_kept) == set()
    assert claimed(database, leases.claim_going) == {live}


def test_a_live_release_is_kept_when_the_newer_one_has_failed(database: Database) -> None:
    live = record(database, facts(1))
    held = lease(database)
    database.run_here(lambda session: go_live(session, held))
    record(database, facts(2, after=60))
    newer = database.run_here(lambda session: releases.begin(session, held, slot=None, now=NOW))
    database.run_here(lambda session: leases.release(session, held, seen_revision=0, due_at=NOW, now=NOW))
    assert claimed(database, leases.claim_kept) == set(), "it is on its way"

    def fails(session: Session) -> None:
        row = session.get_one(ReleaseRow, newer)
        row.phase, row.verdict, row.ended_at = Phase.ENDED.value, Verdict.FAILED.value, NOW

    database.run_here(fails)
    assert claimed(database, leases.claim_kept) == {live}
