"""A store with something in it: pull requests, leases, releases that are live."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from revieee.model.desire import Desire, desire
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.image import Image
from revieee.model.manifest import Manifest
from revieee.model.phases import Outcome, Phase
from revieee.model.policy import AdmissionPolicy
from revieee.model.resolve import ResolvedStack, resolve
from revieee.model.route import Endpoint
from revieee.model.stack import Exposure, Service, Stack
from revieee.model.trust import Trust
from revieee.store import leases, releases, wishes
from revieee.store.database import Database
from revieee.store.leases import Lease, Places, share_of

OPENED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = OPENED.timestamp()
SHOP = RepositoryFacts(id=7, name="acme/shop")
RENAMED = RepositoryFacts(id=7, name="acme/store")


Store = TypeVar("Store", bound=Database)


@cache
def _empty() -> bytes:
    """The file of a store with nothing in it: making its tables takes longer than most tests."""
    with tempfile.TemporaryDirectory() as name:
        made = Database(f"sqlite:///{name}/store.db")
        made.open()
        made.close()
        return Path(name, "store.db").read_bytes()


def opened(folder: Path, kind: type[Store]) -> Store:
    """A new store in a folder, open."""
    file = folder / "store.db"
    file.write_bytes(_empty())
    one = kind(f"sqlite:///{file}")
    one.open()
    return one


def commit(number: int) -> str:
    """The hash of the commit of that number."""
    return f"{number:08x}" * 5


def facts(
    head: int = 1, *, after: float = 0, repository: RepositoryFacts = SHOP, **changes: object
) -> PullRequestFacts:
    """A pull request's facts, at a commit, some seconds after it was opened."""
    plain = PullRequestFacts(
        repository=repository,
        number=1,
        open=True,
        head_ref="feature",
        head_commit=commit(head),
        head_repository=repository.id,
        base_ref="main",
        updated_at=OPENED + timedelta(seconds=after),
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # each test names fields of its own


def decide(one: PullRequestFacts, trust: Trust | None = None) -> Desire:
    return desire(one, AdmissionPolicy(), trust)


def record(database: Database, one: PullRequestFacts, *, now: float = NOW, settled: bool = False) -> int:
    """Writes down what a delivery or a listing says; gives the environment's id."""
    return database.run_here(lambda session: wishes.record_facts(session, one, decide, now=now, settled=settled).id)


def many(database: Database, count: int, *, repository: RepositoryFacts = SHOP) -> list[int]:
    """Opens that many pull requests of a repository."""

    def work(session: Session) -> list[int]:
        opened = [facts(repository=repository, number=one + 1) for one in range(count)]
        return [wishes.record_facts(session, one, decide, now=NOW).id for one in opened]

    return database.run_here(work)


def lease(database: Database, owner: str = "us", *, now: float = NOW, until: float = NOW + 30) -> Lease:
    """Takes a lease on the one environment that is due."""
    (taken,) = database.run_here(lambda session: leases.claim(session, owner, all_free(1), now=now, until=until))
    return taken


def all_free(number: int) -> Places:
    """Gives a process so many places, none of which is taken."""
    return Places(free=number, busy={}, share=share_of(number))


def stack(version: str = "1") -> ResolvedStack:
    """A web service and a database that stays the same, ready to run."""
    services = (
        Service(name="web", image="web", command=("serve", version)),
        Service(name="db", image="postgres"),
    )
    images = {one.name: Image(id=f"sha256:{one.name}", reference=one.name, ports=(80,)) for one in services}
    return resolve(Stack(services=services, exposures=(Exposure(service="web"),)), images, ())


def manifest(version: str = "1") -> Manifest:
    """What the files of such a commit say."""
    services = (Service(name="web", image="web", command=("serve", version)), Service(name="db", image="postgres"))
    return Manifest(
        file="compose.yaml",
        stack=Stack(services=services, exposures=(Exposure(service="web"),)),
        hostnames=(("web", "shop-pr-1"),),
    )


_WAY = (Phase.FETCHING, Phase.BUILDING, Phase.REPLACING, Phase.PREPARING, Phase.STARTING)


def go_live(session: Session, held: Lease, *, version: str = "1", slot: int | None = None, now: float = NOW) -> int:
    """Takes a new release all the way; gives its id."""
    id_ = releases.begin(session, held, slot=slot, now=now)
    releases.keep_manifest(session, held, id_, manifest(version))
    releases.keep_stack(session, held, id_, stack(version))
    releases.keep_endpoints(session, held, id_, (("web", Endpoint("10.208.0.66", 80)),))
    for _ in _WAY:
        releases.move(session, held, id_, Outcome.DONE, now=now)
    releases.go_live(session, held, id_, now=now)
    return id_
