"""The same tests on each database: SQLite always, MariaDB and PostgreSQL as real servers."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy.orm import Session

from revieee.store.database import Database
from revieee.store.schema import Base

_SERVERS = {"mariadb": "mariadb_server", "postgresql": "postgresql_server"}


@pytest.fixture(scope="session", params=["sqlite", *(pytest.param(name, marks=pytest.mark.slow) for name in _SERVERS)])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of the database the test runs on."""
    return str(request.param)


@pytest.fixture(scope="session")
def fresh_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Makes an empty database and gives its URL."""
    if backend in _SERVERS:
        make: Callable[[], str] = request.getfixturevalue(_SERVERS[backend]).fresh
        return make
    folder, names = tmp_path_factory.mktemp("sqlite"), itertools.count()
    return lambda: f"sqlite:///{folder}/{next(names)}.db"


@pytest.fixture(scope="session")
def _opened(fresh_url: Callable[[], str]) -> Iterator[Database]:
    made = Database(fresh_url())
    made.open()
    yield made
    made.close()


@pytest.fixture
def database(_opened: Database) -> Iterator[Database]:
    """An open database with nothing in it."""
    yield _opened
    for table in reversed(Base.metadata.sorted_tables):
        _opened.run_here(partial(Session.execute, statement=table.delete()))
