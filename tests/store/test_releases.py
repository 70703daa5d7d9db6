"""Releases as the reconciler writes them, each under a lease."""

from dataclasses import replace
from functools import partial

import pytest

from revieee.model.crashes import Crashes
from revieee.model.environment import Environment
from revieee.model.phases import Outcome, Phase, Verdict
from revieee.model.policy import Pace
from revieee.model.route import Endpoint
from revieee.store import environments, leases, logs, releases
from revieee.store.database import Database
from revieee.store.leases import Lease
from revieee.store.releases import Ending
from revieee.store.schema import EnvironmentRow, ReleaseRow
from support.storing import NOW, commit, facts, go_live, lease, manifest, record, stack


def load(database: Database, held: Lease) -> Environment:
    return database.run_here(lambda session: releases.load(session, held.environment))


def begin(database: Database, held: Lease, *, now: float = NOW) -> int:
    return database.run_here(lambda session: releases.begin(session, held, slot=None, now=now))


def move(database: Database, held: Lease, id_: int, *outcomes: Outcome, ending: Ending | None = None) -> Phase:
    for outcome in outcomes:
        phase = database.run_here(
            partial(releases.move, lease=held, release_id=id_, outcome=outcome, now=NOW + 1, ending=ending)
        )
    return phase


@pytest.fixture
def held(database: Database) -> Lease:
    """A lease on a pull request that was just opened."""
    record(database, facts())
    return lease(database)


def test_a_release_begins_with_what_is_wanted_now(database: Database, held: Lease) -> None:
    record(database, facts(2, after=9), now=NOW + 9)
    before = load(database, held)
    id_ = database.run_here(lambda session: releases.begin(session, held, slot=5, now=NOW + 10))
    one = load(database, held)
    assert one.next is not None
    assert (one.next.id, one.next.commit, one.next.inputs) == (id_, commit(2), one.inputs)
    assert (one.next.phase, one.next.wanted_at, one.next.phase_since) == (Phase.FETCHING, NOW + 9, NOW + 10)
    assert (one.placed, one.slot) == (True, 5)
    assert one.version == before.version + 1


def test_what_a_release_needs_is_kept_with_it(database: Database, held: Lease) -> None:
    id_ = database.run_here(lambda session: go_live(session, held))
    live = load(database, held).live
    assert live is not None
    assert live.id == id_
    assert live.manifest == manifest()
    assert live.stack == stack()
    assert live.endpoints == (("web", Endpoint("10.208.0.66", 80)),)


def test_a_large_stack_is_kept(database: Database, held: Lease) -> None:
    id_ = begin(database, held)
    one = stack()
    web = one.task_of("web")
    service = replace(web.service, command=("😀" * 400_000, "\x00\x1f"))
    large = replace(one, tasks=(replace(web, service=service), *one.tasks[1:]))
    database.run_here(lambda session: releases.keep_stack(session, held, id_, large))
    kept = load(database, held).next
    assert kept is not None
    assert kept.stack == large


def test_a_new_live_release_lets_the_old_one_drain(database: Database, held: Lease) -> None:
    first = database.run_here(lambda session: go_live(session, held, version="1"))
    record(database, facts(2, after=9))
    second = database.run_here(lambda session: go_live(session, held, version="2", now=NOW + 20))
    one = load(database, held)
    assert one.live is not None
    assert (one.live.id, one.live.live_at) == (second, NOW + 20)
    assert [(old.id, old.phase_since, old.verdict) for old in one.draining] == [(first, NOW + 20, Verdict.REPLACED)]
    move(database, held, first, Outcome.DONE)
    assert [old.id for old in load(database, held).releases] == [second]


def test_a_crash_of_what_is_live_no_more_is_not_one_of_what_took_its_place(database: Database, held: Lease) -> None:
    pace = Pace()
    first = database.run_here(lambda session: go_live(session, held))
    crashes = database.run_here(lambda session: releases.crashed(session, held, first, pace, now=NOW))
    assert load(database, held).crashes == crashes == Crashes(1, NOW)
    second = database.run_here(lambda session: go_live(session, held))
    assert database.run_here(lambda session: releases.crashed(session, held, first, pace, now=NOW + 1)) == Crashes()
    assert load(database, held).crashes == Crashes()
    crashes = database.run_here(lambda session: releases.crashed(session, held, second, pace, now=NOW + 2))
    assert load(database, held).crashes == crashes == Crashes(1, NOW + 2)


def test_a_failure_is_told_with_its_reason_and_the_end_of_its_log(database: Database, held: Lease) -> None:
    id_ = begin(database, held)
    ending = Ending(verdict=Verdict.FAILED, reason="r" * 30_000, log_tail="\x00\ud800 first " + "l" * 30_000 + " last")
    assert move(database, held, id_, Outcome.DONE, Outcome.FAILED, ending=ending) is Phase.UNDOING
    assert move(database, held, id_, Outcome.DONE) is Phase.ENDED
    newest = load(database, held).newest
    assert newest is not None
    assert newest.verdict is Verdict.FAILED
    assert newest.ended_at == NOW + 1
    assert len(newest.reason) == releases.REASON
    assert len(newest.log_tail) == releases.LOG_TAIL
    assert newest.log_tail.endswith(" last")


def test_hostile_output_is_kept_readable(database: Database, held: Lease) -> None:
    id_ = begin(database, held)
    ending = Ending(verdict=Verdict.FAILED, reason="\x00\ud800😀", log_tail="\x1b[31m\x00\udcff é")
    move(database, held, id_, Outcome.FAILED, ending=ending)
    newest = load(database, held).newest
    assert newest is not None
    assert newest.reason == "\ufffd\ufffd😀"
    assert newest.log_tail == "\x1b[31m\ufffd\ufffd é"


def test_a_step_the_table_does_not_know_is_refused(database: Database, held: Lease) -> None:
    id_ = begin(database, held)
    with pytest.raises(KeyError):
        move(database, held, id_, Outcome.REPLACED)
    one = load(database, held).next
    assert one is not None
    assert one.phase is Phase.FETCHING


def test_a_commit_that_is_live_already_ends_and_hands_over_what_was_wanted(database: Database, held: Lease) -> None:
    live = database.run_here(lambda session: go_live(session, held))
    record(database, facts(after=9, labels=("preview",)))
    again = begin(database, held)
    database.run_here(lambda session: releases.unchanged(session, held, again, live, now=NOW + 10))
    one = load(database, held)
    assert one.live is not None
    assert one.newest is not None
    assert one.live.inputs == one.inputs
    assert (one.newest.id, one.newest.verdict) == (again, Verdict.UNCHANGED)


def test_removal_ends_every_release_and_the_next_is_a_new_incarnation(database: Database, held: Lease) -> None:
    database.run_here(lambda session: go_live(session, held, slot=3))
    record(database, facts(2, after=9))
    begin(database, held)
    database.run_here(lambda session: releases.hook_created(session, held))
    database.run_here(lambda session: releases.start_removal(session, held, now=NOW + 10))
    assert load(database, held).removing

    assert database.run_here(lambda session: releases.removed(session, held, now=NOW + 11)) == 3
    one = load(database, held)
    assert (one.placed, one.removing, one.created_hook, one.slot, one.incarnation) == (False, False, False, None, 2)
    assert one.live is None
    assert one.next is None
    assert one.newest is not None
    assert (one.newest.verdict, one.newest.ended_at) == (Verdict.REMOVED, NOW + 11)


def test_waiting_is_counted_told_once_and_forgotten_when_all_is_well(database: Database, held: Lease) -> None:
    before = load(database, held)
    for _ in range(3):
        database.run_here(lambda session: releases.wait(session, held, "The engine is away.", failed=True))
    one = load(database, held)
    assert (one.attempts, one.waiting_for, one.version) == (3, "The engine is away.", before.version + 1)

    database.run_here(lambda session: releases.recovered(session, held))
    database.run_here(lambda session: releases.recovered(session, held))
    one = load(database, held)
    assert (one.attempts, one.waiting_for, one.version) == (0, "", before.version + 2)


def test_reasons_to_wait_of_any_length_are_kept(database: Database, held: Lease) -> None:
    database.run_here(lambda session: releases.wait(session, held, "\x00" + "w" * 100_000))
    assert load(database, held).waiting_for.startswith("\ufffdw")


def test_an_environment_is_read_again_only_if_something_else_is_wanted(database: Database, held: Lease) -> None:
    seen = load(database, held).revision
    begin(database, held)
    assert database.run_here(lambda session: releases.if_changed(session, held, seen)) is None
    record(database, facts(2, after=9))
    changed = database.run_here(lambda session: releases.if_changed(session, held, seen))
    assert changed is not None
    assert changed.facts.head_commit == commit(2)


def test_another_label_is_kept(database: Database, held: Lease) -> None:
    database.run_here(lambda session: releases.relabel(session, held, "shop-pr-1-abcdef12"))
    assert load(database, held).label == "shop-pr-1-abcdef12"


def test_old_releases_are_forgotten_with_their_logs_but_each_newest_one(database: Database, held: Lease) -> None:
    ids = []
    for number in range(3):
        record(database, facts(number + 1, after=number), now=NOW + number)
        ids.append(begin(database, held))
        move(database, held, ids[-1], Outcome.FAILED, ending=Ending(verdict=Verdict.FAILED))
    for id_ in ids:
        database.run_here(partial(logs.append, release_id=id_, stage="build web", data=b"x", now=NOW))
    database.run_here(lambda session: releases.forget(session, before=NOW + 1))
    assert len(database.run_here(lambda session: session.query(ReleaseRow).all())) == 3, "they ended just then"
    database.run_here(lambda session: releases.forget(session, before=NOW + 2))
    assert [one.id for one in database.run_here(lambda session: session.query(ReleaseRow).all())] == ids[-1:]
    assert database.run_here(lambda session: logs.size(session, ids[0])) == 0
    assert database.run_here(lambda session: logs.size(session, ids[-1])) == 1


def test_many_are_read_as_one_is(database: Database) -> None:
    ids = []
    for number in range(1, 5):
        ids.append(record(database, facts(number=number)))
        held = lease(database)
        database.run_here(partial(go_live, held=held, slot=number))
        record(database, facts(2, after=9, number=number))
        begin(database, held)
        database.run_here(partial(leases.release, lease=held, seen_revision=2, due_at=None, now=NOW))
    several = database.run_here(environments.present)
    assert [one.id for one in several] == ids
    for one in several:
        assert database.run_here(partial(releases.load, environment_id=one.id)) == one
        assert [release.phase for release in one.releases] == [Phase.LIVE, Phase.FETCHING]
    assert database.run_here(lambda session: session.query(EnvironmentRow).count()) == 4
