from collections.abc import AsyncIterator

import pytest

from support.docker import BaseImages
from support.docker_lab import DockerLab


@pytest.fixture
async def docker_lab(base_images: BaseImages) -> AsyncIterator[DockerLab]:
    """A Docker engine for one test; what the test makes through it is removed."""
    lab = DockerLab(base_images.busybox)
    yield lab
    await lab.close()
