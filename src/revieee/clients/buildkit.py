"""BuildKit through the docker command line: which client can, and what to tell it.

Everything here renders commands as values; :mod:`revieee.clients.process` runs them. Of several docker clients on a
machine not each can build: those of version 20.10 have BuildKit in them, later ones need the buildx plugin. The plugin
is started directly where there is one, because it would outlive a killed ``docker`` in front of it.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from revieee.clients.process import Command, run

_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where docker looks for plugins, beside ``$HOME/.docker`` (docker's ``cli-plugins/manager``)."""
_VERSION = re.compile(r"version (\d+)\.(\d+)")
_FIRST_WITHOUT = 23
"""The first version of docker whose client has no BuildKit of its own."""
_HOMES = ("HOME", "DOCKER_CONFIG")
"""Where clients look for registry logins: version 20.10 reads ``$HOME/.dockercfg`` whatever ``DOCKER_CONFIG`` says, and
without ``HOME`` they take the home that passwd(5) names."""
_PASSED_ON = (
    "PATH",
    *_HOMES,
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


@dataclass(frozen=True, slots=True)
class Client:
    """A docker command line that can build with BuildKit."""

    docker: str
    """The path of ``docker``."""
    build: tuple[str, ...]
    """What ``build`` is a command of: ``docker`` itself, or the buildx plugin."""
    words: str
    """What it says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One build, as BuildKit is told."""

    context: Path
    dockerfile: Path
    image_id_file: Path
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    args: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    cgroup_parent: str | None = None
    network: str | None = None
    """What steps have; None is the engine's own bridge."""
    scope: str = ""
    """Steps are cached by this, too: a hostname that leads nowhere, since what a step's /etc/hosts has is part of its
    cache's key, and nothing else that a client can say is (BuildKit, ``ExecOp.CacheMap``)."""
    secrets: tuple[tuple[str, int], ...] = ()
    """(id, descriptor of an open file with the value): passed on to the client, and to nobody else."""
    home: Path | None = None
    """An empty folder in place of our own home, so that the client has no registry login; None is ours."""


async def find(candidates: Sequence[str] = ()) -> Client | None:
    """Find a client that can build with BuildKit, or None.

    Args:
        candidates: programs to try, in this order; empty is every ``docker`` on PATH and the usual places.
    """
    for docker in candidates or _everywhere():
        path = shutil.which(docker)
        if path is None:
            continue
        said = (
            await run(Command(arguments=(path, "--version"), environment=environment(), timeout=20))
        ).output.decode()
        version = _VERSION.search(said)
        if version is None:
            continue
        if int(version[1]) < _FIRST_WITHOUT:
            return Client(path, (path,), said.strip())
        plugin = _plugin()
        if plugin is not None:
            return Client(path, (plugin,), f"{said.strip()}, with {plugin}")
    return None


def environment(host: str = "", home: Path | None = None) -> dict[str, str]:
    """Give what a docker client sees of our environment.

    Args:
        host: where the engine listens; empty is docker's default.
        home: as in :class:`Order`.
    """
    ours = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    fixed = {
        "DOCKER_BUILDKIT": "1",
        "BUILDX_BUILDER": "default",  # the engine's own BuildKit, whatever builder the operator works with
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # they would make every image id a new one
        "BUILDX_GIT_INFO": "0",
    }
    homes = {} if home is None else dict.fromkeys(_HOMES, str(home))
    return ours | fixed | homes | ({"DOCKER_HOST": host} if host else {})


def build_command(client: Client, order: Order, *, host: str = "", timeout: float | None = None) -> Command:
    """Render a build.

    Secrets are files without a name, inherited by the client: build arguments stay in the image's history, values in
    arguments or variables are seen by others on the machine, files with a name stay after a crash.
    """
    options = ["--progress=plain", f"--file={order.dockerfile}", f"--iidfile={order.image_id_file}"]
    options += [f"--tag={tag}" for tag in order.tags]
    options += [f"--label={name}={value}" for name, value in order.labels]
    options += [f"--build-arg={name}={value}" for name, value in order.args]
    if order.scope:
        options.append(f"--add-host={order.scope}:127.0.0.1")
    options += [f"--secret=id={name},src=/proc/self/fd/{number}" for name, number in order.secrets]
    if order.target:
        options.append(f"--target={order.target}")
    if order.cgroup_parent:
        options.append(f"--cgroup-parent={order.cgroup_parent}")
    if order.network:
        options.append(f"--network={order.network}")
    return Command(
        arguments=(*client.build, "build", *options, "--", str(order.context)),
        environment=environment(host, order.home),
        timeout=timeout,
        descriptors=tuple(number for _, number in order.secrets),
        grace=0,  # BuildKit ends the steps when the connection breaks; a client that is asked politely may linger
    )


def pull_command(
    client: Client, image: str, *, host: str = "", timeout: float | None = None, home: Path | None = None
) -> Command:
    """Render a pull of one image; ``home`` as in :class:`Order`."""
    arguments = (client.docker, "pull", "--quiet", "--", image)
    return Command(arguments=arguments, environment=environment(host, home), timeout=timeout)


def image_labels(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Give labels in one order, so that the same build has the same command."""
    return tuple(sorted(labels.items()))


def _everywhere() -> list[str]:
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/local/bin", "/usr/bin"]
    return list(dict.fromkeys(os.path.join(folder, "docker") for folder in folders if folder))  # noqa: PTH118  # text


def _plugin() -> str | None:
    configured = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111  # text
    for folder in (f"{configured}/cli-plugins", *_PLUGIN_FOLDERS):
        path = f"{folder}/docker-buildx"
        if os.access(path, os.X_OK):
            return path
    return None
