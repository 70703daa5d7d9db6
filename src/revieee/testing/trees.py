"""A tree in memory, for tests and trials of manifests."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1

from revieee.model.tree import Kind, PathError

_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, with what it says."""

    target: str


@dataclass(frozen=True, slots=True)
class Submodule:
    """A submodule, at a commit."""

    commit: str = "0" * 40


@dataclass(frozen=True, slots=True)
class Program:
    """A file that may be run."""

    content: bytes | str


Content = bytes | str | Link | Submodule | Program


class MemoryTree:
    """A :class:`~revieee.model.tree.Tree` made of a dictionary from paths to contents."""

    def __init__(self, files: Mapping[str, Content]) -> None:
        self._files = dict(files)
        self._folders = {""}
        for path in files:
            while path := posixpath.dirname(path):
                self._folders.add(path)

    def kind(self, path: str) -> Kind | None:
        """Tell what is at ``path``, links followed."""
        real = self._real(path)
        if real is None:
            return None
        found = self._files.get(real)
        if isinstance(found, Submodule):
            return Kind.SUBMODULE
        return Kind.FOLDER if found is None else Kind.FILE

    def read(self, path: str, limit: int = 1_000_000) -> bytes:
        """Give a file's content."""
        real = self._real(path)
        found = None if real is None else self._files.get(real)
        content = found.content if isinstance(found, Program) else found
        if not isinstance(content, bytes | str):
            raise PathError(f"{path!r} is not a file of the repository.")
        data = content.encode() if isinstance(content, str) else content
        if len(data) > limit:
            raise PathError(f"{path!r} is larger than {limit:,} bytes.")
        return data

    def executable(self, path: str) -> bool:
        """Tell whether a file may be run."""
        real = self._real(path)
        return real is not None and isinstance(self._files.get(real), Program)

    def list(self, path: str = "") -> Sequence[str]:
        """Give the names in a folder."""
        real = self._real(path)
        if real is None or real not in self._folders:
            return ()
        prefix = f"{real}/" if real else ""
        names = {one[len(prefix) :].split("/")[0] for one in self._files if one.startswith(prefix)}
        return sorted(names)

    def object_id(self, path: str) -> str | None:
        """Give a hash of a file's or folder's content."""
        kind = self.kind(path)
        if kind is None:
            return None
        if kind is Kind.FILE:
            return sha1(b"blob" + self.read(path), usedforsecurity=False).hexdigest()
        parts = [f"{name} {self.object_id(posixpath.join(path, name))}" for name in self.list(path)]
        return sha1("\n".join(("tree", *parts)).encode(), usedforsecurity=False).hexdigest()

    def close(self) -> None:
        """Let go of nothing."""

    def _real(self, path: str) -> str | None:
        """Follow links, inside the tree only."""
        done: list[str] = []
        parts = [part for part in path.split("/") if part not in ("", ".")]
        links = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                if not done:
                    raise PathError(f"{path!r} is outside the repository.")
                done.pop()
                continue
            found = self._files.get("/".join([*done, part]))
            if isinstance(found, Link):
                links += 1
                if found.target.startswith("/") or links > _MOST_LINKS:
                    raise PathError(f"{path!r} goes through a link that leaves the repository.")
                parts = [one for one in found.target.split("/") if one not in ("", ".")] + parts
            else:
                done.append(part)
        real = "/".join(done)
        return real if real in self._files or real in self._folders else None
