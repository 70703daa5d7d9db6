"""``secrets`` and ``configs``: files of the checkout, values of variables or texts, as files in the container."""

import posixpath
from dataclasses import dataclass

from revieee.model.reading.compose.mounts import Mounts, container_path, copy_in
from revieee.model.reading.compose.table import FILE_MOUNT, SECRET, survey
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import quote
from revieee.model.reading.yaml_nodes import Mapping, Node, Scalar
from revieee.model.stack import MountedFile
from revieee.model.tree import Kind

_MODE = 0o444
_SOURCES = ("file", "environment", "content")


@dataclass(frozen=True, slots=True)
class Store:
    """The ``secrets`` or the ``configs`` of the top level."""

    key: str
    folder: str
    """Where they are in the container unless their mount says so."""
    entries: Mapping | None

    def mount(self, reading: Reading, service: Mapping, scope: Scope, mounts: Mounts) -> None:
        """Add what a service mounts of them."""
        for node in mounts.take(reading, reading.values.sequence(service.get(self.key), f"`{self.key}` of a service")):
            options = node if isinstance(node, Mapping) else None
            survey(reading, options, FILE_MOUNT, f"`{self.key}` of a service")
            source_node = options.get("source") if options else node
            source = reading.values.text(source_node, "`source`")
            definition = self._definition(reading, node, source)
            if source is not None and definition is not None:
                self._mount(reading, node, (source, definition), scope, mounts)

    def _definition(self, reading: Reading, node: Node, source: str | None) -> Mapping | None:
        known = self.entries.entries if self.entries else {}
        if source is None or source not in known:
            words = f"`{self.key}`: {quote(source or '')} is not declared.{reading.nearest(source or '', known)} "
            reading.fault(node.at, f"{words}Add it under `{self.key}:` at the top level.")
            return None
        return reading.values.mapping(known[source].value, f"`{self.key}`: {quote(source)}")

    def _mount(self, reading: Reading, node: Node, source: tuple[str, Mapping], scope: Scope, mounts: Mounts) -> None:
        name, definition = source
        options = node if isinstance(node, Mapping) else None
        wanted = reading.values.text(options.get("target"), "`target`") if options else None
        target = container_path(reading, node.at, posixpath.join(self.folder, wanted or name), f"`{self.key}`")
        if target is None:
            return
        values = reading.values
        mode = values.mode(options.get("mode"), "`mode`") if options else None
        uid = values.whole(options.get("uid"), "`uid`", most=2**31) if options else None
        gid = values.whole(options.get("gid"), "`gid`", most=2**31) if options else None
        for content in self._contents(reading, definition, name, scope):
            file = MountedFile(
                target=target, content=content, mode=_MODE if mode is None else mode, uid=uid or 0, gid=gid or 0
            )
            mounts.files.append(file)

    def _contents(self, reading: Reading, definition: Mapping, name: str, scope: Scope) -> tuple[bytes, ...]:
        given = [key for key in _SOURCES if definition.get(key) is not None]
        if len(given) != 1:
            words = f"`{self.key}`: {quote(name)} needs one of `file`, `environment` and `content`."
            if "external" not in definition.entries:
                reading.fault(definition.at, words)
            return ()
        value = definition.get(given[0])
        text = reading.values.text(value, f"`{given[0]}`") or ""
        if given[0] == "content":
            return self._within(reading, definition, text.encode())
        if given[0] == "environment":
            found = scope.get(text)
            if found is None:
                words = f"`{self.key}`: the variable {quote(text)} is not in `.env`, so {quote(name)} is empty."
                reading.notice(definition.at, words)
            return self._within(reading, definition, (found or "").encode())
        return self._file(reading, value, name) if isinstance(value, Scalar) else ()

    def _within(self, reading: Reading, definition: Mapping, content: bytes) -> tuple[bytes, ...]:
        reading.mounted.bytes += len(content)
        if reading.mounted.bytes <= reading.limits.mounted_bytes:
            return (content,)
        most = reading.limits.mounted_bytes
        reading.fault(definition.at, f"`{self.key}` and mounted files are more than {most:,} bytes. Mount less.")
        return ()

    def _file(self, reading: Reading, node: Scalar, name: str) -> tuple[bytes, ...]:
        path = reading.path(node, f"`{self.key}`")
        if path is None:
            return ()
        if reading.kind(node.at, path, f"`{self.key}`") is not Kind.FILE:
            words = f"`{self.key}`: there is no file {quote(path)} for {quote(name)}. Commit it, or use `content`."
            reading.fault(node.at, words)
            return ()
        files = Mounts()
        copy_in(reading, node.at, path, "/" + name, files, quiet=True)
        return tuple(file.content for file in files.files)


def read_store(reading: Reading, root: Mapping, key: str, folder: str) -> Store:
    """Read the ``secrets`` or ``configs`` of the top level."""
    entries = reading.values.mapping(root.get(key), f"`{key}`")
    for name, entry in entries.entries.items() if entries else ():
        what = f"`{key}`: {quote(name)}"
        survey(reading, reading.values.mapping(entry.value, what), SECRET, what)
    return Store(key, folder, entries)
