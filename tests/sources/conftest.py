"""A practice GitHub, a source that fetches from it, and repositories made of whatever a test puts into them."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from revieee.clients.git import git
from revieee.model.facts import RepositoryFacts
from revieee.sources.git import GitSource, SourceOptions
from revieee.sources.tree import GitTree, Root
from revieee.testing.github import PracticeGitHub
from support.practice import BOT, clock, practice, pull, repository_facts

__all__ = ["clock", "practice", "pull"]

Commit = Callable[[Mapping[str, bytes | tuple[str, bytes]]], Root]
NewSource = Callable[..., GitSource]


def source_of(practice: PracticeGitHub, folder: Path, *, token: str | None = None, **options: float) -> GitSource:
    """A source as `revieee-bot`, with its mirrors in `folder`."""
    password = practice.personal_token(BOT) if token is None else token

    async def credentials(_: RepositoryFacts) -> tuple[str, str]:
        return "x-access-token", password

    return GitSource(
        SourceOptions(folder=folder, url=practice.web, credentials=credentials, **options)  # type: ignore[arg-type]  # a test's numbers
    )


@pytest.fixture
def new_source(practice: PracticeGitHub, tmp_path: Path) -> NewSource:
    """Makes sources; all have the same mirrors."""

    def make(**options: object) -> GitSource:
        return source_of(practice, tmp_path / "mirrors", **options)  # type: ignore[arg-type]  # as above

    return make


@pytest.fixture
def source(new_source: NewSource) -> GitSource:
    return new_source()


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    """Makes a commit of the given files, `path: content` or `path: (mode, content)`, in a repository of its own."""
    git_dir = tmp_path / "made.git"
    run("init", "--quiet", "--bare", "--", str(git_dir))

    def make(files: Mapping[str, bytes | tuple[str, bytes]]) -> Root:
        lines = [b"commit refs/heads/made\nmark :1\ncommitter a <a@b> 0 +0000\ndata 0\n"]
        for path, given in files.items():
            mode, content = given if isinstance(given, tuple) else ("100644", given)
            name = b'"%s"' % os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
            if mode == "160000":
                lines.append(b"M 160000 %s %s\n" % (content, name))
            else:
                lines.append(b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), name, len(content), content))
        stream = b"".join([*lines, b"get-mark :1\ndone\n"])
        made = run("fast-import", "--quiet", "--force", "--done", git_dir=git_dir, stdin=stream)
        return Root(git_dir, made.decode().split()[0])

    return make


@pytest.fixture
def tree(commit: Commit) -> Iterator[Callable[[Mapping[str, bytes | tuple[str, bytes]]], GitTree]]:
    """Makes a tree of the given files."""
    made: list[GitTree] = []

    def make(files: Mapping[str, bytes | tuple[str, bytes]]) -> GitTree:
        made.append(GitTree(commit(files)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def run(*arguments: str, git_dir: Path | None = None, stdin: bytes = b"", folder: Path | None = None) -> bytes:
    """Runs git, without anybody's settings, and gives what it wrote."""
    command = git(*arguments, git_dir=git_dir)
    done = subprocess.run(
        command.arguments, input=stdin, env=dict(command.environment), cwd=folder, capture_output=True, check=True
    )
    return done.stdout


@pytest.fixture
def shop(practice: PracticeGitHub) -> RepositoryFacts:
    return repository_facts(practice)


async def content_of(source: GitSource, shop: RepositoryFacts, commit: str, path: str) -> bytes:
    with await source.tree(shop, commit) as tree:
        return tree.read(path)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def empty_folder(tmp_path: Path) -> Path:
    folder = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return folder
