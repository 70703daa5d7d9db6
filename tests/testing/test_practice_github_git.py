"""Git over HTTP: real git, talking to the practice GitHub as to the real one."""

from pathlib import Path

import pytest

from revieee.testing.github import FileContent, GitFile, NewRepository, Opening, PracticeGitHub, PullRequest
from testing.practice_parts import Git


def address(github: PracticeGitHub, name: str, token: str | None = None) -> str:
    """Give a clone URL; people may write their token into it, as the tests do."""
    return f"{github.web}/{name}.git".replace("://", f"://x-access-token:{token}@" if token else "://")


async def test_a_pull_request_s_commit_is_fetched_by_its_ref(
    github: PracticeGitHub, pull: PullRequest, git: Git, tmp_path: Path
) -> None:
    assert (await git("clone", "--quiet", address(github, "acme/shop"), "work")).code == 0
    assert (await git("-C", "work", "fetch", "--quiet", "origin", "refs/pull/1/head")).code == 0
    assert (await git("-C", "work", "rev-parse", "FETCH_HEAD")).out.strip() == pull.head_sha
    assert (tmp_path / "work" / "Dockerfile").read_text() == "FROM scratch\n"


async def test_a_replaced_commit_is_fetched_by_its_hash_until_it_is_forgotten(
    github: PracticeGitHub, pull: PullRequest, git: Git
) -> None:
    lost = pull.head_sha
    await github.force_push(pull, {"other": "1"})
    await git("init", "--quiet", "one")
    assert (await git("-C", "one", "fetch", address(github, "acme/shop"), lost)).code == 0
    await github.forget_unreachable("acme/shop")
    await git("init", "--quiet", "two")
    refused = await git("-C", "two", "fetch", address(github, "acme/shop"), lost)
    assert (refused.code, "not our ref" in refused.err) == (128, True)


async def test_a_partial_clone_of_one_commit(github: PracticeGitHub, pull: PullRequest, git: Git) -> None:
    await git("init", "--quiet", "work")
    url = address(github, "acme/shop")
    got = await git("-C", "work", "fetch", "--quiet", "--depth=1", "--filter=blob:none", url, pull.head_sha)
    assert got.code == 0
    assert (await git("-C", "work", "rev-list", "--count", "FETCH_HEAD")).out.strip() == "1"


async def test_a_private_repository_wants_a_token(github: PracticeGitHub, git: Git) -> None:
    await github.create_repository(NewRepository("acme/vault", {"secret": "1"}, private=True))
    nobody = await git("ls-remote", address(github, "acme/vault"))
    assert "could not read Username" in nobody.err
    wrong = await git("ls-remote", address(github, "acme/vault", "ghp_wrong"))
    assert "Authentication failed" in wrong.err
    stranger = await git("ls-remote", address(github, "acme/vault", github.personal_token("revieee-bot")))
    assert "Repository not found" in stranger.err
    owner = await git("ls-remote", address(github, "acme/vault", github.personal_token("acme")))
    assert "refs/heads/main" in owner.out


async def test_a_real_push_moves_the_pull_request(
    github: PracticeGitHub, pull: PullRequest, git: Git, tmp_path: Path
) -> None:
    url = address(github, "acme/shop", github.personal_token("revieee-bot"))
    await git("clone", "--quiet", "--branch=feature", url, "work")
    (tmp_path / "work" / "more.html").write_text("more" * 100_000)
    await git("-C", "work", "add", ".")
    await git("-C", "work", "commit", "--quiet", "--message=More")
    assert (await git("-C", "work", "push", "--quiet", "origin", "feature")).code == 0
    sha = (await git("-C", "work", "rev-parse", "HEAD")).out.strip()
    assert pull.head_sha == sha
    told = {one.event: one for one in github.webhooks.deliveries}
    assert told["pull_request"].action == "synchronize"
    assert told["push"].payload["after"] == sha
    assert (await git("-C", "work", "push", "--quiet", "origin", ":feature")).code == 0
    assert pull.state == "closed"


async def test_pushing_is_for_those_who_may(github: PracticeGitHub, pull: PullRequest, git: Git) -> None:
    await git("clone", "--quiet", address(github, "acme/shop"), "work")
    reader = await git("-C", "work", "push", address(github, "acme/shop", github.personal_token("reader")), "HEAD:x")
    assert (reader.code, "403" in reader.err) == (128, True)
    owner = address(github, "acme/shop", github.personal_token("acme"))
    hidden = await git("-C", "work", "push", owner, "HEAD:refs/pull/1/head")
    assert (hidden.code, "deny updating a hidden ref" in hidden.err) == (1, True)
    assert len(pull.heads) == 1


async def test_a_fork_s_commit_is_in_the_base_repository(github: PracticeGitHub, git: Git) -> None:
    await github.fork("acme/shop", "stranger")
    await github.commit("stranger/shop", "idea", {"idea": "1"})
    pull = await github.open_pull_request("acme/shop", "idea", "An idea", Opening(fork="stranger/shop"))
    sha = await github.push(pull, {"idea": "2"})
    listed = await git("ls-remote", address(github, "acme/shop"), "refs/pull/*")
    assert listed.out.split() == [sha, "refs/pull/1/head"]


async def test_modes_links_and_submodules_are_kept(github: PracticeGitHub, pull: PullRequest, git: Git) -> None:
    files: dict[str, FileContent] = {
        "run.sh": GitFile(b"#!/bin/sh\n", "100755"),
        "link": GitFile(b"../../etc/passwd", "120000"),
        "part": GitFile(pull.base_sha.encode(), "160000"),
        'a "b"\nc/ü': "odd",
    }
    await github.push(pull, files)
    await git("clone", "--quiet", "--bare", address(github, "acme/shop"), "bare")
    listed = (await git("-C", "bare", "ls-tree", "-rz", "feature")).out.split("\0")
    modes = {line.split("\t")[1]: line.split()[0] for line in listed if line}
    assert modes == {
        'a "b"\nc/ü': "100644", "run.sh": "100755", "link": "120000", "part": "160000",
        "Dockerfile": "100644", "index.html": "100644",
    }  # fmt: skip


async def test_a_former_name_is_followed(github: PracticeGitHub, pull: PullRequest, git: Git) -> None:
    github.rename_repository("acme/shop", "store")
    listed = await git("ls-remote", address(github, "acme/shop"), "refs/heads/feature")
    assert listed.out.split()[0] == pull.head_sha


@pytest.mark.parametrize("kind", ["error", "cut", "not found"])
async def test_git_fails_on_demand(github: PracticeGitHub, git: Git, kind: str) -> None:
    github.faults.next(kind, "GET git/*")  # type: ignore[arg-type] # a parameter is a plain string
    assert (await git("ls-remote", address(github, "acme/shop"))).code == 128
    assert (await git("ls-remote", address(github, "acme/shop"))).code == 0
    assert github.faults.count("GET git/info/refs") == 2
