"""A database server that goes away in the middle, and comes back."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from revieee.ports import Fault, RetryLater
from revieee.store.database import Database
from revieee.store.schema import SubnetRow
from support import databases
from support.processes import as_user, running
from support.storing import facts, record
from support.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    # PyMySQL leaves the socket of a lost connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@dataclass
class Server:
    """A server of its own, which can be killed and started again on the same data."""

    url: str
    user: str
    folder: Path
    pid: Callable[[], int]
    answers: Callable[[], bool]
    life: ExitStack

    def kill(self) -> list[str]:
        """Ends it without a good-bye; gives the command that starts it again."""
        pid = self.pid()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
        os.kill(pid, signal.SIGKILL if self.user == "mysql" else signal.SIGQUIT)
        assert eventually(lambda: ended(pid))
        return command

    def start(self, command: list[str]) -> None:
        log = self.folder / "again.log"
        self.life.enter_context(running([*as_user(self.user), *command], ready=self.answers, log=log))


def _first_number(file: Path) -> int:
    return int(file.read_text().split()[0])


def ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A running server."""
    with ExitStack() as life:
        life.callback(gc.collect)  # what was lost is collected in here, not in the next test
        if request.param == "mariadb":
            maria = life.enter_context(databases.mariadb())
            pid = partial(_first_number, maria.socket.parent / "pid")
            yield Server(maria.fresh(), "mysql", tmp_path, pid, maria.answers, life)
        else:
            postgres = life.enter_context(databases.postgresql())
            pid = partial(_first_number, postgres.folder / "postmaster.pid")
            yield Server(postgres.fresh(), "postgres", tmp_path, pid, postgres.answers, life)


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
