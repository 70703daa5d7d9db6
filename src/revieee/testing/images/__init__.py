"""Base images made on this machine, for tests and the demo where no image registry is at hand.

Each recipe stands in for an official image of the same name: the same programs, entrypoint, variables and volumes, in
the version that this machine's distribution has. A small one is made of this machine's busybox; larger ones are made of
the distribution's packages (``mmdebstrap``, as root) once and kept as archives in the user's cache folder.

    tag = ensure(BUSYBOX)

An image that is already on the engine under that name and was not made here is taken as it is, never replaced.
"""

from revieee.testing.images.make import LABEL, ImageError, docker_client, ensure
from revieee.testing.images.recipe import BUSYBOX, MARIADB, POSTGRESQL, PYTHON, Recipe

__all__ = [
    "BUSYBOX",
    "LABEL",
    "MARIADB",
    "POSTGRESQL",
    "PYTHON",
    "ImageError",
    "Recipe",
    "docker_client",
    "ensure",
]
