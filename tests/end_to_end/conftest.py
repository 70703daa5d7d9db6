"""Images that the examples are built on."""

import pytest

from support.docker import BaseImages


@pytest.fixture
def python_image(base_images: BaseImages) -> str:
    return base_images.python


@pytest.fixture
def postgresql_image(base_images: BaseImages) -> str:
    return base_images.postgresql
