"""The files of one commit, as the manifest reads them."""

import posixpath
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What a path of a tree is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SUBMODULE = "submodule"


class PathError(ValueError):
    """A path that leaves the tree, goes through too many links, or is not a file of the tree."""


_LONGEST = 4096
"""Characters of a path; the kernel takes as many bytes (``PATH_MAX``)."""


class Tree(Protocol):
    """Read-only files of one commit. Paths are relative to its root, with ``/``; ``""`` is the root.

    Symbolic links are followed inside the tree only; a link that leaves it raises :class:`PathError`.
    """

    def kind(self, path: str) -> Kind | None:
        """Tell what is at ``path`` (links followed), or None if nothing is."""

    def read(self, path: str, limit: int = 1_000_000) -> bytes:
        """Give a file's content.

        Raises:
            PathError: not a file, outside the tree, or larger than ``limit`` bytes.
        """

    def executable(self, path: str) -> bool:
        """Tell whether the file at ``path`` may be run (git's mode 100755; links followed); False if none is there."""

    def list(self, path: str = "") -> Sequence[str]:
        """Give the names in a folder, sorted; empty where there is none."""

    def object_id(self, path: str) -> str | None:
        """Give the hash of a file's or folder's content (git's object id), or None if nothing is there."""


def inside(base: str, path: str) -> str:
    """Join ``path`` to the folder ``base`` and keep the result in the tree.

    Raises:
        PathError: the path is absolute, climbs out with ``..``, or is longer than any that a checkout could hold.
    """
    if len(path) > _LONGEST:
        raise PathError(f"{path[:80]!r}… is no path of the repository: it has more than {_LONGEST} characters.")
    if path.startswith("/") or "\0" in path:
        raise PathError(f"{path!r} is outside the repository. Paths are relative to the repository's root.")
    joined = posixpath.normpath(posixpath.join(base, path)) if base or path else ""
    if joined == ".":
        return ""
    if joined == ".." or joined.startswith("../"):
        raise PathError(f"{path!r} is outside the repository. Paths must stay below the repository's root.")
    return joined
