"""What tests ask of the Docker engine."""

import subprocess
from functools import cached_property

from revieee.testing import images


class DockerError(Exception):
    """A docker command failed; the words hold what it wrote."""


def docker(*arguments: str) -> str:
    """Runs the docker command line and gives its output, without the last line's end."""
    done = subprocess.run([images.docker_client(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"docker {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}"
        raise DockerError(message)
    return done.stdout.strip()


def everything() -> set[str]:
    """Names all containers, networks and volumes that the engine has."""
    lists = (
        ("container", "ls", "--all", "--format=container {{.Names}}"),
        ("network", "ls", "--format=network {{.Name}}"),
        ("volume", "ls", "--format=volume {{.Name}}"),
    )
    return {line for command in lists for line in docker(*command).splitlines()}


class BaseImages:
    """Names of base images; each is made on this machine when it is first asked for."""

    @cached_property
    def busybox(self) -> str:
        """2 MB: busybox, with its own web server (`httpd -f -p 8080 -h /var/www`)."""
        return images.ensure(images.BUSYBOX)

    @cached_property
    def python(self) -> str:
        """Python with pip."""
        return images.ensure(images.PYTHON)

    @cached_property
    def postgresql(self) -> str:
        """PostgreSQL, with the official image's entrypoint and variables."""
        return images.ensure(images.POSTGRESQL)

    @cached_property
    def mariadb(self) -> str:
        """MariaDB, with the official image's entrypoint and variables."""
        return images.ensure(images.MARIADB)
