"""Opening a database: brought up to date by one process at a time, or refused with words that help."""

import contextlib
import logging
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from pathlib import Path
from urllib.parse import quote

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Double, create_engine, event, insert, inspect, text

from revieee.ports import Fault, Severity
from revieee.store import upgrade
from revieee.store.connecting import create, database_url
from revieee.store.database import Database
from revieee.store.schema import Base, MetaRow

PASSWORD = "hunter2@/:"


def opened(url: str) -> Database:
    database = Database(url)
    database.open()
    return database


def at_version(url: str, revision: str) -> None:
    """Make the tables as an older version did."""
    engine = create(database_url(url))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(upgrade.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture
def url(fresh_url: Callable[[], str]) -> str:
    """The address of an empty database."""
    return fresh_url()


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, Base.metadata))


def test_the_migrations_make_the_tables_of_the_code(url: str) -> None:
    opened(url).close()
    engine = create(database_url(url))
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_a_difference_would_be_seen(url: str) -> None:
    opened(url).close()
    engine = create(database_url(url))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE report"))
        connection.execute(text("ALTER TABLE meta ADD COLUMN other INTEGER"))
    with engine.connect() as connection:
        assert len(differences(connection)) == 2
    engine.dispose()


def test_opening_again_changes_nothing(url: str) -> None:
    first = opened(url)
    id_ = first.instance()
    first.close()
    second = opened(url)
    assert second.instance() == id_
    second.close()


def test_several_that_open_it_at_once_find_it_ready(url: str) -> None:
    start = threading.Barrier(4)

    def work(_: int) -> str:
        start.wait()
        database = opened(url)
        try:
            return database.instance()
        finally:
            database.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(work, range(4)))) == 1


def test_who_waits_for_an_upgrade_finds_it_written(url: str) -> None:
    engine, waiting = create(database_url(url)), list[Future[Database]]()
    with ThreadPoolExecutor(1) as threads:

        def stop(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "INTO alembic_version" in statement:
                waiting.append(threads.submit(opened, url))
            elif "RELEASE_LOCK" in statement:  # elsewhere what is locked is free once it is written
                with contextlib.suppress(StillWaiting):
                    waiting[0].result(0.5)

        event.listen(engine, "after_cursor_execute", stop)
        upgrade.upgrade(engine)
        engine.dispose()
        waiting[0].result().close()


@pytest.mark.slow
def test_processes_that_open_it_at_once_find_it_ready(url: str) -> None:
    program = "import sys; from revieee.store.database import Database as D; d = D(sys.argv[1]); d.open(); d.close()"
    several = [subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE) for _ in range(3)]
    for one in several:
        _, words = one.communicate(timeout=60)
        assert (one.returncode, words) == (0, b"")


def test_an_upgrade_that_was_interrupted_goes_on(url: str, backend: str) -> None:
    engine = create(database_url(url))
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    with engine.begin() as connection:
        # As MySQL is left, where each table is there for good as soon as it is made.
        connection.execute(text("DROP TABLE report"))
        connection.execute(text("DROP INDEX ix_log_at" + (" ON log" if backend == "mariadb" else "")))
    opened(url).close()
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_a_database_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_holds(url: str) -> None:
    at_version(url, "0001")
    engine = create(database_url(url))
    with engine.begin() as connection:
        connection.execute(insert(MetaRow).values(key="instance", value="a1b2"))
    database = opened(url)
    assert database.instance() == "a1b2"
    database.close()
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_a_column_that_an_interrupted_upgrade_added_is_kept(url: str) -> None:
    at_version(url, "0001")
    engine = create(database_url(url))
    with engine.begin() as connection:
        double = Double().compile(engine.dialect)
        connection.execute(text(f"ALTER TABLE environment ADD COLUMN visited_at {double}"))
    opened(url).close()
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_a_database_that_is_newer_than_the_code_is_refused(url: str) -> None:
    opened(url).close()
    engine = create(database_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database = Database(url)
    with pytest.raises(Fault, match=r"newer than this Revieee \(it is at 9999\).*Install the version"):
        database.open()
    found = database.check()
    assert found.severity is Severity.BAD
    assert "9999" in found.words
    database.close()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


def test_a_check_changes_nothing(url: str) -> None:
    database = Database(url)
    found = database.check()
    assert found.severity is Severity.GOOD
    assert "next start" in found.words
    engine = create(database_url(url))
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    database.open()
    assert "up to date" in database.check().words
    database.close()


def test_opening_leaves_logging_alone(url: str) -> None:
    mine = logging.getLogger("revieee.some.room")
    root = logging.getLogger()
    before = (list(root.handlers), root.level, mine.disabled, mine.level, mine.propagate)
    opened(url).close()
    assert (list(root.handlers), root.level, mine.disabled, mine.level, mine.propagate) == before


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mysql://revieee:{}@127.0.0.1:1/revieee", "cannot be reached or used"),
        ("postgresql://revieee:{}@127.0.0.1:1/revieee", "cannot be reached or used"),
        ("postgresql://127.0.0.1:1/revieee?user=revieee&password={}", "cannot be reached or used"),
        ("mysql://127.0.0.1:1/revieee?password={}", "cannot be reached or used"),
        ("oracle://revieee:{}@127.0.0.1/revieee", "works on sqlite, mysql and postgresql"),
        ("mysql://revieee:{}@127.0.0.1:port/revieee", "no database address"),
        ("{}", "no database address"),
        ("", "no database address"),
    ],
)
def test_an_address_that_leads_nowhere_is_named_without_its_password(address: str, words: str) -> None:
    for password in (quote(PASSWORD, safe=""), "plain-hunter2"):
        with pytest.raises(Fault, match=words) as caught:
            opened(address.format(password))
        told = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!s}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        assert "hunter2" not in told
        assert "REVIEEE_DATABASE_URL" in told


@pytest.mark.parametrize("address", ["mysql://u:hunter2@127.0.0.1:1/x", "postgresql://u:hunter2@127.0.0.1:1/x"])
def test_a_check_of_what_does_not_answer_says_how_to_mend_it(address: str) -> None:
    database = Database(address)
    found = database.check()
    database.close()
    assert found.severity is Severity.BAD
    assert "127.0.0.1:1" in found.words
    assert "REVIEEE_DATABASE_URL" in found.mend
    assert "hunter2" not in found.words + found.mend


def test_a_wrong_password_is_told_without_it(fresh_url: Callable[[], str], backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has no passwords")
    address = database_url(fresh_url()).set(username="nobody", password="hunter2")
    with pytest.raises(Fault) as caught:
        opened(address.render_as_string(hide_password=False))
    assert "hunter2" not in str(caught.value)
    assert "nobody" in str(caught.value)


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "r.db").write_bytes(b"something else\n" * 1000)
    with pytest.raises(Fault, match="file is not a database"):
        opened(f"sqlite:///{tmp_path}/r.db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Fault, match=r"folder of the database .* cannot be made"):
        opened(f"sqlite:///{tmp_path}/file/r.db")


def test_a_new_file_in_an_open_folder_is_closed_to_others_and_so_are_its_journals(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    database = opened(f"sqlite:///{tmp_path}/r.db")
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {
        "r.db": 0o600,
        "r.db-wal": 0o600,
        "r.db-shm": 0o600,
    }
    database.close()


def test_folders_with_strange_names_hold_a_database(tmp_path: Path) -> None:
    folder = tmp_path / "100% of it's é"
    opened(f"sqlite:///{folder}/r.db").close()
    assert (folder / "r.db").exists()


def test_mariadb_tables_tell_every_name_apart_and_hold_every_character(url: str, backend: str) -> None:
    if backend != "mariadb":
        pytest.skip("of MariaDB")
    opened(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT table_name, engine, table_collation FROM information_schema.tables"
                " WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'"
            )
        ).all()
    engine.dispose()
    assert {(one[1], one[2]) for one in found} == {("InnoDB", "utf8mb4_bin")}
    assert {one[0] for one in found} == set(Base.metadata.tables)
