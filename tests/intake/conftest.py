"""A store of its own for each test of intake."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from revieee.store.database import Database
from support.storing import opened


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A store with nothing in it, open."""
    one = opened(tmp_path, Database)
    yield one
    one.close()
