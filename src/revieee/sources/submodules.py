"""Submodules: which repository of the forge they name, if any; pure but for asking git to read ``.gitmodules``."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from revieee.clients.git import git, setting_pairs
from revieee.clients.process import run
from revieee.model.names import BadName, repository_name
from revieee.model.tree import Kind
from revieee.ports import Refused
from revieee.sources.tree import GitTree

FILE = ".gitmodules"
_MOST = 100
_KEY = re.compile(r"submodule\.(?P<name>.*)\.(?P<what>path|url)", re.DOTALL)
_SHORT_SSH = re.compile(r"(?:[^@/:]+@)?(?P<host>[^@/:]+):(?P<path>(?!//).*)", re.DOTALL)
"""``git@host:owner/repository`` (git-clone(1), GIT URLS)."""
_HTTP = frozenset({"http", "https"})
_SCHEMES = _HTTP | {"ssh", "git"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """One submodule of a commit."""

    path: str
    repository: str
    """``owner/repository`` on the same forge."""
    commit: str


async def submodules(tree: GitTree, git_dir: Path, commit: str, parent: str, base: str) -> Sequence[Submodule]:
    """Give the submodules of a commit; one without an entry in ``.gitmodules`` stays an empty folder, as in any clone.

    Args:
        tree: the commit's files.
        git_dir: the repository.
        commit: the full hash.
        parent: the repository's ``owner/repository``.
        base: the forge's address.

    Raises:
        Refused: one is of another host, or there are too many.
    """
    if tree.kind(FILE) is not Kind.FILE:
        return ()
    ended = await run(
        git("config", f"--blob={commit}:{FILE}", "-z", "--get-regexp", r"^submodule\..*\.(path|url)$", git_dir=git_dir)
    )
    if ended.code not in (0, 1):  # 1: no such keys
        raise Refused(f"{FILE} cannot be read: {ended.errors.decode(errors='replace').strip()}")
    written: dict[str, dict[str, str]] = {}
    for key, value in setting_pairs(ended.output):
        found = _KEY.fullmatch(key)
        if found:
            written.setdefault(found["name"], {})[found["what"]] = value
    links = {name: tree.submodule(entry.get("path", "")) for name, entry in written.items()}
    if sum(link is not None for link in links.values()) > _MOST:
        raise Refused(f"{FILE} names more than {_MOST} submodules.")
    return [
        Submodule(path=written[name]["path"], repository=_of(name, written[name], parent, base), commit=link)
        for name, link in links.items()
        if link is not None
    ]


def _of(name: str, entry: dict[str, str], parent: str, base: str) -> str:
    url = entry.get("url", "")
    repository = same_forge(url, parent, base)
    if repository is None:
        raise Refused(
            f"{FILE}: the submodule {name!r} is at {url!r}. Only submodules of {urlsplit(base).hostname} are fetched: "
            "another host would get to see, and to answer, what this machine asks."
        )
    return repository


def same_forge(url: str, parent: str, base: str) -> str | None:
    """Give the ``owner/repository`` that a submodule's address names on the forge, or None if it is elsewhere.

    Args:
        url: as ``.gitmodules`` has it: relative to the parent, HTTP, SSH in both forms.
        parent: ``owner/repository`` of the repository that holds it.
        base: the forge's address.
    """
    path = _path_on(url, parent, base)
    if path is None:
        return None
    try:
        return repository_name(path.strip("/").removesuffix(".git"))
    except BadName:
        return None


def _path_on(url: str, parent: str, base: str) -> str | None:
    if not url.isprintable():  # `urlsplit` would drop line ends and go on
        return None
    if url.startswith(("./", "../")):
        return posixpath.normpath(f"{parent}/{url}")
    short = _SHORT_SSH.fullmatch(url)
    if short and "//" not in url:
        return short["path"] if short["host"] == urlsplit(base).hostname else None
    try:
        return _path_of_address(url, base)
    except ValueError:  # no address: a bracket, a port that is no number
        return None


def _path_of_address(url: str, base: str) -> str | None:
    ours, theirs = urlsplit(base), urlsplit(url)
    if theirs.scheme not in _SCHEMES or theirs.hostname != ours.hostname:
        return None
    if theirs.scheme not in _HTTP:
        return theirs.path
    return theirs.path.removeprefix(ours.path.rstrip("/")) if theirs.port == ours.port else None
