"""Commits as files in a folder, submodules included."""

import tempfile
from pathlib import Path

import pytest

from revieee.model.facts import RepositoryFacts
from revieee.ports import Refused
from revieee.sources.git import GitSource
from revieee.testing.github import GitFile, NewRepository, PracticeGitHub, PullRequest
from revieee.testing.github.git import FileContent
from sources.conftest import NewSource, content_of, empty_folder


async def test_a_checkout_has_the_files_as_their_author_made_them(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, tmp_path: Path
) -> None:
    files: dict[str, FileContent] = {
        "run": GitFile(b"#!/bin/sh\n", "100755"),
        "plain": "1",
        "out": GitFile(b"/etc", "120000"),
        "-x\ny/z": "2",
        "dos.bat": "a\nb\n",
        "big.bin": "version https://git-lfs.example/spec/v1\n",
        ".gitattributes": "*.bat text eol=crlf\n*.bin filter=lfs\n",
    }
    commit = await practice.commit("acme/shop", "feature", files)
    pull = await practice.open_pull_request("acme/shop", "feature", "x")
    await source.fetch(shop, pull.number, commit)
    folder = empty_folder(tmp_path)

    await source.checkout(shop, commit, folder)

    assert (folder / "run").stat().st_mode & 0o777 == 0o755
    assert (folder / "plain").stat().st_mode & 0o777 == 0o644
    assert (folder / "out").readlink() == Path("/etc")
    assert (folder / "-x\ny" / "z").read_text() == "2"
    assert (folder / "dos.bat").read_bytes() == b"a\r\nb\r\n"
    assert (folder / "big.bin").read_text().startswith("version")
    assert not (folder / ".git").exists()


async def test_a_checkout_uses_no_other_temporary_folder_and_leaves_nothing_beside_it(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await source.fetch(shop, 1, pull.head_sha)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    folder = tmp_path / "checkouts" / "7"
    folder.mkdir(parents=True)

    await source.checkout(shop, pull.head_sha, folder)

    assert list(folder.iterdir())
    assert list(folder.parent.iterdir()) == [folder]


async def test_a_commit_of_too_many_files_is_refused(
    new_source: NewSource, shop: RepositoryFacts, practice: PracticeGitHub, tmp_path: Path
) -> None:
    commit = await practice.commit("acme/shop", "feature", {f"f{number}": "" for number in range(30)})
    pull = await practice.open_pull_request("acme/shop", "feature", "x")
    source = new_source(file_limit=20)
    await source.fetch(shop, pull.number, commit)

    with pytest.raises(Refused, match="too large or too many"):
        await source.checkout(shop, commit, empty_folder(tmp_path))


@pytest.mark.slow
async def test_few_objects_that_unfold_without_end_are_refused(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, tmp_path: Path
) -> None:
    """A folder of ten times the same folder of ten times … : 10^10 files in 11 objects."""
    made = await practice.hub.git.run(shop.id, "hash-object", "-w", "--stdin", stdin=b"x")
    kind, mode = "blob", "100644"
    for _ in range(10):
        lines = b"".join(b"%s %s %s\tf%d\n" % (mode.encode(), kind.encode(), made.strip(), n) for n in range(10))
        made = await practice.hub.git.run(shop.id, "mktree", stdin=lines)
        kind, mode = "tree", "040000"
    stream = b'commit refs/heads/made\nmark :1\ncommitter a <a@b> 0 +0000\ndata 0\nM 040000 %s ""\nget-mark :1\ndone\n'
    output = await practice.hub.git.run(shop.id, "fast-import", "--quiet", "--done", stdin=stream % made.strip())
    commit = output.decode().split()[0]
    await practice.hub.git.set_ref(shop.id, "refs/pull/7/head", commit)
    await source.fetch(shop, 7, commit)

    with pytest.raises(Refused, match="too large or too many"):
        await source.checkout(shop, commit, empty_folder(tmp_path))


async def with_library(practice: PracticeGitHub, url: str, path: str = "lib") -> PullRequest:
    await practice.create_repository(NewRepository("acme/lib", {"code": "library\n"}))
    tip = (await practice.hub.git.branches(practice.repository("acme/lib").id))["main"]
    files: dict[str, FileContent] = {
        ".gitmodules": f'[submodule "the lib"]\n\tpath = {path}\n\turl = {url}\n',
        path: GitFile(tip.encode(), "160000"),
        "note": GitFile(b"1" * 40, "160000"),
    }
    await practice.commit("acme/shop", "feature", files)
    return await practice.open_pull_request("acme/shop", "feature", "x")


@pytest.mark.parametrize("absolute", [False, True])
async def test_submodules_of_the_same_host_come_along(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, tmp_path: Path, *, absolute: bool
) -> None:
    pull = await with_library(practice, f"{practice.web}/acme/lib.git" if absolute else "../lib.git")
    await source.fetch(shop, pull.number, pull.head_sha)
    folder = empty_folder(tmp_path)

    await source.checkout(shop, pull.head_sha, folder)

    assert await content_of(source, shop, pull.head_sha, "lib/code") == b"library\n"
    assert (folder / "lib" / "code").read_text() == "library\n"
    assert list((folder / "note").iterdir()) == []


@pytest.mark.parametrize("url", ["https://elsewhere.example/acme/lib", "file:///srv/lib", "ext::sh -c id", "/srv/lib"])
async def test_submodules_of_other_hosts_are_refused_by_name(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, url: str
) -> None:
    pull = await with_library(practice, url)

    with pytest.raises(Refused, match="the submodule 'the lib' is at"):
        await source.fetch(shop, pull.number, pull.head_sha)


async def test_a_submodule_at_a_commit_that_was_never_pushed(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub
) -> None:
    await practice.create_repository(NewRepository("acme/lib", {"code": "1"}))
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = ../lib\n'
    commit = await practice.commit(
        "acme/shop", "feature", {".gitmodules": modules, "lib": GitFile(b"1" * 40, "160000")}
    )
    pull = await practice.open_pull_request("acme/shop", "feature", "x")

    with pytest.raises(Refused, match="no commit of acme/lib"):
        await source.fetch(shop, pull.number, commit)
