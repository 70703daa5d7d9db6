"""Mirrors over time: what they keep, how they are damaged and made again."""

import asyncio
import os
from pathlib import Path

import pytest

from revieee.model.facts import RepositoryFacts
from revieee.ports import Refused, RetryLater
from revieee.sources.git import GitSource
from revieee.testing.github import PracticeGitHub, PullRequest
from sources.conftest import NewSource, content_of, empty_folder, size


@pytest.mark.slow
async def test_many_pushes_leave_few_packs(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub, tmp_path: Path
) -> None:
    first = pull.head_sha
    for number in range(27):
        commit = await practice.push(pull, {"n": str(number)})
        await source.fetch(shop, 1, commit)

    assert len(list((tmp_path / "mirrors").rglob("*.pack"))) < 10
    assert await content_of(source, shop, first, "index.html") == b"new\n"


async def test_a_push_moves_only_what_is_new(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, tmp_path: Path
) -> None:
    await practice.commit("acme/shop", "big", {"big": os.urandom(2_000_000)})
    pull = await practice.open_pull_request("acme/shop", "big", "x")
    await source.fetch(shop, pull.number, pull.head_sha)
    before = size(tmp_path / "mirrors")

    commit = await practice.push(pull, {"small": "1"})
    await source.fetch(shop, pull.number, commit)

    assert size(tmp_path / "mirrors") - before < 20_000


@pytest.mark.slow
async def test_too_large_a_repository_is_refused_and_not_kept(
    new_source: NewSource, shop: RepositoryFacts, practice: PracticeGitHub, tmp_path: Path
) -> None:
    await practice.commit("acme/shop", "big", {"big": os.urandom(3_000_000)})
    pull = await practice.open_pull_request("acme/shop", "big", "x")

    with pytest.raises(Refused, match=r"acme/shop is larger than 1 MB"):
        await new_source(size_limit=1_000_000).fetch(shop, pull.number, pull.head_sha)

    assert size(tmp_path / "mirrors") < 100_000


@pytest.mark.slow
async def test_a_mirror_that_grew_old_is_begun_anew_before_anything_is_refused(
    new_source: NewSource, shop: RepositoryFacts, practice: PracticeGitHub
) -> None:
    source = new_source(size_limit=1_500_000)
    await practice.commit("acme/shop", "old", {"big": os.urandom(1_000_000)})
    old = await practice.open_pull_request("acme/shop", "old", "x")
    await source.fetch(shop, old.number, old.head_sha)
    await practice.commit("acme/shop", "new", {"big": os.urandom(1_000_000)})
    new = await practice.open_pull_request("acme/shop", "new", "x")

    await source.fetch(shop, new.number, new.head_sha)

    assert len(await content_of(source, shop, new.head_sha, "Dockerfile")) > 0


async def test_what_a_killed_fetch_left_is_cleared(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub, tmp_path: Path
) -> None:
    await source.fetch(shop, 1, pull.head_sha)
    mirror = tmp_path / "mirrors" / f"{shop.id}.git"
    left = [mirror / "refs/revieee/pull-1.lock", mirror / "packed-refs.lock", mirror / "objects/pack/tmp_pack_x"]
    for path in left:
        path.write_text("")

    commit = await practice.push(pull, {"index.html": "newer\n"})
    await source.fetch(shop, 1, commit)

    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("harm", ["packs", "HEAD", "refs"])
async def test_a_damaged_mirror_is_made_again(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub, tmp_path: Path, harm: str
) -> None:
    await source.fetch(shop, 1, pull.head_sha)
    mirror = tmp_path / "mirrors" / f"{shop.id}.git"
    match harm:
        case "packs":
            for path in (mirror / "objects" / "pack").iterdir():
                path.unlink()
        case "HEAD":
            (mirror / "HEAD").unlink()
        case _:
            (mirror / "refs" / "revieee" / "pull-1").write_text("garbage\n")

    commit = await practice.push(pull, {"index.html": "newer\n"})
    await source.fetch(shop, 1, commit)

    assert await content_of(source, shop, commit, "index.html") == b"newer\n"


async def test_a_mirror_that_is_damaged_under_a_checkout_is_fetched_again(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, tmp_path: Path
) -> None:
    await source.fetch(shop, 1, pull.head_sha)
    for path in (tmp_path / "mirrors").rglob("*.pack"):
        path.chmod(0o600)
        path.write_bytes(b"PACK" + b"\0" * 100)

    with pytest.raises(RetryLater):
        await source.checkout(shop, pull.head_sha, empty_folder(tmp_path))
    await source.fetch(shop, 1, pull.head_sha)
    await source.checkout(shop, pull.head_sha, empty_folder(tmp_path))


@pytest.mark.slow
async def test_two_that_fetch_the_same_do_not_meet(
    new_source: NewSource, shop: RepositoryFacts, practice: PracticeGitHub
) -> None:
    pulls = []
    for number in range(4):
        await practice.commit("acme/shop", f"b{number}", {"n": str(number)})
        pulls.append(await practice.open_pull_request("acme/shop", f"b{number}", "x"))
    sources = [new_source(), new_source()]

    await asyncio.gather(*(one.fetch(shop, pull.number, pull.head_sha) for pull in pulls for one in sources))

    for number, pull in enumerate(pulls):
        assert await content_of(sources[0], shop, pull.head_sha, "n") == b"%d" % number


async def test_a_forgotten_repository_is_gone(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, tmp_path: Path
) -> None:
    await source.fetch(shop, 1, pull.head_sha)
    await source.forget(shop)

    left = list((tmp_path / "mirrors").iterdir())
    assert [path.suffix for path in left] == [".lock"]
    await source.forget(shop)
    assert list((tmp_path / "mirrors").iterdir()) == left
    await source.fetch(shop, 1, pull.head_sha)
