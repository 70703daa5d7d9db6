from collections.abc import Iterator
from pathlib import Path

import pytest

from support.reconciling import Plane, plane


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Plane]:
    """A control plane on stand-ins."""
    made = plane(tmp_path)
    yield made
    made.database.close()
