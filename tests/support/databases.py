"""Real database servers for tests, reached over unix sockets in a temporary folder."""

import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
import pymysql

from support.processes import as_user, owned_folder, program, running


@dataclass
class MariaDB:
    """A running MariaDB server."""

    socket: Path
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def fresh(self) -> str:
        """Makes an empty database, with the server's own defaults, and gives its SQLAlchemy URL."""
        name = f"test_{next(self._names)}"
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={quote(str(self.socket))}"

    def answers(self) -> bool:
        ping = [program("mariadb-admin"), "--no-defaults", f"--socket={self.socket}", "--user=root", "ping"]
        return subprocess.run(ping, capture_output=True, check=False).returncode == 0

    def _connect(self) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
        return pymysql.connect(unix_socket=str(self.socket), user="root")


@dataclass
class PostgreSQL:
    """A running PostgreSQL server."""

    folder: Path
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def fresh(self) -> str:
        """Makes an empty database and gives its SQLAlchemy URL."""
        name = f"test_{next(self._names)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={quote(str(self.folder))}"

    def answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _address(self, name: str) -> str:
        return f"host={self.folder} user=postgres dbname={name}"


@contextmanager
def mariadb() -> Iterator[MariaDB]:
    """Runs a MariaDB server of its own."""
    with tempfile.TemporaryDirectory(prefix="revieee-mariadb-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = owned_folder(folder / "data", "mysql")
        subprocess.run(
            [
                *as_user("mysql"),
                program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
        )
        server = MariaDB(data / "s")
        command = [
            *as_user("mysql"),
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={server.socket}",
            f"--pid-file={data / 'pid'}",
            "--skip-networking",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",  # only a power cut loses anything, and that is not wanted afterwards
        ]
        with running(command, ready=server.answers, log=folder / "log"):
            yield server


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Runs a PostgreSQL server of its own."""
    with tempfile.TemporaryDirectory(prefix="revieee-postgresql-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        data = owned_folder(folder / "data", "postgres")
        subprocess.run(
            [
                *as_user("postgres"),
                str(programs / "initdb"),
                f"--pgdata={data}",
                "--username=postgres",
                "--auth=trust",
                "--no-sync",
                "--locale=C.UTF-8",
            ],
            check=True,
            capture_output=True,
        )
        server = PostgreSQL(data)
        command = [
            *as_user("postgres"),
            str(programs / "postgres"),
            "-D",
            str(data),
            "-k",
            str(data),
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",  # as above
        ]
        with running(command, ready=server.answers, log=folder / "log"):
            yield server
