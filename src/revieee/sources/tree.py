"""The files of one commit, read from git objects: no checkout, so no link can play tricks.

Objects are asked for by their hash alone, so no file name ever reaches git. One ``git cat-file --batch`` per repository
answers in well under a millisecond.
"""

import os
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from revieee.clients.git import git
from revieee.model.tree import Kind, PathError, inside
from revieee.ports import RetryLater

_MOST_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""
_LINK_LENGTH = 4096
_FOLDER_LIMIT = 32_000_000
_FOLDERS_KEPT = 512
_FOLDER, _LINK, _SUBMODULE, _PROGRAM = "40000", "120000", "160000", "100755"


@dataclass(frozen=True, slots=True)
class Root:
    """Where a tree begins: a repository and the hash of a commit or tree in it."""

    git_dir: Path
    object_id: str


@dataclass(frozen=True, slots=True)
class _Node:
    mode: str
    object_id: str
    git_dir: Path


class TooBig(Exception):
    """The object is larger than the caller wants to read."""


class Objects:
    """Reads objects of one repository, in any thread. The process starts with the first question."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[..., Objects] | None = None

    def read(self, object_id: str, limit: int) -> tuple[str, bytes]:
        """Give an object's type and content.

        Raises:
            TooBig: it is larger than ``limit`` bytes.
            RetryLater: it is not there, or the repository went away meanwhile.
        """
        with self._lock:
            try:
                return self._ask(object_id, limit)
            except (OSError, ValueError) as error:
                self._stop()
                raise RetryLater(f"The mirror has no object {object_id}: it must be fetched again.") from error

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _ask(self, object_id: str, limit: int) -> tuple[str, bytes]:
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101  # asked for at the start: for the type checker
        assert process.stdout is not None  # noqa: S101  # as above
        process.stdin.write(f"{object_id}\n".encode())
        process.stdin.flush()
        _, kind, size = process.stdout.readline().split()  # "<hash> missing" has too few parts: ValueError
        if int(size) > limit:
            self._stop()  # cheaper than reading what nobody wants
            raise TooBig
        content = process.stdout.read(int(size))
        process.stdout.read(1)
        if len(content) != int(size):
            raise OSError("git ended in the middle of an object")
        return kind.decode(), content

    def _start(self) -> "subprocess.Popen[bytes]":
        # Ends by itself when its input is closed, so also when this process is killed.
        command = git("cat-file", "--batch", git_dir=self._git_dir)
        self._process = subprocess.Popen(
            command.arguments,
            env=dict(command.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._finalizer = weakref.finalize(self, _collect, self._process)
        return self._process

    def _stop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None


def _collect(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    with process:  # closes the pipes and waits
        pass


class GitTree:
    """A :class:`revieee.model.tree.Tree`; to be closed, or used with ``with``, and closed with its last user else.

    Args:
        root: the commit or tree.
        modules: submodules whose files are at hand, by path. The others are of kind ``SUBMODULE`` and empty.
    """

    def __init__(self, root: Root, modules: Mapping[str, Root] | None = None) -> None:
        self._root = root
        self._modules = dict(modules or {})
        self._objects: dict[Path, Objects] = {}
        self._folders: dict[str, Mapping[str, tuple[str, str]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes behind it."""
        for objects in self._objects.values():
            objects.close()

    def kind(self, path: str) -> Kind | None:
        """Tell what is at ``path`` (:class:`revieee.model.tree.Tree`); a submodule that is at hand is a folder."""
        node = self._find(path)
        if node is None:
            return None
        return {_FOLDER: Kind.FOLDER, _SUBMODULE: Kind.SUBMODULE}.get(node.mode, Kind.FILE)

    def read(self, path: str, limit: int = 1_000_000) -> bytes:
        """Give a file's content (:class:`revieee.model.tree.Tree`)."""
        node = self._find(path)
        if node is None:
            raise PathError(f"{path!r} is not in the repository.")
        if node.mode in (_FOLDER, _SUBMODULE):
            raise PathError(f"{path!r} is a folder, not a file.")
        try:
            return self._object(node, limit)
        except TooBig as error:
            raise PathError(f"{path!r} is larger than {limit} bytes.") from error

    def executable(self, path: str) -> bool:
        """Tell whether a file may be run (:class:`revieee.model.tree.Tree`): git knows two modes of files."""
        node = self._find(path)
        return node is not None and node.mode == _PROGRAM

    def list(self, path: str = "") -> Sequence[str]:
        """Give the names in a folder (:class:`revieee.model.tree.Tree`)."""
        node = self._find(path)
        return sorted(self._folder(node)) if node is not None and node.mode == _FOLDER else ()

    def object_id(self, path: str) -> str | None:
        """Give the hash of a file's or folder's content (:class:`revieee.model.tree.Tree`)."""
        node = self._find(path)
        return None if node is None else node.object_id

    def submodule(self, path: str) -> str | None:
        """Give the commit of the submodule that lies at exactly this path, no link followed; None if none does."""
        parts = path.split("/")
        if not all(parts) or not {".", ".."}.isdisjoint(parts):
            return None
        node = self._top()
        for part in parts:
            found = self._folder(node).get(part) if node.mode == _FOLDER else None
            if found is None:
                return None
            node = _Node(*found, node.git_dir)
        return node.object_id if node.mode == _SUBMODULE else None

    def _top(self) -> _Node:
        return self._begin(self._root)

    def _begin(self, root: Root) -> _Node:
        node = _Node(_FOLDER, root.object_id, root.git_dir)
        kind, content = self._reader(root.git_dir).read(root.object_id, _FOLDER_LIMIT)
        if kind == "commit":  # "tree <hash>\n…" (gitformat: the commit object)
            node = _Node(_FOLDER, content.split(b"\n", 1)[0].removeprefix(b"tree ").decode(), root.git_dir)
        return node

    def _find(self, path: str) -> _Node | None:
        """Walk to a path, following links inside the tree."""
        todo = inside("", path).split("/")[::-1]
        walked: list[tuple[str, _Node]] = [("", self._top())]
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if len(walked) == 1:
                    raise PathError(f"{path!r} leads out of the repository through a link.")
                walked.pop()
                continue
            node = walked[-1][1]
            found = self._folder(node).get(part) if node.mode == _FOLDER else None
            if found is None:
                return None
            node = _Node(*found, node.git_dir)
            if node.mode == _LINK:
                links += 1
                todo += self._target(node, path, links).split("/")[::-1]
                continue
            walked.append((part, node))
            root = self._modules.get("/".join(name for name, _ in walked[1:])) if node.mode == _SUBMODULE else None
            if root is not None:
                walked[-1] = (part, self._begin(root))
        return walked[-1][1]

    def _target(self, node: _Node, path: str, links: int) -> str:
        if links > _MOST_LINKS:
            raise PathError(f"{path!r} goes through too many links.")
        try:
            target = os.fsdecode(self._object(node, _LINK_LENGTH))
        except TooBig as error:
            raise PathError(f"{path!r} is a link to an impossibly long name.") from error
        if target.startswith("/"):
            raise PathError(f"{path!r} leads out of the repository through a link to {target!r}.")
        return target

    def _folder(self, node: _Node) -> Mapping[str, tuple[str, str]]:
        """Give a folder's (mode, hash) by name."""
        known = self._folders.get(node.object_id)
        if known is None:
            try:
                known = _names(self._object(node, _FOLDER_LIMIT), len(node.object_id) // 2)
            except TooBig as error:
                raise PathError("A folder of the repository has too many files to be read.") from error
            if len(self._folders) >= _FOLDERS_KEPT:
                self._folders.clear()
            self._folders[node.object_id] = known
        return known

    def _object(self, node: _Node, limit: int) -> bytes:
        return self._reader(node.git_dir).read(node.object_id, limit)[1]

    def _reader(self, git_dir: Path) -> Objects:
        return self._objects.setdefault(git_dir, Objects(git_dir))


def _names(content: bytes, width: int) -> Mapping[str, tuple[str, str]]:
    """Read a tree object: mode, space, name, zero byte, hash, over and over."""
    found: dict[str, tuple[str, str]] = {}
    position = 0
    while position < len(content):
        end = content.index(b"\0", position)
        mode, _, name = content[position:end].partition(b" ")
        position = end + 1 + width
        found[os.fsdecode(name)] = (mode.decode().lstrip("0"), content[end + 1 : position].hex())
    return found
