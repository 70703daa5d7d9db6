"""Two processes write at once: what one has read is still so when it writes, on every database."""

from collections.abc import Callable
from functools import partial

import pytest

from revieee.model.desire import desire
from revieee.model.policy import AdmissionPolicy, ForkPolicy
from revieee.model.route import Endpoint, RouteState
from revieee.model.secrets import MOST_IN_ALL
from revieee.ports import Refused
from revieee.store import asking, beats, leases, releases, routes, secrets, wishes
from revieee.store.database import Database
from revieee.store.schema import EnvironmentRow
from support.interleaving import interleaved
from support.storing import NOW, SHOP, all_free, commit, decide, facts, go_live, lease, many, record

pytestmark = pytest.mark.slow

GONE = "The repository was deleted."


def row(database: Database, id_: int) -> EnvironmentRow:
    return database.run_here(lambda session: session.get_one(EnvironmentRow, id_))


@pytest.mark.parametrize("wish", [wishes.deploy, wishes.redecide])
def test_a_wish_brings_nothing_back_of_a_repository_that_is_removed_at_once(
    database: Database, wish: Callable[..., None]
) -> None:
    id_ = record(database, facts(open=False))
    wished = partial(wish, environment_id=id_, decide=lambda *_: decide(facts()), now=NOW)
    remove = partial(wishes.remove_repository, repository_id=SHOP.id, reason=GONE, now=NOW + 1)
    interleaved(database, wished, lambda: database.run_here(remove), after="FROM repository")
    after = row(database, id_)
    assert (after.wanted, after.wanted_reason) == (False, GONE)


def test_a_lease_that_is_renewed_at_once_is_taken_from_nobody(database: Database) -> None:
    id_ = record(database, facts())
    held = lease(database, until=NOW + 30)
    claim = partial(leases.claim, owner="other", places=all_free(1), now=NOW + 31, until=NOW + 61)
    renew = partial(leases.renew, lease=held, until=NOW + 61)
    taken, renewed = interleaved(database, claim, lambda: database.run_here(renew))
    assert (len(taken), renewed) in {(0, True), (1, False)}
    assert row(database, id_).lease_owner == ("other" if taken else "us")


def test_a_host_that_another_takes_at_once_does_not_lead_to_its_former_owner(database: Database) -> None:
    former, new = many(database, 2)
    up = {"a.localhost": ("web", RouteState.UP, Endpoint("10.208.0.66", 80))}
    for wanted in (up, {}):
        database.run_here(partial(routes.set_routes, environment_id=former, wanted=wanted, now=NOW))
    again = partial(routes.set_routes, environment_id=former, wanted=up, now=NOW)
    takes = partial(routes.claim, environment_id=new, hosts={"a.localhost": "web"}, now=NOW)
    _, taken = interleaved(database, again, lambda: database.run_here(takes), after="FROM route")
    route, owner = database.run_here(lambda session: routes.find(session, "a.localhost")) or (None, 0)
    assert route is not None
    expected = (new, RouteState.BUILDING, None) if taken else (former, RouteState.UP, up["a.localhost"][2])
    assert (owner, route.state, route.endpoint) == expected


def test_a_host_that_is_forgotten_at_once_is_led_on(database: Database) -> None:
    (id_,) = many(database, 1)
    up = {"a.localhost": ("web", RouteState.UP, Endpoint("10.208.0.66", 80))}
    for wanted in (up, {}):
        database.run_here(partial(routes.set_routes, environment_id=id_, wanted=wanted, now=NOW))
    again = partial(routes.set_routes, environment_id=id_, wanted=up, now=NOW + 100)
    forget = partial(routes.forget, before=NOW + 50)
    interleaved(database, again, lambda: database.run_here(forget), after="FROM route")
    assert [one.state for one in database.run_here(routes.everything)] == [RouteState.UP]


def test_a_secret_that_two_set_at_once_has_one_value(database: Database) -> None:
    record(database, facts())
    put = partial(secrets.put, repository_id=SHOP.id, name="A", now=NOW)
    second = partial(put, data=b"two")
    interleaved(database, partial(put, data=b"one"), lambda: database.run_here(second), after="ORDER BY secret.name")
    found = database.run_here(partial(secrets.sealed, repository_id=SHOP.id))
    assert [(one.data, one.retired) for one in found] == [(b"one", True), (b"two", False)]


def test_two_who_set_secrets_at_once_set_no_more_than_there_may_be(database: Database) -> None:
    record(database, facts())
    put = partial(secrets.put, repository_id=SHOP.id, data=b"", now=NOW)
    for number in range(MOST_IN_ALL - 1):
        database.run_here(partial(put, name=f"A{number}"))

    def last() -> bool:
        try:
            database.run_here(partial(put, name="C"))
        except Refused:
            return False
        return True

    assert interleaved(database, partial(put, name="B"), last, after="ORDER BY secret.name") == (None, False)


def test_a_restored_database_begins_anew_once(database: Database) -> None:
    id_ = record(database, facts())
    anew = partial(beats.begin_anew, there={id_: 4}, beat=70, now=NOW)
    database.run_here(anew)
    held = lease(database, "the first")
    database.run_here(partial(releases.removed, lease=held, now=NOW))
    database.run_here(lambda session: go_live(session, held))
    database.run_here(anew)  # of another process, whose removals took longer
    assert database.run_here(partial(releases.load, environment_id=id_)).live is not None
    database.run_here(lambda session: leases.guard(session, held))


def test_a_lease_that_is_taken_as_a_restored_database_begins_anew_is_stale(database: Database) -> None:
    id_ = record(database, facts())
    anew = partial(beats.begin_anew, there={id_: 4}, beat=70, now=NOW)
    claim = partial(leases.claim, owner="other", places=all_free(1), now=NOW, until=NOW + 30)
    _, taken = interleaved(database, anew, lambda: database.run_here(claim), after="FROM environment")
    assert [one.token for one in taken] in ([], [2]), "it was taken after that, if at all"


def test_what_an_author_is_asked_about_for_is_what_is_there_when_it_is_claimed(database: Database) -> None:
    asks = AdmissionPolicy(forks=ForkPolicy.ASK)

    def pushed(head: int) -> None:
        fork = facts(head, after=head, author="eve", head_owner="eve", head_repository=99)
        work = partial(wishes.record_facts, facts=fork, decide=lambda one, trust: desire(one, asks, trust), now=NOW)
        database.run_here(lambda session: work(session).id)

    pushed(1)
    claim = partial(asking.claim, now=NOW, until=NOW + 30)
    claimed, _ = interleaved(database, claim, lambda: pushed(2), after="FROM environment")
    again = database.run_here(claim)  # where the push came after the claim
    assert [one.facts.head_commit for one in (*claimed, *again)][-1] == commit(2)
