"""One control plane for each module: `plane`. What a module needs set, it says in `SETTINGS`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from support.docker import BaseImages
from support.plane import Plane, serving


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, base_images: BaseImages, nginx: str
) -> AsyncIterator[Plane]:
    assert base_images.busybox
    assert nginx
    settings: dict[str, str] = getattr(request.module, "SETTINGS", {})
    async with serving(tmp_path_factory.mktemp("plane"), **settings) as one:
        yield one


@pytest.fixture
def python_image(base_images: BaseImages) -> str:
    return base_images.python


@pytest.fixture
def postgresql_image(base_images: BaseImages) -> str:
    return base_images.postgresql
