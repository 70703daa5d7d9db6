"""Wishes: what deliveries, listings and commands ask for."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from revieee.model.environment import Environment
from revieee.model.facts import RepositoryFacts
from revieee.model.names import EnvironmentName
from revieee.store import environments, releases, wishes
from revieee.store.database import Database
from revieee.store.schema import EnvironmentRow, RepositoryRow
from support.storing import NOW, RENAMED, SHOP, commit, decide, facts, record


def environment(database: Database, id_: int) -> Environment:
    return database.run_here(lambda session: releases.load(session, id_))


def revision(database: Database, id_: int) -> int:
    return database.run_here(lambda session: session.get_one(EnvironmentRow, id_).revision)


def remove_repository(database: Database, *, now: float = NOW, reason: str = "The repository was deleted.") -> None:
    database.run_here(lambda session: wishes.remove_repository(session, SHOP.id, reason, now=now))


def test_an_opened_pull_request_is_wanted_and_due(database: Database) -> None:
    one = environment(database, record(database, facts()))
    assert one.wanted
    assert one.name == EnvironmentName("acme/shop", 1)
    assert one.facts.head_commit == commit(1)
    assert one.label == "shop-pr-1"
    assert database.run_here(lambda session: releases.due_at(session, one.id)) == NOW


def test_the_same_delivery_twice_is_one(database: Database) -> None:
    id_ = record(database, facts())
    before = revision(database, id_)
    assert record(database, facts(), now=NOW + 100) == id_
    assert revision(database, id_) == before


def test_deliveries_in_any_order_end_alike(database: Database) -> None:
    told = [
        facts(1),
        facts(2, after=5, before=commit(1)),
        facts(2, after=6, labels=("preview",)),
        facts(2, after=6, labels=("preview",), open=False, merged=True),
    ]
    ends = set()
    for number, order in enumerate(itertools.permutations(told), start=1):
        for one in order:
            id_ = record(database, replace(one, number=number))
        end = environment(database, id_)
        ends.add((end.wanted, end.wanted_reason, end.inputs, replace(end.facts, number=1)))
    assert len(ends) == 1
    ((wanted, reason, _, _),) = ends
    assert not wanted
    assert reason == "The pull request was merged."


def test_a_pull_request_closed_before_we_heard_of_it_is_not_wanted_by_its_opening(database: Database) -> None:
    id_ = record(database, facts(after=5, open=False))
    record(database, facts())
    assert not environment(database, id_).wanted


def test_a_reopened_pull_request_is_wanted_again(database: Database) -> None:
    id_ = record(database, facts())
    record(database, facts(after=5, open=False))
    assert not environment(database, id_).wanted
    record(database, facts(after=9))
    assert environment(database, id_).wanted


def test_deliveries_of_one_second_that_disagree_are_for_the_forge_to_settle(database: Database) -> None:
    database.run_here(lambda session: wishes.record_facts(session, facts(open=False), decide, now=NOW))
    assert database.run_here(lambda session: wishes.unclear(wishes.record_facts(session, facts(), decide, now=NOW)))
    id_ = record(database, facts(), settled=True)
    assert environment(database, id_).wanted
    assert not database.run_here(lambda session: wishes.unclear(session.get_one(EnvironmentRow, id_)))


def test_a_title_that_changes_nothing_for_the_manifest_still_may(database: Database) -> None:
    id_ = record(database, facts(title="Add a door"))
    before = revision(database, id_)
    record(database, facts(after=1, title="Add a door [skip revieee]"))
    assert revision(database, id_) == before + 1


def test_a_changed_author_asks_for_nothing(database: Database) -> None:
    id_ = record(database, facts())
    before = revision(database, id_)
    record(database, facts(after=1, author="someone"))
    assert revision(database, id_) == before
    assert environment(database, id_).facts.author == "someone"


def test_destroyed_until_the_next_push(database: Database) -> None:
    id_ = record(database, facts())
    database.run_here(lambda session: wishes.destroy(session, id_, decide, now=NOW))
    assert not environment(database, id_).wanted
    assert "revieee deploy" in environment(database, id_).wanted_reason

    record(database, facts(after=5, labels=("other",)))
    assert not environment(database, id_).wanted
    record(database, facts(2, after=9))
    assert environment(database, id_).wanted


def test_what_was_destroyed_does_not_come_back_when_the_old_commit_is_pushed_again(database: Database) -> None:
    id_ = record(database, facts())
    database.run_here(lambda session: wishes.destroy(session, id_, decide, now=NOW))
    record(database, facts(2, after=5))
    record(database, facts(1, after=9))
    assert environment(database, id_).wanted, "a push is a push, also of an older commit"


def test_deploy_brings_a_destroyed_one_back_and_asks_for_a_new_release(database: Database) -> None:
    id_ = record(database, facts())
    before = environment(database, id_).inputs
    database.run_here(lambda session: wishes.destroy(session, id_, decide, now=NOW))
    database.run_here(lambda session: wishes.deploy(session, id_, decide, now=NOW))
    after = environment(database, id_)
    assert after.wanted
    assert after.inputs != before


def test_deploy_does_not_open_a_closed_pull_request(database: Database) -> None:
    id_ = record(database, facts(open=False))
    database.run_here(lambda session: wishes.deploy(session, id_, decide, now=NOW))
    assert not environment(database, id_).wanted


def test_another_policy_decides_anew(database: Database) -> None:
    id_ = record(database, facts())
    refuse = replace(decide(facts()), wanted=False, reason="Not served.")
    database.run_here(lambda session: wishes.redecide(session, id_, lambda *_: refuse, now=NOW))
    assert environment(database, id_).wanted_reason == "Not served."


def test_a_rename_keeps_hostnames_and_is_told(database: Database) -> None:
    id_ = record(database, facts())
    before = environment(database, id_)
    database.run_here(lambda session: wishes.record_repository(session, RENAMED, now=NOW + 5))
    after = environment(database, id_)
    assert after.name == EnvironmentName("acme/store", 1)
    assert after.facts.repository.name == "acme/store"
    assert after.label == before.label
    assert after.version == before.version + 1
    assert after.revision == before.revision
    assert database.run_here(lambda session: environments.find(session, before.name)) is None
    assert database.run_here(lambda session: environments.find(session, after.name)) == after


def test_a_late_delivery_does_not_bring_an_old_name_back(database: Database) -> None:
    id_ = record(database, facts())
    database.run_here(lambda session: wishes.record_repository(session, RENAMED, now=NOW + 50))
    record(database, facts(2, after=40))
    assert environment(database, id_).name.repository == "acme/store"
    assert environment(database, id_).facts.head_commit == commit(2)


def test_short_forms_of_a_repository_do_not_forget_what_was_known(database: Database) -> None:
    full = replace(SHOP, installation=42, default_branch="main")
    id_ = record(database, facts(repository=full))
    database.run_here(lambda session: wishes.record_repository(session, SHOP, now=NOW + 5))
    assert environment(database, id_).facts.repository == full


def test_a_new_installation_speaks_for_older_facts_too(database: Database) -> None:
    id_ = record(database, facts(repository=replace(SHOP, installation=1)))
    database.run_here(lambda session: wishes.record_repository(session, replace(SHOP, installation=2), now=NOW + 5))
    assert environment(database, id_).facts.repository.installation == 2


def test_a_removed_repository_takes_its_environments_with_it(database: Database) -> None:
    id_ = record(database, facts())
    other = record(database, facts(repository=RepositoryFacts(id=8, name="acme/other")))
    remove_repository(database, now=NOW + 5)
    gone = environment(database, id_)
    assert not gone.wanted
    assert gone.repository_removed
    assert gone.wanted_reason == "The repository was deleted."
    assert database.run_here(lambda session: releases.due_at(session, id_)) == NOW + 5
    assert environment(database, other).wanted
    assert [one.id for one in database.run_here(environments.repositories)] == [8]


def test_a_repository_nobody_knows_is_removed_without_a_word(database: Database) -> None:
    remove_repository(database)


@pytest.mark.parametrize("wish", ["late delivery", "deploy", "redecide"])
def test_nothing_old_brings_a_removed_repository_back(database: Database, wish: str) -> None:
    id_ = record(database, facts())
    remove_repository(database, now=NOW + 50)
    if wish == "late delivery":
        record(database, facts(2, after=40), now=NOW + 60)
    elif wish == "deploy":
        database.run_here(lambda session: wishes.deploy(session, id_, decide, now=NOW + 60))
    else:
        database.run_here(lambda session: wishes.redecide(session, id_, decide, now=NOW + 60))
    after = environment(database, id_)
    assert not after.wanted
    assert after.wanted_reason == "The repository was deleted."


def test_a_repository_added_again_has_its_open_pull_requests_back(database: Database) -> None:
    id_ = record(database, facts())
    remove_repository(database, now=NOW + 50)
    database.run_here(lambda session: wishes.record_repository(session, SHOP, now=NOW + 60))
    record(database, facts(), now=NOW + 61, settled=True)
    after = environment(database, id_)
    assert after.wanted
    assert not after.repository_removed


def test_a_delivery_newer_than_the_removal_tells_that_the_repository_is_back(database: Database) -> None:
    id_ = record(database, facts())
    remove_repository(database, now=NOW + 50)
    record(database, facts(2, after=70), now=NOW + 71)
    assert environment(database, id_).wanted


def test_repositories_of_two_owners_share_no_hostname(database: Database) -> None:
    ids = [
        record(database, facts(repository=RepositoryFacts(id=one, name=name)))
        for one, name in enumerate(("acme/shop", "other/shop", "third/Shop"), 1)
    ]
    labels = {environment(database, one).label for one in ids}
    assert len(labels) == 3
    assert "shop-pr-1" in labels


def test_names_that_read_alike_share_no_hostname(database: Database) -> None:
    long = "x" * 100
    names = ["a/" + long, "b/" + long[:-1] + "y", "a/a.b", "b/a-b", "a/...", "b/---", "a/a-pr-1", "b/a"]
    ids = [
        record(database, facts(repository=RepositoryFacts(id=one, name=name), number=number))
        for one, name in enumerate(names, 1)
        for number in (1, 11)
    ]
    labels = [environment(database, one).label for one in ids]
    assert len(set(labels)) == len(labels)
    assert all(len(one) <= 63 for one in labels)


@pytest.mark.parametrize(
    "text",
    ["😀" * 60, "'; DROP TABLE environment; --", "\u202eright to left", "a\x00b", "\ud83d half", "<b>", "%s %(x)s"],
    ids=["four bytes", "sql", "bidirectional", "nul", "half", "html", "formats"],
)
def test_whatever_people_write_is_stored(database: Database, text: str) -> None:
    one = facts(title=text.replace("\ud83d", "?"), head_ref=text.replace("\ud83d", "?"), labels=("é", "e\u0301"))
    id_ = record(database, one)
    assert environment(database, id_).facts == one
    refused = replace(decide(one), wanted=False, reason=text)
    database.run_here(lambda session: wishes.redecide(session, id_, lambda *_: refused, now=NOW))
    expected = text.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")
    assert environment(database, id_).wanted_reason == expected


def test_two_processes_that_hear_of_it_first_make_one_row(database: Database) -> None:
    start = threading.Barrier(4)

    def work(one: int) -> int:
        start.wait()
        return record(database, facts(one, after=one))

    with ThreadPoolExecutor(4) as threads:
        ids = set(threads.map(work, range(4)))
    assert len(ids) == 1
    assert environment(database, ids.pop()).facts.head_commit == commit(3)


def test_a_repository_row_has_its_newest_name_once(database: Database) -> None:
    record(database, facts())
    record(database, facts(repository=RENAMED, after=9))
    rows = database.run_here(lambda session: session.query(RepositoryRow).all())
    assert [(row.name, row.slug) for row in rows] == [("acme/store", "shop")]


def test_what_was_asked_through_an_older_installation_does_not_bring_that_back(database: Database) -> None:
    older, newer = replace(SHOP, installation=1), replace(SHOP, installation=2)
    id_ = record(database, facts(repository=older))
    database.run_here(lambda session: wishes.record_repository(session, newer, now=NOW + 1).id)
    record(database, facts(repository=older), now=NOW + 2, settled=True)  # the question was on its way meanwhile
    assert environment(database, id_).facts.repository.installation == newer.installation
