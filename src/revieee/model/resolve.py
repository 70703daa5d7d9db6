"""From a stack and its images to services that an engine can run, each under a content-addressed key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from revieee.model.image import Image
from revieee.model.names import label
from revieee.model.stack import Dependency, Hook, Service, Stack

DEFAULT_PORT = 8080
"""Where an exposed service listens when nobody says (``$PORT``)."""

_KEY_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One service of a release, ready to run: what an engine's ``apply`` takes."""

    key: str
    """``<service>-<hash>``: the same for the same content, so an unchanged service is kept."""
    service: Service
    image: Image
    port: int | None = None
    """The port that is probed and routed; None for a service without a URL."""
    injected: tuple[tuple[str, str], ...] = ()
    """Environment variables of Revieee's own; the author's win, and they are no part of the key."""
    requires: tuple[Dependency, ...] = ()
    """``depends_on``, with the keys of this release's services in place of their names."""
    peers: tuple[tuple[str, str], ...] = ()
    """(name, key) of the services it depends on, directly or not: its host entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedHook:
    """A hook, ready to run: a container made like ``task``'s with another command.

    The name says which hook of which release it is, so that a second start is refused.
    """

    name: str
    task: Task
    hook: Hook


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedStack:
    """A release as an engine runs it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    tasks: tuple[Task, ...]
    volumes: tuple[str, ...] = ()
    start_timeout: float = 120.0
    addresses: tuple[tuple[str, str], ...] = ()
    """(key, address) of every task and hook: fixed, out of the environment's subnet."""
    hooks: tuple[ResolvedHook, ...] = field(default=())
    completed: tuple[str, ...] = ()
    """The keys of tasks that had done all they had to when the release went live: these are never run again."""

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all tasks."""
        return frozenset(task.key for task in self.tasks)

    def task(self, key: str) -> Task:
        """Give the task of that key.

        Raises:
            KeyError: there is none.
        """
        for task in self.tasks:
            if task.key == key:
                return task
        raise KeyError(key)

    def task_of(self, service: str) -> Task:
        """Give the task of that service.

        Raises:
            KeyError: there is none.
        """
        for task in self.tasks:
            if task.service.name == service:
                return task
        raise KeyError(service)

    def address(self, key: str) -> str | None:
        """Give the fixed address of a task or hook, or None where the engine assigns it."""
        return dict(self.addresses).get(key)


RESOLVED: TypeAdapter[ResolvedStack] = TypeAdapter(ResolvedStack)
"""Reads and writes a resolved stack as JSON, for the store."""


def resolve(
    stack: Stack, images: Mapping[str, Image], injected: tuple[tuple[str, str], ...], *, salt: str = ""
) -> ResolvedStack:
    """Give every service its image, port, key and peers.

    Args:
        stack: as the manifest gave it; its dependencies form no circle.
        images: the image of each service, by service name.
        injected: environment variables that Revieee adds to every service (``PORT`` is added per service).
        salt: part of every key: the commit for a 2017-style stack, else empty.
    """
    ports = {exposure.service: _port(exposure.port, images[exposure.service]) for exposure in stack.exposures}
    tasks: dict[str, Task] = {}
    for service in in_dependency_order(stack.services):
        image = images[service.name]
        needs = {dependency.service: tasks[dependency.service] for dependency in service.depends_on}
        peers = {name: key for task in needs.values() for name, key in task.peers}
        for task in needs.values():
            peers |= dict.fromkeys((task.service.name, *task.service.aliases), task.key)
        port = ports.get(service.name)
        tasks[service.name] = Task(
            key=_key(service, image, port, tuple(sorted(task.key for task in needs.values())), salt),
            service=service,
            image=image,
            port=port,
            injected=(*injected, ("PORT", str(port or DEFAULT_PORT))),
            requires=tuple(
                Dependency(service=needs[one.service].key, condition=one.condition, required=one.required)
                for one in service.depends_on
            ),
            peers=tuple(sorted(peers.items())),
        )
    ordered = tuple(tasks[service.name] for service in stack.services)
    return ResolvedStack(tasks=ordered, volumes=stack.volumes, start_timeout=stack.start_timeout)


def in_dependency_order(services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Sort services so that each comes after those it depends on, else in the author's order.

    Raises:
        ValueError: the dependencies form a circle or name a service that is not there.
    """
    by_name = {service.name: service for service in services}
    done: dict[str, Service] = {}
    for service in services:
        path = [service.name]  # not a recursion: a chain may be longer than Python's stack
        while path:
            name = path[-1]
            ahead = next((one.service for one in by_name[name].depends_on if one.service not in done), None)
            if ahead is None:
                done[name] = by_name[path.pop()]
            elif ahead not in by_name:
                raise ValueError(f"service {name!r} depends on {ahead!r}, which is not there")
            elif ahead in path:
                circle = " → ".join([*path[path.index(ahead) :], ahead])
                raise ValueError(f"services depend on each other in a circle: {circle}")
            else:
                path.append(ahead)
    return tuple(done.values())


def _port(declared: int | None, image: Image) -> int:
    if declared is not None:
        return declared
    return image.ports[0] if image.ports else DEFAULT_PORT


def _key(service: Service, image: Image, port: int | None, needs: tuple[str, ...], salt: str) -> str:
    """Hash what the author wrote, the image, and the keys of what it depends on."""
    written = asdict(service)
    for name in ("build", "image"):
        written.pop(name)
    for file in written["files"]:
        file["content"] = hashlib.sha256(file["content"]).hexdigest()
    content = json.dumps([written, image.id, port, needs, salt], sort_keys=True)
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{label(service.name, length=_KEY_LENGTH)}-{digest}"
