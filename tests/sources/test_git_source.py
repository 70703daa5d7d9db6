"""The source against the practice GitHub, over HTTP, with real git on both sides."""

import asyncio
import os
from pathlib import Path

import pytest

from revieee.model.facts import RepositoryFacts
from revieee.ports import Fault, Refused, RetryLater, Severity, Superseded
from revieee.sources.git import GitSource, SourceOptions
from revieee.testing.github import NewRepository, Opening, PracticeGitHub, PullRequest
from sources.conftest import NewSource, content_of, source_of
from support.practice import BOT

pytestmark = pytest.mark.slow

PACKS = "POST git/git-upload-pack"


async def test_a_commit_of_the_repository(source: GitSource, shop: RepositoryFacts, pull: PullRequest) -> None:
    await source.fetch(shop, 1, pull.head_sha)

    assert await content_of(source, shop, pull.head_sha, "index.html") == b"new\n"


async def test_a_commit_of_a_fork(source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub) -> None:
    await practice.fork("acme/shop", "stranger")
    commit = await practice.commit("stranger/shop", "main", {"index.html": "theirs\n"})
    pull = await practice.open_pull_request("acme/shop", "main", "x", Opening(fork="stranger/shop"))

    await source.fetch(shop, pull.number, commit)

    assert await content_of(source, shop, commit, "index.html") == b"theirs\n"


async def test_what_is_at_hand_is_not_asked_for(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub
) -> None:
    await source.fetch(shop, 1, pull.head_sha, base_ref="main")
    asked = practice.faults.count()

    await source.fetch(shop, 1, pull.head_sha, base_ref="main")

    assert practice.faults.count() == asked


async def test_an_older_commit_that_is_still_there(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub
) -> None:
    old = pull.head_sha
    await practice.force_push(pull, {"index.html": "other\n"})

    await source.fetch(shop, 1, old)

    assert await content_of(source, shop, old, "index.html") == b"new\n"


async def test_a_commit_that_vanished_by_a_force_push_is_superseded(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub
) -> None:
    old = pull.head_sha
    await practice.force_push(pull, {"index.html": "other\n"})
    await practice.forget_unreachable("acme/shop")

    with pytest.raises(Superseded, match="no longer a commit"):
        await source.fetch(shop, 1, old)
    await source.fetch(shop, 1, pull.head_sha)


async def test_a_commit_that_the_forge_does_not_show_yet_is_asked_for_again(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest
) -> None:
    await source.fetch(shop, 1, pull.head_sha)

    with pytest.raises(RetryLater, match="does not show"):
        await source.fetch(shop, 1, "1" * 40)
    with pytest.raises(RetryLater, match="does not show"):
        await source.fetch(shop, 99, "1" * 40)


async def test_a_base_branch_that_is_gone_does_not_matter(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest
) -> None:
    await source.fetch(shop, 1, pull.head_sha, base_ref="was-deleted")

    assert await source.changed_paths(shop, "was-deleted", pull.head_sha) is None


async def test_a_base_branch_of_any_name_is_only_a_name(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest
) -> None:
    names = ["a:refs/heads/x", "*", "-u", "--upload-pack=touch x", "a..b", "x\ny", "a\0b", "\ud800", "^main", "x" * 300]
    for name in names:
        await source.fetch(shop, 1, pull.head_sha, base_ref=name)

        assert await source.changed_paths(shop, name, pull.head_sha) is None


async def test_changed_paths_are_those_since_the_merge_base(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub
) -> None:
    commit = await practice.commit("acme/shop", "feature", {"-x\ny/ü": "1", "Dockerfile": None})
    await practice.commit("acme/shop", "main", {"only-on-main": "1"})
    pull = await practice.open_pull_request("acme/shop", "feature", "x")

    await source.fetch(shop, pull.number, commit, base_ref="main")

    assert await source.changed_paths(shop, "main", commit) == ["-x\ny/ü", "Dockerfile"]


async def test_a_base_branch_called_like_the_folder_of_another(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub
) -> None:
    await practice.commit("acme/shop", "feature", {"x": "1"})
    pull = await practice.open_pull_request("acme/shop", "feature", "x")
    await practice.commit("acme/shop", "release", {"y": "1"})
    await source.fetch(shop, pull.number, pull.head_sha, base_ref="release")
    await practice.delete_branch("acme/shop", "release")
    await practice.commit("acme/shop", "release/1", {"z": "1"})

    await source.fetch(shop, pull.number, pull.head_sha, base_ref="release/1")

    assert await source.changed_paths(shop, "release/1", pull.head_sha) is not None


async def test_a_wrong_token_is_the_operators_to_mend(
    new_source: NewSource, shop: RepositoryFacts, pull: PullRequest
) -> None:
    with pytest.raises(Fault, match="token cannot read acme/shop"):
        await new_source(token="wrong").fetch(shop, 1, pull.head_sha)


async def test_a_repository_that_the_token_does_not_see(source: GitSource, practice: PracticeGitHub) -> None:
    await practice.create_repository(NewRepository("acme/secret", {"a": "1"}, private=True))
    facts = RepositoryFacts(id=practice.repository("acme/secret").id, name="acme/secret")

    with pytest.raises(Fault, match="token cannot read acme/secret"):
        await source.fetch(facts, 1, "1" * 40)


async def test_a_renamed_repository_is_not_followed_with_credentials(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub
) -> None:
    practice.rename_repository("acme/shop", "store")

    with pytest.raises(Fault, match="has moved"):
        await source.fetch(shop, 1, pull.head_sha)


@pytest.mark.parametrize("fault", ["error", "unavailable", "cut", "secondary limit"])
async def test_a_forge_in_trouble_is_asked_again_later(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub, fault: str
) -> None:
    practice.faults.next(fault, "* git/*", None)  # type: ignore[arg-type]  # one of the literals

    with pytest.raises(RetryLater):
        await source.fetch(shop, 1, pull.head_sha)
    practice.faults.clear()
    await source.fetch(shop, 1, pull.head_sha)


async def test_a_forge_that_is_not_there(shop: RepositoryFacts, tmp_path: Path, free_port: int) -> None:
    async def none(_: RepositoryFacts) -> None:
        return None

    source = GitSource(SourceOptions(folder=tmp_path, url=f"http://127.0.0.1:{free_port}", credentials=none))

    with pytest.raises(RetryLater, match="did not answer"):
        await source.fetch(shop, 1, "1" * 40)


async def test_a_forge_that_hangs_does_not_hold_us(
    new_source: NewSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub
) -> None:
    practice.faults.next("hang", PACKS, None)

    with pytest.raises(RetryLater, match=r"longer than 0\.3 s"):
        await new_source(timeout=0.3).fetch(shop, 1, pull.head_sha)
    assert not git_processes()


async def test_credentials_are_in_no_argument_and_in_no_file(
    new_source: NewSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub, tmp_path: Path
) -> None:
    token = practice.personal_token(BOT)
    hold = practice.faults.next("hold", PACKS)
    fetching = asyncio.create_task(new_source(token=token).fetch(shop, 1, pull.head_sha))
    await hold.met.wait()

    commands = git_processes()
    hold.release()
    await fetching

    assert any("fetch" in command for command in commands)
    assert not any(token in command or "Basic" in command for command in commands)
    for path in (tmp_path / "mirrors").rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes()


async def test_cancelling_ends_git(
    source: GitSource, shop: RepositoryFacts, pull: PullRequest, practice: PracticeGitHub
) -> None:
    hold = practice.faults.next("hold", PACKS)
    fetching = asyncio.create_task(source.fetch(shop, 1, pull.head_sha))
    await hold.met.wait()
    assert git_processes()

    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching

    assert not git_processes()
    hold.release()
    await source.fetch(shop, 1, pull.head_sha)


def git_processes() -> list[str]:
    """The command lines of git talking to a forge, started below this process."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            ours = b"GIT_CONFIG_COUNT" in (place / "environ").read_bytes()
        except OSError:
            continue
        if ours and ("fetch" in command or "remote-http" in command) and _below(int(place.name)):
            found.append(command)
    return found


def _below(number: int) -> bool:
    """Whether a process descends from this one."""
    while number > 1:
        if number == os.getpid():
            return True
        try:
            status = Path(f"/proc/{number}/stat").read_text()
        except OSError:
            return False
        number = int(status.rpartition(")")[2].split()[1])
    return False


async def test_what_is_no_commit_hash_is_refused(source: GitSource, shop: RepositoryFacts) -> None:
    for name in ("main", "--help", "1" * 39, "1" * 40 + "\n"):
        with pytest.raises(Refused, match="no full commit hash"):
            await source.fetch(shop, 1, name)


async def test_the_findings(practice: PracticeGitHub, tmp_path: Path) -> None:
    (good,) = await source_of(practice, tmp_path).check()
    assert good.severity is Severity.GOOD

    async def none(_: RepositoryFacts) -> None:
        return None

    _, bad = await GitSource(SourceOptions(folder=tmp_path, url="git@github.example", credentials=none)).check()
    assert (bad.severity, bad.mend != "") == (Severity.BAD, True)
