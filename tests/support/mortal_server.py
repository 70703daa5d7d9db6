"""A database server that a test may kill, and start again on the same data."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support import databases
from support.processes import as_user, running
from support.waiting import eventually


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


@contextmanager
def mortal_server(kind: str, folder: Path) -> Iterator[Server]:
    """Run a server (`mariadb`, `postgresql`), with an empty database, until the block ends."""
    with ExitStack() as life:
        life.callback(gc.collect)  # what was lost is collected in here, not in the next test
        if kind == "mariadb":
            maria = life.enter_context(databases.mariadb())
            pid = partial(_first_number, maria.socket.parent / "pid")
            yield Server(maria.fresh(), "mysql", folder, pid, maria.answers, life)
        else:
            postgres = life.enter_context(databases.postgresql())
            pid = partial(_first_number, postgres.folder / "postmaster.pid")
            yield Server(postgres.fresh(), "postgres", folder, pid, postgres.answers, life)
