"""The real parts that tests rely on do start, answer and end."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

from support.databases import MariaDB, PostgreSQL


@pytest.fixture
def red_page() -> Iterator[str]:
    """The address of a page that is red all over."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<body style='background: red'>")

        def log_message(self, *_: object) -> None:
            """Writes nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def count_tables(url: str) -> int:
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE once (id INTEGER PRIMARY KEY)"))
        return len(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_each_fresh_mariadb_database_is_empty(mariadb_server: MariaDB) -> None:
    assert [count_tables(mariadb_server.fresh()) for _ in range(2)] == [1, 1]


def test_each_fresh_postgresql_database_is_empty(postgresql_server: PostgreSQL) -> None:
    assert [count_tables(postgresql_server.fresh()) for _ in range(2)] == [1, 1]


def test_a_picture_has_the_size_that_was_asked_for(red_page: str, screenshot: Callable[..., Path]) -> None:
    picture = screenshot(red_page, width=390, height=640).read_bytes()
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (390, 640)  # PNG, 11.2.2: IHDR


@pytest.mark.slow
def test_tests_of_one_group_run_in_one_process(tmp_path: Path) -> None:
    """Slow tests share the machine's engine, its ports and addresses; `bin/test` relies on this."""
    tests = tmp_path / "test_where.py"
    tests.write_text("""
import os, pathlib, pytest
@pytest.mark.parametrize("number", range(8))
def test_it(number):
    pathlib.Path(os.environ["PYTEST_XDIST_WORKER"]).touch()
""")
    (tmp_path / "conftest.py").write_text("""
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group("slow"))
""")
    command = [sys.executable, "-m", "pytest", "-qq", "--numprocesses=2", "--dist=loadgroup", str(tests)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(command, cwd=tmp_path, env=plain, check=True, capture_output=True)
    assert len(list(tmp_path.glob("gw*"))) == 1
