"""A database server that goes away in the middle, and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from revieee.ports import Fault, RetryLater
from revieee.store.database import Database
from revieee.store.schema import SubnetRow
from support.mortal_server import Server, mortal_server
from support.storing import facts, record

pytestmark = [
    pytest.mark.slow,
    # PyMySQL leaves the socket of a lost connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A running server."""
    with mortal_server(request.param, tmp_path) as server:
        yield server


def test_work_goes_on_when_the_database_is_back(server: Server) -> None:
    database = Database(server.url)
    database.open()
    id_ = record(database, facts())

    command = server.kill()
    with pytest.raises(RetryLater, match="The database did not answer"):
        record(database, facts(2, after=9))
    late = Database(server.url)
    with pytest.raises(Fault, match="cannot be reached"):
        late.open()
    late.close()

    server.start(command)
    assert record(database, facts(3, after=18)) == id_
    database.close()


def test_a_transaction_that_the_database_dropped_is_run_again_as_a_whole(server: Server) -> None:
    database = Database(server.url)
    database.open()
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        session.add(SubnetRow(slot=len(tries), freed_at=0))
        session.flush()
        if len(tries) == 1:
            server.start(server.kill())
        session.add(SubnetRow(slot=10, freed_at=0))

    database.run_here(work)
    assert database.run_here(lambda session: set(session.scalars(select(SubnetRow.slot)))) == {2, 10}
    database.close()
