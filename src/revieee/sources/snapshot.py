"""A working folder as a tree, for ``revieee plan``: also what is not committed, without writing to the repository."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from revieee.clients.git import git
from revieee.ports import Refused
from revieee.sources.tree import GitTree, Root

_DEPTH = 5
MOST_FILES = 100_000
"""Files that a folder may hold beside those that its repository has already."""
MOST_BYTES = 4 * 2**30
"""What they may hold together: a copy of them is made."""
_PATIENCE = 60.0
"""Seconds that naming them may take: in a folder like ``/`` that has no end."""


@dataclass(frozen=True, slots=True)
class _Repository:
    """What a working folder's repository has that makes reading the folder quick."""

    objects: Path
    index: Path
    excluded: Path


@contextmanager
def snapshot(folder: Path) -> Iterator[GitTree]:
    """Give the files of a folder as they are now: tracked or not, without what ``.gitignore`` leaves out.

    The folder may be a git repository or none. Nothing in it changes (git may renew the time of an object it finds):
    index and objects are temporary ones, which borrow the repository's own so that unchanged files are not read again.

    Args:
        folder: its root; becomes the tree's root.

    Raises:
        Refused: there is no such folder, it cannot be read, or it holds too much to be a checkout.
    """
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder.")
    with ExitStack() as scratches:
        root, modules = _taken(folder.resolve(), scratches, 0)
        with GitTree(root, modules) as tree:
            yield tree


def _taken(folder: Path, scratches: ExitStack, depth: int) -> tuple[Root, dict[str, Root]]:
    scratch = Path(scratches.enter_context(tempfile.TemporaryDirectory(prefix="revieee-snapshot-")))
    git_dir, index = scratch / "git", scratch / "index"
    _run(folder, "init", "--quiet", "--bare", "--template=", "--", str(git_dir))
    theirs = _repository(folder)
    borrowed: dict[str, str] = {}
    if theirs is not None:
        (git_dir / "objects" / "info").mkdir(exist_ok=True)
        (git_dir / "objects" / "info" / "alternates").write_bytes(os.fsencode(theirs.objects) + b"\n")
        borrowed["core.excludesFile"] = str(theirs.excluded)
        if theirs.index.exists():
            shutil.copy2(theirs.index, index)  # its time as well: by that git sees what changed moments after it
    places = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(folder)}
    new = ("ls-files", "--others", "--modified", "--exclude-standard", "-z")
    try:
        names = _run(folder, *new, git_dir=git_dir, places=places, settings=borrowed, timeout=_PATIENCE)
    except Refused:
        if not index.exists():
            raise
        index.unlink()  # an index of a kind that cannot stand alone (split): read all files then
        names = _run(folder, *new, git_dir=git_dir, places=places, settings=borrowed, timeout=_PATIENCE)
    _bounded(folder, names)
    add = ("add", "--all", "--ignore-errors", "--", ".")
    _run(folder, *add, git_dir=git_dir, places=places, settings=borrowed)
    tree = _run(folder, "write-tree", "--missing-ok", git_dir=git_dir, places=places).decode().strip()
    modules: dict[str, Root] = {}
    listing = _run(folder, "ls-files", "--stage", "-z", git_dir=git_dir, places=places)
    for path in _links(listing):
        if depth < _DEPTH and (folder / path / ".git").exists():
            root, below = _taken(folder / path, scratches, depth + 1)
            modules |= {path: root} | {f"{path}/{name}": one for name, one in below.items()}
    return Root(git_dir, tree), modules


def _bounded(folder: Path, names: bytes) -> None:
    """Refuse to copy more than a checkout has."""
    found = names.split(b"\0")[:-1]
    if len(found) > MOST_FILES:
        raise _too_much(folder, f"holds more than {MOST_FILES:,} files that no commit has")
    size = 0
    for name in found:
        with suppress(OSError):  # removed, or not to be read: git leaves it out as well
            size += (folder / os.fsdecode(name)).lstat().st_size
    if size > MOST_BYTES:
        raise _too_much(folder, f"holds more than {MOST_BYTES // 2**30} GiB in files that no commit has")


def _too_much(folder: Path, words: str) -> Refused:
    return Refused(
        f"{folder} {words}. Name the folder of a checkout, or let `.gitignore` leave out what is none of it."
    )


def _links(listing: bytes) -> Iterator[str]:
    for line in listing.split(b"\0"):
        head, _, path = line.partition(b"\t")
        if head.startswith(b"160000 "):
            yield os.fsdecode(path)


def _repository(folder: Path) -> _Repository | None:
    """Find the repository whose root this folder is (gitrepository-layout(5)), asking nothing of its settings."""
    place = folder / ".git"
    if place.is_file():  # a submodule or a linked working tree
        place = folder / place.read_text(encoding="utf-8", errors="surrogateescape").removeprefix("gitdir:").strip()
    common = place
    if (place / "commondir").is_file():
        common = place / (place / "commondir").read_text(encoding="utf-8", errors="surrogateescape").strip()
    objects = (common / "objects").resolve()
    if not objects.is_dir() or "\n" in str(objects):
        return None
    return _Repository(objects=objects, index=place / "index", excluded=common / "info" / "exclude")


def _run(
    folder: Path,
    *arguments: str,
    git_dir: Path | None = None,
    places: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> bytes:
    command = git(*arguments, git_dir=git_dir, environment=places, settings=settings, timeout=timeout)
    try:
        ended = subprocess.run(
            command.arguments,
            env=dict(command.environment),
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=command.timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_much(folder, f"holds more than can be looked through in {error.timeout:g} s") from error
    if ended.returncode < 0:
        raise Refused(f"{folder} could not be read: git was ended by signal {-ended.returncode}.")
    if ended.returncode not in (0, 1):  # 1: `add` left out what it could not read
        words = ended.stderr.decode(errors="replace").strip()
        raise Refused(f"{folder} cannot be read: {words}")
    return ended.stdout
