"""Connecting: addresses of databases, and engines that hold to each database's ways."""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from revieee.ports import Fault

READING = "revieee_reading"
"""The execution option of transactions that write nothing."""

_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
_BACKENDS = {"sqlite", "mysql", "mariadb", "postgresql"}
_CONNECT_TIMEOUT = 5
_ANSWER_TIMEOUT = 30
_BUSY_TIMEOUT = 10_000
"""Milliseconds that one process waits for another's write on SQLite."""
_HUNG = 10
"""Seconds after which the server ends a transaction of a process that was stopped or hangs in the middle of it, and
for which others wait for its locks."""
_SESSION = (
    f"SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), innodb_lock_wait_timeout = {_HUNG}"
    f"/*M!100300 , idle_transaction_timeout = {_HUNG} */"
)
"""MySQL: a value that does not fit is an error, never cut in silence, however the server is set. Only MariaDB ends idle
transactions (https://mariadb.com/kb/en/transaction-timeouts/) and reads such a comment."""


def database_url(text: str) -> URL:
    """Read ``REVIEEE_DATABASE_URL``: ``sqlite:///…``, ``mysql://…`` or ``postgresql://…``, with our drivers put in.

    Raises:
        Fault: it is none of these.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Fault(
            "REVIEEE_DATABASE_URL is no database address. Write sqlite:///path, mysql://user:password@host/name or "
            "postgresql://user:password@host/name, with %40 for @, %3A for : and %2F for / in the password."
        ) from None
    if url.drivername in _DRIVERS:
        url = url.set(drivername=_DRIVERS[url.drivername])
    if url.get_backend_name() not in _BACKENDS:
        raise Fault(f"REVIEEE_DATABASE_URL names {url.drivername!r}. Revieee works on sqlite, mysql and postgresql.")
    return url


def shown(url: URL) -> str:
    """Write an address for people: without its password, also where that is in the query."""
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string()


def plain(error: Exception, url: URL) -> str:
    """Give the driver's own words on one line, without the statement, its values and the password."""
    words = " ".join(str(getattr(error, "orig", None) or error).split()).rstrip(".")
    secrets = [url.password, *(value for key, value in url.query.items() if "pass" in key and isinstance(value, str))]
    for secret in secrets:
        words = words.replace(secret, "***") if secret else words
    return words


def create(url: URL) -> Engine:
    """Make the engine; nothing is connected yet.

    Raises:
        Fault: the folder for the SQLite file cannot be made, or the driver is missing.
    """
    backend = url.get_backend_name()
    try:
        if backend == "sqlite":
            return _sqlite(url)
        if backend == "postgresql":
            return create_engine(url, connect_args=_postgresql_arguments(), pool_pre_ping=True)
        # Locks as on PostgreSQL: what is read under a lock is what is there, and gaps are not locked.
        return create_engine(url, connect_args=_mysql_arguments(), pool_pre_ping=True, isolation_level="READ COMMITTED")
    except OSError as error:
        raise Fault(f"The folder of the database {shown(url)} cannot be made: {error.strerror}.") from None
    except (ArgumentError, ImportError) as error:
        raise Fault(f"The database {shown(url)} cannot be used: {plain(error, url)}.") from None


def _sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


_SWITCHES, _SWITCH_PAUSE = 100, 0.05
"""How often the journal's switch is tried, and the seconds between."""


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    _close_a_new_file(connection)
    # The busy timeout first: switching to the write-ahead log needs the lock that another process may have.
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT}")
    _use_write_ahead_log(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _close_a_new_file(connection: sqlite3.Connection) -> None:
    """Let nobody else read a database that is empty yet, in whatever folder it is; its journals get the same rights."""
    file = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    with contextlib.suppress(OSError):  # gone, or somebody else's: what comes next says what is wrong
        if file.is_file() and not file.stat().st_size:
            file.chmod(0o600)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the journal; several that open a new database at once meet a lock that no busy timeout waits for."""
    for left in reversed(range(_SWITCHES)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(_SWITCH_PAUSE)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads and then writes would fail at once instead of waiting (traps.md, Store).
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _mysql_arguments() -> dict[str, Any]:
    return {
        "charset": "utf8mb4",
        "connect_timeout": _CONNECT_TIMEOUT,
        "read_timeout": _ANSWER_TIMEOUT,
        "write_timeout": _ANSWER_TIMEOUT,
        "init_command": _SESSION,
    }


def _postgresql_arguments() -> dict[str, Any]:
    """A server that went away without a word is noticed by keepalives (libpq, section "Parameter Key Words")."""
    return {
        "connect_timeout": _CONNECT_TIMEOUT,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": _ANSWER_TIMEOUT * 1000,
        "options": f"-c idle_in_transaction_session_timeout={_HUNG}s -c lock_timeout={_HUNG}s",
    }
