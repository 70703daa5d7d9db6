"""A process that is stopped in the middle of a transaction keeps nobody from the database for long."""

from collections.abc import Callable
from threading import Event, Thread

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from revieee.ports import RetryLater
from revieee.store.database import Database
from revieee.store.schema import MetaRow

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("server", ["mariadb_server", "postgresql_server"])
def test_the_server_ends_its_transaction(server: str, request: pytest.FixtureRequest) -> None:
    fresh: Callable[[], str] = request.getfixturevalue(server).fresh
    url = fresh()
    hung, other = Database(url), Database(url)
    hung.open()
    other.open()
    other.instance()
    held, go = Event(), Event()

    def write(session: Session) -> None:
        session.execute(update(MetaRow).values(value="written late"))
        if not held.is_set():  # the first try: the process is stopped here
            held.set()
            go.wait(40)

    def late() -> None:
        with pytest.raises(RetryLater):
            hung.run_here(write)

    thread = Thread(target=late)
    thread.start()
    assert held.wait(10)
    other.run_here(lambda session: session.execute(update(MetaRow).values(value="written")).close())
    go.set()
    thread.join()
    assert other.instance() == "written"
    hung.close()
    other.close()
