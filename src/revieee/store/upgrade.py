"""Upgrade: a database is brought up to this code's version, by one process at a time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from revieee.ports import Fault
from revieee.store.connecting import READING, shown

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_238_433
"""Any number, the same in all processes."""
_PATIENCE = 20
"""Seconds that a process waits for another one's upgrade."""


def upgrade(engine: Engine) -> None:
    """Bring the tables up to this code's version; several processes take turns.

    Raises:
        Fault: the database is newer than this code.
        DBAPIError: it cannot be reached or used.
    """
    with engine.connect() as connection, _alone(connection):
        if not _is_current(connection):
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        connection.commit()  # before anybody else has their turn


def is_current(engine: Engine) -> bool:
    """Tell whether the tables are those of this code's version; changes nothing.

    Raises:
        Fault: the database is newer than this code.
        DBAPIError: it cannot be reached or used.
    """
    with engine.execution_options(**{READING: True}).connect() as connection:
        return _is_current(connection)


def _is_current(connection: Connection) -> bool:
    scripts = ScriptDirectory(str(_MIGRATIONS))
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise Fault(
            f"The database {shown(connection.engine.url)} is newer than this Revieee (it is at {current}). "
            "Install the version that wrote it, or restore a backup made before the upgrade."
        )
    return current == scripts.get_current_head()


@contextlib.contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other processes' upgrades out. On SQLite the transaction itself does."""
    backend = connection.dialect.name
    if backend == "postgresql":  # until the transaction ends
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if backend not in {"mysql", "mariadb"}:
        yield
        return
    # Of the connection, since each statement that makes a table ends its transaction there.
    name = {"lock": f"revieee {connection.engine.url.database}"[:64]}  # MySQL's locks are the whole server's
    if not connection.scalar(text(f"SELECT GET_LOCK(:lock, {_PATIENCE})"), name):
        raise Fault(f"Another process has been upgrading {shown(connection.engine.url)} for {_PATIENCE} s.")
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:lock)"), name)
