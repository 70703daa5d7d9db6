"""``volumes`` and ``tmpfs``: named volumes, memory, and files of the checkout that are copied in."""

import posixpath
import re
from dataclasses import dataclass, field

from revieee.model.reading.compose.table import MOUNT_BIND, MOUNT_TMPFS, MOUNT_VOLUME, VOLUME_MOUNT, survey
from revieee.model.reading.files import Reading
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Mapping, Node, Scalar
from revieee.model.stack import MOST_MOUNTS, MountedFile, TmpfsMount, VolumeMount
from revieee.model.tree import Kind, PathError

MOST_FILES = 3000
"""Files of the checkout that a stack may mount."""

TOO_MANY = (
    f"A service mounts {MOST_MOUNTS} things at most: `volumes`, `tmpfs`, `configs` and `secrets` together. Mount less."
)

_DEEPEST = 30
_MACHINE_CLOCK = frozenset({"/etc/localtime", "/etc/timezone"})
_KERNEL = ("/proc", "/sys")
_SHORT_PARTS = 3
_COPIED = (
    "Files of the repository are copied into the container at its start: they lie over the image's own, "
    "and what the service changes there is not kept."
)


@dataclass(slots=True)
class Mounts:
    """All that is mounted into one service."""

    volumes: list[VolumeMount] = field(default_factory=list)
    tmpfs: list[TmpfsMount] = field(default_factory=list)
    files: list[MountedFile] = field(default_factory=list)
    entries: int = 0
    """How many of the service's lines ask for them."""

    def take(self, reading: Reading, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        """Give as many of these lines as the service may still have; a fault tells the first that is too many."""
        left = MOST_MOUNTS - self.entries
        self.entries += len(nodes)
        if len(nodes) > left >= 0:
            reading.fault(nodes[left].at, TOO_MANY)
        return nodes[: max(left, 0)]


def target_of_volume(node: Node) -> str | None:
    """Give the path in the container, which tells mounts apart when files are merged."""
    if isinstance(node, Mapping):
        target = node.get("target")
        return target.text if isinstance(target, Scalar) else None
    if isinstance(node, Scalar):
        parts = node.text.split(":")
        return parts[0] if len(parts) == 1 else parts[1]
    return None


def read_mounts(reading: Reading, service: Mapping, declared: frozenset[str], *, copy: bool = True) -> Mounts:
    """Read a service's ``volumes`` and ``tmpfs``.

    Args:
        reading: the reading.
        service: in long form, merged.
        declared: the volumes of the top level.
        copy: whether files of the checkout are copied in; else they are left out.
    """
    mounts = Mounts()
    reader = _Reader(reading, mounts, declared, copy)
    for node in mounts.take(reading, reading.values.sequence(service.get("volumes"), "`volumes`")):
        reader.volume(node)
    for node in mounts.take(reading, reading.values.one_or_more(service.get("tmpfs"), "`tmpfs`")):
        reader.tmpfs_short(node)
    return mounts


def container_path(reading: Reading, at: Place, text: str, what: str) -> str | None:
    """Check a path in the container: absolute, not the root, not the kernel's."""
    path = posixpath.normpath(text)
    path = "/" + path.lstrip("/") if path.startswith("/") else path
    if not path.startswith("/"):
        reading.fault(at, f"{what}: {quote(text)} must be an absolute path in the container, like `/app`.")
        return None
    if path in ("/", "/dev") or any(path == root or path.startswith(f"{root}/") for root in _KERNEL):
        reading.fault(at, f"{what}: nothing can be mounted at {quote(path)}. Use a folder of its own, like `/data`.")
        return None
    return path


@dataclass(frozen=True, slots=True)
class _Reader:
    reading: Reading
    mounts: Mounts
    declared: frozenset[str]
    copy: bool

    def volume(self, node: Node) -> None:
        if isinstance(node, Mapping):
            self._long(node)
        elif (text := self.reading.values.text(node, "A volume")) is not None:
            self._short(node, text)

    def _short(self, node: Node, text: str) -> None:
        parts = text.split(":")
        if len(parts) > _SHORT_PARTS or not all(parts):
            words = f"{quote(text)} is no volume. Write `NAME:/path`, `./folder:/path` or `./folder:/path:ro`."
            self.reading.fault(node.at, words)
            return
        if len(parts) == 1:
            self._anonymous(node.at, text)
            return
        options = parts[2].split(",") if len(parts) == _SHORT_PARTS else []
        source = Scalar(node.at, parts[0])
        if parts[0][0] in "./~\\" or parts[0].startswith("$"):
            self._bind(source, parts[1], missing_is_fault=False)
        else:
            self._named(source, parts[1], read_only="ro" in options)

    def _long(self, node: Mapping) -> None:
        survey(self.reading, node, VOLUME_MOUNT, "A volume")
        values = self.reading.values
        for name, table in (("bind", MOUNT_BIND), ("volume", MOUNT_VOLUME), ("tmpfs", MOUNT_TMPFS)):
            survey(self.reading, values.mapping(node.get(name), f"`{name}`"), table, f"A volume's `{name}`")
        kind = values.choice(node.get("type"), "A volume's `type`", ("bind", "volume", "tmpfs"))
        target = values.text(node.get("target"), "A volume's `target`")
        source = node.get("source")
        if kind is None or target is None:
            if target is None or node.get("type") is None:
                self.reading.fault(node.at, "A volume needs `type` and `target`. Add them.")
            return
        if kind == "tmpfs":
            self._tmpfs_long(node, target)
        elif not isinstance(source, Scalar):
            if kind == "bind":
                self.reading.fault(node.at, "A bind mount needs a `source`. Add it.")
            else:
                self._anonymous(node.at, target)
        elif kind == "bind":
            create = values.mapping(node.get("bind"), "`bind`")
            creates = values.flag(create.get("create_host_path") if create else None, "`create_host_path`")
            self._bind(source, target, missing_is_fault=creates is False)
        else:
            self._named(source, target, read_only=bool(values.flag(node.get("read_only"), "`read_only`")))

    def _anonymous(self, at: Place, text: str) -> None:
        path = container_path(self.reading, at, text, "A volume")
        if path:
            words = (
                f"The volume at {quote(path)} has no name, so it is part of the container and new with each release."
            )
            self.reading.notice(at, words)

    def _named(self, source: Scalar, target: str, *, read_only: bool) -> None:
        path = container_path(self.reading, source.at, target, "A volume")
        if source.text not in self.declared:
            self.reading.fault(
                source.at,
                f"The volume {quote(source.text)} is not declared. Add it under `volumes:` at the top level; "
                "a folder of the repository begins with `./`.",
            )
        elif path:
            self.mounts.volumes.append(VolumeMount(volume=source.text, target=path, read_only=read_only))

    def tmpfs_short(self, node: Node) -> None:
        text = self.reading.values.text(node, "`tmpfs`")
        if text is None:
            return
        target, _, rest = text.partition(":")
        options = dict(part.partition("=")[::2] for part in rest.split(",") if part)
        values = self.reading.values
        size = values.size(Scalar(node.at, options["size"]), "`size` of tmpfs") if "size" in options else None
        mode = values.mode(Scalar(node.at, options["mode"]), "`mode` of tmpfs") if "mode" in options else None
        others = sorted(set(options) - {"size", "mode"})
        if others:
            self.reading.notice(node.at, f"Options of `tmpfs` are left out: {', '.join(map(quote, others))}.")
        self._add_tmpfs(node.at, target, size, mode)

    def _tmpfs_long(self, node: Mapping, target: str) -> None:
        values = self.reading.values
        options = values.mapping(node.get("tmpfs"), "`tmpfs`")
        size = values.size(options.get("size"), "`size` of tmpfs") if options else None
        mode = values.mode(options.get("mode"), "`mode` of tmpfs") if options else None
        self._add_tmpfs(node.at, target, size, mode)

    def _add_tmpfs(self, at: Place, target: str, size: int | None, mode: int | None) -> None:
        path = container_path(self.reading, at, target, "`tmpfs`")
        if size is not None and size > self.reading.limits.memory:
            self.reading.notice(at, f"The size of `tmpfs` is lowered to {self.reading.limits.memory} bytes, the limit.")
            size = self.reading.limits.memory
        if path:
            self.mounts.tmpfs.append(TmpfsMount(target=path, size=size, mode=mode))

    def _bind(self, source: Scalar, target: str, *, missing_is_fault: bool) -> None:
        if self._of_machine(source):
            return
        path = self.reading.path(source, "A mount")
        inside = container_path(self.reading, source.at, target, "A mount")
        if path is None or inside is None:
            return
        kind = self.reading.kind(source.at, path, "A mount")
        if kind not in (Kind.FILE, Kind.FOLDER) and self.reading.in_submodule(path):
            words = f"{quote(source.text)} is in a submodule, whose files are not mounted. COPY them in a Dockerfile."
            self.reading.fault(source.at, words)
        elif kind is None:
            self._missing(source, as_fault=missing_is_fault)
        elif not self.copy:
            self.reading.notice(source.at, "Mounts of the repository's files are left out (`mounts: false`).")
        else:
            copy_in(self.reading, source.at, path, inside, self.mounts)

    def _missing(self, source: Scalar, *, as_fault: bool) -> None:
        if as_fault:
            self.reading.fault(
                source.at, f"{quote(source.text)} is not in the repository. Commit it, or drop the mount."
            )
        elif not self.reading.findings.failed:
            words = f"{quote(source.text)} is not in the repository, so nothing is mounted there. Commit it if needed."
            self.reading.notice(source.at, words)

    def _of_machine(self, source: Scalar) -> bool:
        """Refuse paths of the machine; its clock settings are left out."""
        text = source.text
        if text.endswith("docker.sock"):
            words = "The engine's socket gives power over the machine, so it is refused. Drop this mount."
            self.reading.fault(source.at, words)
        elif text in _MACHINE_CLOCK:
            self.reading.notice(source.at, f"The mount of {quote(text)} is left out: set `TZ` to choose a time zone.")
        elif text.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", text):
            words = (
                f"{quote(text)} is a path of the machine, so it is refused. Mount only files of the repository (`./…`)."
            )
            self.reading.fault(source.at, words)
        else:
            return False
        return True


def copy_in(reading: Reading, at: Place, path: str, target: str, mounts: Mounts, *, quiet: bool = False) -> None:
    """Take a file, or all files of a folder, into the container's files; a notice explains it unless ``quiet``."""
    if not quiet:
        reading.notice(at, _COPIED)
    pending = [(path, target, 0)]
    while pending:
        source, goal, depth = pending.pop()
        kind = reading.kind(at, source, "A mount")
        if kind is Kind.FOLDER and depth < _DEEPEST:
            names = reading.tree.list(source)
            pending += [
                (posixpath.join(source, name), posixpath.join(goal, name), depth + 1) for name in reversed(names)
            ]
        elif kind is Kind.FILE:
            if not _copy_file(reading, at, source, goal, mounts):
                return
        elif kind is Kind.FOLDER:
            reading.fault(at, f"{quote(path)} is nested deeper than {_DEEPEST} folders. Mount a part of it.")
            return


def _copy_file(reading: Reading, at: Place, source: str, target: str, mounts: Mounts) -> bool:
    """Take one file; False when the limits are reached, or it cannot be read."""
    left = reading.limits.mounted_bytes - reading.mounted.bytes
    reading.mounted.files += 1
    try:
        content = reading.tree.read(source, max(left, 0)) if reading.mounted.files <= MOST_FILES else None
    except PathError:
        content = None
    if content is None:
        reading.fault(
            at,
            f"The files mounted from the repository are more than {reading.limits.mounted_bytes:,} bytes or "
            f"{MOST_FILES:,} files ({quote(source)} was too much). Mount less, COPY them in a Dockerfile, "
            "or leave such mounts out with `services: {NAME: {mounts: false}}` in revieee.yml.",
        )
        return False
    reading.mounted.bytes += len(content)
    mode = 0o755 if reading.tree.executable(source) else 0o644
    mounts.files.append(MountedFile(target=target, content=content, mode=mode))
    return True
