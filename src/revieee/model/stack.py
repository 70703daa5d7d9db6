"""The stack: the engine-neutral description of a release.

A manifest gives a :class:`Stack` whose services name what to build or pull. When the images are there,
:func:`revieee.model.resolve.resolve` turns it into services with an image, a port and a key: the content-addressed
name that tells an unchanged service from a changed one.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter


class Condition(StrEnum):
    """What a service waits for in one it depends on (compose specification, ``depends_on``)."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Restart(StrEnum):
    """When the engine starts an ended container again. ``always`` of the author becomes ``unless-stopped``."""

    NO = "no"
    ON_FAILURE = "on-failure"
    UNLESS_STOPPED = "unless-stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How an image is built. Paths are relative to the commit's root; ``context`` ``""`` is the root."""

    context: str = ""
    dockerfile: str = "Dockerfile"
    """Relative to the commit's root."""
    inline: str | None = None
    """The Dockerfile's text, where the author wrote it into the compose file."""
    target: str | None = None
    args: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One service that must be there before another."""

    service: str
    condition: Condition = Condition.STARTED
    required: bool = True


QUICKEST_CHECK = 1.0
"""Seconds that lie between two runs of a healthcheck at least: the engine starts each itself, outside of the limit on
the container's CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """A command in the container that tells whether it is healthy. Times in seconds."""

    test: tuple[str, ...]
    """``("NONE",)``, ``("CMD", …)`` or ``("CMD-SHELL", "…")``; empty keeps the image's own with other times."""
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The HTTP request that tells whether an exposed service without a healthcheck is healthy."""

    path: str = "/"
    timeout: float = 5.0
    """Seconds that one request may take."""


MOST_MOUNTS = 100
"""What an author may mount into one service, and again what its image may declare (``VOLUME``): each is a mount that
the engine and the kernel hold for the container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeMount:
    """A named volume of the environment in a container."""

    volume: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TmpfsMount:
    """A folder in memory. ``size`` in bytes."""

    target: str
    size: int | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedFile:
    """A file of the checkout that the author mounts: put into the container by archive, never by bind mount."""

    target: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """One resource limit (``setrlimit(2)``)."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """What a service may use. None: the limit of the policy. Memory and shared memory in bytes."""

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None

    def part(self, share: float) -> "ServiceLimits":
        """Give a part of each."""
        return ServiceLimits(
            memory=None if self.memory is None else max(1, int(self.memory * share)),
            cpus=None if self.cpus is None else self.cpus * share,
            pids=None if self.pids is None else max(1, int(self.pids * share)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One container of a stack, as its author wrote it.

    Exactly one of ``image`` and ``build`` is what it runs; with both, the build is tagged for nobody else.
    """

    name: str
    image: str | None = None
    build: Build | None = None
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    stop_signal: str | None = None
    stop_grace_period: float = 10.0
    """Seconds between the stop signal and the kill."""
    init: bool = False
    read_only: bool = False
    tty: bool = False
    stdin_open: bool = False
    shm_size: int | None = None
    restart: Restart = Restart.NO
    max_retries: int | None = None
    """With ``on-failure``: how often the engine tries; None is without end."""
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: Healthcheck | None = None
    probe: Probe = field(default_factory=Probe)
    volumes: tuple[VolumeMount, ...] = ()
    tmpfs: tuple[TmpfsMount, ...] = ()
    files: tuple[MountedFile, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    aliases: tuple[str, ...] = ()
    """Further names under which peers reach it (compose network aliases, ``links``)."""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    """(name, address) pairs the author adds to the hosts file."""
    platform: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A service that gets a URL. Without a port: the image's ``EXPOSE``, else ``$PORT`` (8080)."""

    service: str
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A command that runs in a container of its own, made like ``service``'s. ``timeout`` in seconds."""

    service: str
    command: tuple[str, ...]
    timeout: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """``create`` once per incarnation, ``deploy`` before the routes move, ``destroy`` at removal."""

    create: Hook | None = None
    deploy: Hook | None = None
    destroy: Hook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """All services of a release, in the author's order. The first exposure is the main service's."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    services: tuple[Service, ...]
    exposures: tuple[Exposure, ...] = ()
    volumes: tuple[str, ...] = ()
    hooks: Hooks = field(default_factory=Hooks)
    start_timeout: float = 120.0
    """Seconds until every service must be healthy."""
    commit_in_hash: bool = False
    """A 2017-style stack checks ``$BRANCH`` out itself: a new commit replaces all its services."""

    def service(self, name: str) -> Service:
        """Give the service of that name.

        Raises:
            KeyError: there is none.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)


STACK: TypeAdapter[Stack] = TypeAdapter(Stack)
"""Reads and writes a stack as JSON, for the store."""
