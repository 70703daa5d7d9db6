"""Real git repositories under the practice GitHub's data folder, written and read through the git program.

Every repository is bare and named by its number, so a rename moves nothing. Nobody's own git settings take part.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from revieee.testing.github.shapes import Json
from revieee.testing.github.shapes_pulls import Size

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}
"""What git sees of the world: nothing of the person who runs the test."""

CONFIGURATION = {
    "core.repositoryformatversion": "0",
    "core.bare": "true",
    "http.receivepack": "true",
    # GitHub gives out any commit by its hash, also those that only a pull request of a fork reaches.
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowReachableSHA1InWant": "true",
    "uploadpack.allowTipSHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    # `refs/pull` is GitHub's own: shown to who fetches, closed to who pushes.
    "receive.hideRefs": "refs/pull",
    "receive.denyDeleteCurrent": "refuse",
    "gc.auto": "0",
    "receive.autogc": "false",
    "core.logAllRefUpdates": "false",
}

HASH = re.compile(r"[0-9a-f]{40}")
NOTHING = "0" * 40
"""The hash that stands for "no commit" before a branch is made and after it is deleted."""


@dataclass(frozen=True)
class GitFile:
    """A file with a mode: `100755` runs, `120000` is a symbolic link, `160000` a submodule (content: its commit)."""

    content: bytes
    mode: str = "100644"


FileContent = str | bytes | GitFile | None
"""What a path is to hold; None removes it."""

Files = Mapping[str, FileContent]


@dataclass(frozen=True)
class Change:
    """A commit to make: on `branch`, on top of `parent` (None: a first commit)."""

    branch: str
    parent: str | None
    files: Files
    message: str
    author: str
    when: datetime


@dataclass(frozen=True)
class Commit:
    """A commit as the pages show it."""

    sha: str
    author: str
    when: datetime
    subject: str


class GitFailed(Exception):
    """Git refused; the message holds what it said."""


def _quoted(path: str) -> bytes:
    """Write a path for `git fast-import`, whatever it holds."""
    return b'"%s"' % path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def fast_import(change: Change) -> bytes:
    """Write a commit as a `git fast-import` stream that prints the new hash (git-fast-import(1))."""
    message = change.message.encode()
    name = "".join(letter for letter in change.author if letter not in "<>\n\0")
    who = f"{name} <{name}@users.noreply.localhost> {int(change.when.timestamp())} +0000"
    lines = [f"commit refs/heads/{change.branch}\nmark :1\nauthor {who}\ncommitter {who}".encode()]
    lines.append(b"data %d\n%s" % (len(message), message))
    if change.parent is not None:
        lines.append(f"from {change.parent}".encode())
    for path, content in change.files.items():
        lines.append(_modification(path, content))
    return b"\n".join([*lines, b"", b"get-mark :1", b"done", b""])


def _modification(path: str, content: FileContent) -> bytes:
    if content is None:
        return b"D " + _quoted(path)
    file = (
        content if isinstance(content, GitFile) else GitFile(content.encode() if isinstance(content, str) else content)
    )
    if file.mode == "160000":
        return b"M 160000 %s %s" % (file.content, _quoted(path))
    return b"M %s inline %s\ndata %d\n%s" % (file.mode.encode(), _quoted(path), len(file.content), file.content)


def _places(name: str) -> tuple[str, str]:
    return f"refs/heads/{name}", f"refs/tags/{name}"


def changed_files(fields: list[str]) -> list[Json]:
    """Read `git diff --raw --numstat -z`: first a pair of fields for each file, then its counts, path at the end."""
    words = {"A": "added", "D": "removed"}
    rows: dict[str, Json] = {}
    left = iter(fields)
    for field in left:
        if field.startswith(":"):
            _, _, _, sha, letter = field.split()
            path = next(left)
            blob = None if set(sha) == {"0"} else sha
            rows[path] = {"filename": path, "status": words.get(letter, "modified"), "sha": blob}
        else:
            added, deleted, path = field.split("\t", 2)
            rows[path]["additions"] = 0 if added == "-" else int(added)
            rows[path]["deletions"] = 0 if deleted == "-" else int(deleted)
    return list(rows.values())


class GitStore:
    """The git repositories, each at `<folder>/<number>.git`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int) -> Path:
        """Give where a repository lies."""
        return self.folder / f"{number}.git"

    async def run(self, number: int, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run git in a repository and give what it printed.

        Raises:
            GitFailed: it ended with another code than 0.
        """
        process = await asyncio.create_subprocess_exec(
            "git",
            f"--git-dir={self.path(number)}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=ENVIRONMENT,
        )
        output, complaint = await process.communicate(stdin)
        if process.returncode != 0:
            raise GitFailed(f"git {' '.join(arguments)}: {complaint.decode(errors='replace').strip()}")
        return output

    def create(self, number: int, default_branch: str) -> None:
        """Make an empty repository: what `git init --bare` makes, without starting git (gitrepository-layout(5))."""
        path = self.path(number)
        for folder in ("objects", "refs/heads"):
            (path / folder).mkdir(parents=True)
        (path / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n", encoding="utf-8")
        sections: dict[str, list[str]] = {}
        for key, value in CONFIGURATION.items():
            section, name = key.split(".")
            sections.setdefault(section, []).append(f"\t{name} = {value}\n")
        text = "".join(f"[{section}]\n{''.join(lines)}" for section, lines in sections.items())
        (path / "config").write_text(text, encoding="utf-8")

    async def copy(self, source: int, target: int, default_branch: str) -> None:
        """Make a fork: a new repository with all branches of another."""
        self.create(target, default_branch)
        await self.run(target, "fetch", "--quiet", str(self.path(source)), "+refs/heads/*:refs/heads/*")

    async def resolve(self, number: int, name: str) -> str | None:
        """Give the commit that a branch, tag, ref or hash names; None where it names none."""
        for candidate in (name,) if name.startswith("refs/") or HASH.fullmatch(name) else (*_places(name), name):
            try:
                found = await self.run(
                    number, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"
                )
            except GitFailed:
                continue
            return found.decode().strip()
        return None

    async def branches(self, number: int) -> dict[str, str]:
        """Give all branches and the commits they are at."""
        listing = await self.run(number, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/")
        pairs = (line.split(" ", 1) for line in listing.decode().split("\n") if line)
        return {ref.removeprefix("refs/heads/"): sha for sha, ref in pairs}

    async def commit(self, number: int, change: Change) -> str:
        """Make a commit, move its branch there (also backwards) and give its hash."""
        if any(letter <= " " or letter == "\x7f" for letter in change.branch):
            raise GitFailed(f"{change.branch!r} is not a name that a branch can have")  # it would end our line
        output = await self.run(number, "fast-import", "--quiet", "--force", "--done", stdin=fast_import(change))
        return output.decode().split()[0]

    async def set_ref(self, number: int, ref: str, sha: str | None) -> None:
        """Point a full ref at a commit, or remove it."""
        await self.run(number, "update-ref", *(["-d", ref] if sha is None else [ref, sha]))

    async def adopt(self, number: int, source: int, sha: str, ref: str) -> None:
        """Point a ref at a commit that may have to come from another repository first."""
        if number != source:
            await self.run(number, "fetch", "--quiet", "--no-write-fetch-head", str(self.path(source)), sha)
        await self.set_ref(number, ref, sha)

    async def merge_base(self, number: int, one: str, other: str) -> str | None:
        """Give the newest common ancestor."""
        try:
            return (await self.run(number, "merge-base", one, other)).decode().strip()
        except GitFailed:
            return None

    async def merge(self, number: int, into: str, sha: str, change: Change) -> str:
        """Merge a commit into another and give the merge commit; moves nothing.

        Raises:
            GitFailed: the two conflict.
        """
        tree = (await self.run(number, "merge-tree", "--write-tree", into, sha)).decode().split()[0]
        stamp = f"{int(change.when.timestamp())} +0000"
        who = (f"user.name={change.author}", f"user.email={change.author}@users.noreply.localhost")
        settings = [part for one in who for part in ("-c", one)]
        process = await asyncio.create_subprocess_exec(
            "git", f"--git-dir={self.path(number)}", *settings,
            "commit-tree", tree, "-p", into, "-p", sha, "-m", change.message,
            stdout=asyncio.subprocess.PIPE,
            env=ENVIRONMENT | {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp},
        )  # fmt: skip
        output, _ = await process.communicate()
        return output.decode().strip()

    async def is_ancestor(self, number: int, old: str, new: str) -> bool:
        """Tell whether a move from `old` to `new` is a fast-forward."""
        return await self.merge_base(number, old, new) == old

    async def changes(self, number: int, base: str, head: str) -> list[Json]:
        """Give the files that differ between the common ancestor and the head, with their counts."""
        form = ("--raw", "--numstat", "--no-renames", "--no-abbrev", "-z")
        output = await self.run(number, "diff", *form, f"{base}...{head}", "--")
        return changed_files(output.decode(errors="replace").split("\0")[:-1])

    async def size(self, number: int, base: str, head: str) -> Size:
        """Count commits and changed lines of a pull request."""
        commits = await self.run(number, "rev-list", "--count", f"{base}..{head}", "--")
        rows = await self.changes(number, base, head)
        added, deleted = (sum(row[key] for row in rows) for key in ("additions", "deletions"))
        return Size(int(commits), added, deleted, len(rows))

    async def log(self, number: int, span: str, limit: int = 50) -> list[Commit]:
        """Give commits of a span such as `base..head`, oldest first."""
        form = "--format=%H%x00%an%x00%ct%x00%s"
        text = await self.run(number, "log", f"--max-count={limit}", "--reverse", form, "--end-of-options", span, "--")
        rows = (line.split("\0", 3) for line in text.decode(errors="replace").splitlines())
        return [
            Commit(sha, author, datetime.fromtimestamp(int(when)).astimezone(), subject)
            for sha, author, when, subject in rows
        ]

    async def forget_unreachable(self, number: int) -> None:
        """Throw away what no ref reaches, as GitHub does some time after a force-push."""
        await self.run(number, "gc", "--quiet", "--prune=now")
