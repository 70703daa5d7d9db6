"""A real nginx of ours, in a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from revieee.routers.nginx import RouterOptions
from revieee.web import static_pages
from support.routing import Place, running


@pytest.fixture
def options(nginx: str, tmp_path: Path, free_port: int) -> RouterOptions:
    """Options of a router that does not run yet."""
    return RouterOptions(
        data=tmp_path, listen=("127.0.0.1", free_port), program=nginx, pages=static_pages("localhost"), hold_seconds=10
    )


@pytest.fixture
async def place(options: RouterOptions) -> AsyncIterator[Place]:
    """A router that runs, with its control plane."""
    async with running(options) as place:
        await place.start_control()
        yield place
