"""Compose files as one: several files merged, ``include`` and ``extends`` resolved, variables filled in."""

import posixpath
from dataclasses import dataclass, field, replace

from revieee.model.reading.compose.merge import canonical, merge_files, merge_service, settle
from revieee.model.reading.compose.table import EXTENDS, INCLUDE, TOP, survey
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Entry, Mapping, Node, Scalar, mapping

_DEEPEST = 20
_RESOURCES = ("services", "volumes", "networks", "secrets", "configs")


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads compose files of one reading."""

    reading: Reading
    _files: dict[tuple[str, str], Mapping | None] = field(default_factory=dict)
    """By path and folder: loaded and interpolated, not yet extended."""

    def load(self, at: Place, paths: tuple[str, ...], scope: Scope, chain: tuple[str, ...] = ()) -> Mapping | None:
        """Load files that lie over each other.

        Args:
            at: who asks.
            paths: the files, each over those before it.
            scope: the project folder's variables; its folder is where relative paths start.
            chain: the files that include these, to find circles.
        """
        merged: Mapping | None = None
        for path in paths:
            root = self._file(at, path, scope)
            if root is None:
                continue
            survey(self.reading, root, TOP, "The compose file")
            extended = self._extended(root, path, scope)
            included = self._included(extended, scope, (*chain, path))
            merged = included if merged is None else merge_files(self.reading, merged, included)
        if merged is None:
            return None
        settled = settle(merged)
        return settled if isinstance(settled, Mapping) else None

    def _file(self, at: Place, path: str, scope: Scope) -> Mapping | None:
        key = (path, scope.base)
        if key not in self._files:
            node = self.reading.yaml(at, path, scope.base, "The compose file")
            filled = None if node is None else self.reading.interpolate(node, scope)
            self._files[key] = self.reading.values.mapping(filled, "A compose file")
        return self._files[key]

    def _extended(self, root: Mapping, path: str, scope: Scope) -> Mapping:
        services = self.reading.values.mapping(root.get("services"), "`services`")
        if services is None:
            return root
        most = 10 * self.reading.limits.services
        if len(services.entries) > most:
            words = (
                f"There are {len(services.entries):,} services; {self.reading.limits.services} may run. Remove some."
            )
            self.reading.fault(services.at, words)
            services = mapping(services.at, dict(list(services.entries.items())[:most]))
        found: dict[str, Entry] = {}
        for name, entry in services.entries.items():
            service = self._service(entry.value, services, path, scope, ((path, name),))
            found[name] = Entry(entry.at, service)
        before = root.entries["services"]
        return mapping(root.at, {**root.entries, "services": Entry(before.at, mapping(services.at, found))})

    def _service(
        self, node: Node, services: Mapping, path: str, scope: Scope, chain: tuple[tuple[str, str], ...]
    ) -> Node:
        """Give a service in long form with all that it extends."""
        if not isinstance(node, Mapping):
            return node
        service = canonical(node)
        wanted = service.get("extends")
        if wanted is None:
            return service
        entries = {key: entry for key, entry in service.entries.items() if key != "extends"}
        service = mapping(service.at, entries, service.action)
        base = self._base(wanted, services, path, scope, chain)
        return service if base is None else merge_service(self.reading, base, service)

    def _base(
        self, wanted: Node, services: Mapping, path: str, scope: Scope, chain: tuple[tuple[str, str], ...]
    ) -> Mapping | None:
        values = self.reading.values
        file: Node | None = None
        name_node: Node | None = wanted
        if isinstance(wanted, Mapping):
            survey(self.reading, wanted, EXTENDS, "`extends`")
            name_node, file = wanted.get("service"), wanted.get("file")
        name = values.text(name_node, "`extends`")
        if name is None:
            self.reading.fault(wanted.at, "`extends` needs a `service`. Name the service that it builds on.")
            return None
        if isinstance(file, Scalar):
            other = self._other_file(file, scope)
            if other is None:
                return None
            path, services, scope = other
        base = services.get(name)
        if (path, name) in chain or len(chain) > _DEEPEST:
            circle = " → ".join(quote(one) for _, one in (*chain, (path, name))[:5])
            self.reading.fault(wanted.at, f"Services extend each other in a circle or too deep: {circle}. Break it.")
            return None
        if not isinstance(base, Mapping):
            hint = self.reading.nearest(name, services.entries)
            self.reading.fault(wanted.at, f"`extends`: there is no service {quote(name)} in {quote(path)}.{hint}")
            return None
        found = self._service(base, services, path, scope, (*chain, (path, name)))
        return found if isinstance(found, Mapping) else None

    def _other_file(self, file: Scalar, scope: Scope) -> tuple[str, Mapping, Scope] | None:
        path = self._path(file, "`extends`")
        if path is None:
            return None
        other = replace(scope, base=posixpath.dirname(path))
        root = self._file(file.at, path, other)
        services = self.reading.values.mapping(root.get("services") if root else None, "`services`")
        if services is None:
            if root is not None:
                self.reading.fault(file.at, f"`extends`: {quote(path)} has no `services`. Name another file.")
            return None
        return path, services, other

    def _included(self, root: Mapping, scope: Scope, chain: tuple[str, ...]) -> Mapping:
        for item in self.reading.values.sequence(root.get("include"), "`include`"):
            root = self._include(root, item, scope, chain)
        return root

    def _include(self, root: Mapping, item: Node, scope: Scope, chain: tuple[str, ...]) -> Mapping:
        paths_node: Node | None = item
        folder: str | None = None
        env_files: tuple[str, ...] | None = None
        if isinstance(item, Mapping):
            survey(self.reading, item, INCLUDE, "`include`")
            paths_node = item.get("path")
            if isinstance(project := item.get("project_directory"), Scalar):
                folder = self._path(project, "`project_directory`")
            if item.get("env_file") is not None:
                env_files = self._paths(item.get("env_file"), "`env_file` of `include`")
        paths = self._paths(paths_node, "`include`")
        if not paths:
            return root
        if paths[0] in chain or len(chain) > _DEEPEST:
            self.reading.fault(item.at, f"{quote(paths[0])} is included in a circle or too deep. Remove this line.")
            return root
        self.reading.budget.spend("files", len(paths))
        base = posixpath.dirname(paths[0]) if folder is None else folder
        own = self.reading.scope(item.at, base, env_files)
        own.env = {**own.env, **scope.env}
        found = self.load(item.at, paths, own, chain)
        return root if found is None else self._imported(root, found, item.at)

    def _imported(self, root: Mapping, found: Mapping, at: Place) -> Mapping:
        """Take the parts of an included project in; a name that is there already must mean the same."""
        entries = dict(root.entries)
        for key in _RESOURCES:
            theirs = self.reading.values.mapping(found.get(key), f"`{key}`")
            ours = self.reading.values.mapping(root.get(key), f"`{key}`")
            if theirs is None:
                continue
            both = dict(ours.entries) if ours else {}
            for name, entry in theirs.entries.items():
                if name in both and not same(both[name].value, entry.value):
                    words = f"`include`: {key} {quote(name)} is also in this file ({both[name].at.line}). Rename one."
                    self.reading.fault(at, words)
                both.setdefault(name, entry)
            entries[key] = Entry(ours.at if ours else at, mapping(ours.at if ours else at, both))
        return mapping(root.at, entries)

    def _paths(self, node: Node | None, what: str) -> tuple[str, ...]:
        nodes = self.reading.values.one_or_more(node, what)
        paths = [self._path(item, what) for item in nodes if isinstance(item, Scalar)]
        return tuple(path for path in paths if path is not None)

    def _path(self, node: Scalar, what: str) -> str | None:
        if "://" in node.text or node.text.startswith(("git@", "oci:")):
            self.reading.fault(node.at, f"{what}: {quote(node.text)} is not in the repository. Copy the file into it.")
            return None
        return self.reading.path(node, what)


def same(one: Node, other: Node) -> bool:
    """Tell whether two nodes say the same, wherever they stand."""
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return one.text == other.text and one.null == other.null
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.entries.keys() == other.entries.keys() and all(
            same(entry.value, other.entries[key].value) for key, entry in one.entries.items()
        )
    if not isinstance(one, Scalar | Mapping) and not isinstance(other, Scalar | Mapping):
        return len(one.items) == len(other.items) and all(map(same, one.items, other.items))
    return False
