"""Compose files as services of a stack (compose specification; what differs is in :mod:`.table`)."""

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace

from revieee.model.reading.compose.load import Loader
from revieee.model.reading.compose.mounts import TOO_MANY
from revieee.model.reading.compose.networks import read_networks
from revieee.model.reading.compose.ports import Listening
from revieee.model.reading.compose.secrets import read_store
from revieee.model.reading.compose.services import Draft, Project, read_service
from revieee.model.reading.compose.table import VOLUME, survey
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Entry, Mapping
from revieee.model.stack import MOST_MOUNTS, Dependency, Service

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class Compose:
    """What compose files say."""

    services: tuple[Service, ...]
    listening: tuple[Listening, ...]
    volumes: tuple[str, ...]
    at: Place
    """Where its services begin."""


def read_compose(
    reading: Reading,
    at: Place,
    paths: tuple[str, ...],
    scope: Scope,
    *,
    profiles: tuple[str, ...] = (),
    without_mounts: frozenset[str] = frozenset(),
) -> Compose | None:
    """Read compose files that lie over each other.

    Args:
        reading: takes what is found.
        at: who names the files.
        paths: the files, the first one's folder being the project's.
        scope: the project's variables.
        profiles: those that are on, besides ``COMPOSE_PROFILES`` of ``.env``.
        without_mounts: services whose mounts of the checkout are left out.

    Returns:
        The services that are on; None (and faults) where there is nothing to read.
    """
    root = Loader(reading).load(at, paths, scope)
    if root is None:
        return None
    return read_project(reading, root, scope, profiles=profiles, without_mounts=without_mounts)


def read_project(
    reading: Reading,
    root: Mapping,
    scope: Scope,
    *,
    profiles: tuple[str, ...] = (),
    without_mounts: frozenset[str] = frozenset(),
) -> Compose | None:
    """Read a project whose files are one already; its arguments are those of :func:`read_compose`."""
    services = reading.values.mapping(root.get("services"), "`services`")
    if services is None or not services.entries:
        reading.fault(Place(root.at.file), "There are no `services`. Add one with an `image` or a `build`.")
        return None
    project = Project(
        reading=reading,
        scope=scope,
        volumes=frozenset(_volumes(reading, root)),
        networks=read_networks(reading, root),
        stores=(read_store(reading, root, "configs", "/"), read_store(reading, root, "secrets", "/run/secrets")),
        without_mounts=without_mounts,
    )
    enabled = _enabled(reading, services, _profiles(scope, profiles))
    drafts = {name: read_service(project, name, entry.at, node) for name, (entry, node) in enabled.items()}
    found = _joined(reading, drafts, frozenset(services.entries))
    used = {mount.volume for service in found for mount in service.volumes}
    return Compose(
        services=found,
        listening=tuple(draft.listening for draft in drafts.values()),
        volumes=tuple(name for name in _volumes(reading, root) if name in used),
        at=services.at,
    )


def _profiles(scope: Scope, named: tuple[str, ...]) -> frozenset[str]:
    given = (scope.get("COMPOSE_PROFILES") or "").split(",")
    return frozenset(name.strip() for name in (*named, *given) if name.strip())


def _enabled(reading: Reading, services: Mapping, profiles: frozenset[str]) -> dict[str, tuple[Entry, Mapping]]:
    """Give the services that are on, by name."""
    found: dict[str, tuple[Entry, Mapping]] = {}
    for name, entry in services.entries.items():
        if not _NAME.fullmatch(name):
            words = f"{quote(name)} is no name of a service. Use up to 63 letters, digits, `-`, `_` and `.`."
            reading.fault(entry.at, words)
            continue
        node = reading.values.mapping(entry.value, f"Service {quote(name)}")
        if node is None:
            reading.fault(entry.at, f"Service {quote(name)} is empty. Give it an `image` or a `build`.")
            continue
        wanted = set(reading.values.texts(node.get("profiles"), "`profiles`"))
        if not wanted or wanted & profiles or "*" in profiles:
            found[name] = (entry, node)
    most = reading.limits.services
    if len(found) > most:
        reading.fault(
            services.at, f"There are {len(found)} services, and {most} may run. Remove some, or use `profiles`."
        )
        return dict(list(found.items())[:most])
    if not found and not reading.findings.failed:
        words = "All services belong to profiles that are off. Name them with `profiles` in revieee.yml."
        reading.fault(services.at, words)
    return found


def _volumes(reading: Reading, root: Mapping) -> tuple[str, ...]:
    volumes = reading.values.mapping(root.get("volumes"), "`volumes`")
    entries: AnyMapping[str, Entry] = volumes.entries if volumes else {}
    for name, entry in entries.items():
        what = f"Volume {quote(name)}"
        if not _NAME.fullmatch(name):
            reading.fault(entry.at, f"{quote(name)} is no name of a volume. Use letters, digits, `-`, `_` and `.`.")
        survey(reading, reading.values.mapping(entry.value, what), VOLUME, what)
    return tuple(entries)


def _joined(reading: Reading, drafts: dict[str, Draft], declared: frozenset[str]) -> tuple[Service, ...]:
    """Fill in what services say of each other."""
    join = _Join(reading, drafts, declared)
    found = {name: join.service(draft) for name, draft in drafts.items()}
    aliases = {name: dict.fromkeys((*service.aliases, name)) for name, service in found.items()}
    for draft in drafts.values():
        for target, alias, _ in draft.links:
            aliases.get(target, {}).setdefault(alias)
    join.circles(found)
    return tuple(
        replace(one, aliases=tuple(alias for alias in aliases[one.name] if alias != one.name or alias in one.aliases))
        for one in found.values()
    )


@dataclass(frozen=True, slots=True)
class _Join:
    reading: Reading
    drafts: AnyMapping[str, Draft]
    declared: frozenset[str]
    """All services of the file, also those that are off."""

    def service(self, draft: Draft) -> Service:
        service = draft.service
        dependencies = [one for one, at in draft.depends_on if self._there(one.service, at, "depends_on", one.required)]
        named = {one.service for one in dependencies}
        implied = [(target, at, "links") for target, _, at in draft.links]
        implied += [(target, at, "volumes_from") for target, _, at in draft.volumes_from]
        for target, at, key in implied:
            if self._there(target, at, key, required=True) and target not in named:
                named.add(target)
                dependencies.append(Dependency(service=target))
        return self._shared_build(replace(self._volumes_from(draft, service), depends_on=tuple(dependencies)))

    def _there(self, name: str, at: Place, key: str, required: bool) -> bool:  # noqa: FBT001 -- one of four plain facts
        if name in self.drafts:
            return True
        if not required:
            self.reading.notice(at, f"`{key}`: {quote(name)} is not there and not required, so nothing waits for it.")
        elif name in self.declared:
            words = f"`{key}`: the service {quote(name)} is off, for its profile is. Name the profile in revieee.yml."
            self.reading.fault(at, words)
        else:
            self.reading.fault(
                at, f"`{key}`: there is no service {quote(name)}.{self.reading.nearest(name, self.declared)}"
            )
        return False

    def _volumes_from(self, draft: Draft, service: Service) -> Service:
        mounts = {mount.target: mount for mount in service.volumes}
        for name, read_only, at in draft.volumes_from:
            for mount in self.drafts[name].service.volumes if name in self.drafts else ():
                mounts.setdefault(mount.target, replace(mount, read_only=mount.read_only or read_only))
            if len(mounts) > MOST_MOUNTS:
                self.reading.fault(at, TOO_MANY)
                break
        return replace(service, volumes=tuple(mounts.values()))

    def _shared_build(self, service: Service) -> Service:
        """Let a service that names the image that another one builds run the same build."""
        for other in self.drafts.values():
            if service.image is not None and other.service.build and other.image_name == service.image:
                return replace(service, image=None, build=other.service.build)
        return service

    def circles(self, services: AnyMapping[str, Service]) -> None:
        """Refuse services that wait for each other."""
        circle = _circle(services)
        if circle:
            shown = " → ".join(quote(one) for one in circle)
            words = f"Services wait for each other in a circle: {shown}. Remove one `depends_on`."
            self.reading.fault(self.drafts[circle[0]].at, words)


def _circle(services: AnyMapping[str, Service]) -> list[str] | None:
    """Find services that wait for each other."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str] | None:
        if name in done:
            return None
        if name in path:
            return [*path[path.index(name) :], name]
        path.append(name)
        for dependency in services[name].depends_on:
            if found := visit(dependency.service):
                return found
        done.add(path.pop())
        return None

    return next((found for name in services if (found := visit(name))), None)
