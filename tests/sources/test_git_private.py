"""Private repositories as submodules: whoever writes one commit may not be able to read what our token reads."""

from pathlib import Path

import pytest

from revieee.model.facts import RepositoryFacts
from revieee.ports import Refused, RetryLater
from revieee.sources.git import GitSource
from revieee.testing.github import GitFile, NewRepository, Opening, PracticeGitHub, PullRequest
from revieee.testing.github.git import FileContent
from sources.conftest import NewSource, content_of, empty_folder
from support.practice import BOT

pytestmark = pytest.mark.slow

SECRET = "acme/secret"
CONTENT = b"the secret\n"
WORDS = (
    "The submodule 'lib' is acme/secret, which is private or gone, and only public repositories are fetched as "
    "submodules. Whoever runs Revieee can allow it: add acme/secret to REVIEEE_SUBMODULES."
)


@pytest.fixture
async def secret(practice: PracticeGitHub) -> str:
    """The commit of a private repository that the bot may read, and whoever opens the pull requests may not."""
    await practice.create_repository(NewRepository(SECRET, {"code": CONTENT}, private=True))
    practice.set_permission(SECRET, BOT, "read")
    practice.set_permission("acme/shop", "mallory", "write")
    return await tip(practice, SECRET)


@pytest.fixture
async def naming(practice: PracticeGitHub, secret: str) -> PullRequest:
    """A pull request from a branch, that names it."""
    await practice.commit("acme/shop", "feature", submodule("../secret.git", secret))
    return await practice.open_pull_request("acme/shop", "feature", "x", Opening(author="mallory"))


async def tip(practice: PracticeGitHub, name: str) -> str:
    return (await practice.hub.git.branches(practice.repository(name).id))["main"]


def submodule(url: str, commit: str) -> dict[str, FileContent]:
    return {
        ".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n',
        "lib": GitFile(commit.encode(), "160000"),
    }


async def refusal(source: GitSource, shop: RepositoryFacts, pull: PullRequest) -> str:
    with pytest.raises(Refused) as caught:
        await source.fetch(shop, pull.number, pull.head_sha)
    return str(caught.value)


def mirrors_with_content(folder: Path) -> int:
    return len({pack.parents[2] for pack in folder.glob("mirrors/*/objects/pack/*.pack")})


async def test_it_is_refused_by_name_and_never_fetched(
    source: GitSource, shop: RepositoryFacts, naming: PullRequest, tmp_path: Path
) -> None:
    assert await refusal(source, shop, naming) == WORDS

    assert mirrors_with_content(tmp_path) == 1


@pytest.mark.parametrize(
    "url", ["../SECRET", "git@{host}:acme/secret", "{web}/acme/secret.git", "ssh://git@{host}/acme/secret"]
)
async def test_it_is_refused_however_its_address_is_written(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, secret: str, url: str
) -> None:
    address = url.format(web=practice.web, host="127.0.0.1")
    commit = await practice.commit("acme/shop", "feature", submodule(address, secret))
    pull = await practice.open_pull_request("acme/shop", "feature", "x")

    assert "private or gone" in await refusal(source, shop, pull)
    assert commit == pull.head_sha


async def test_the_pull_request_s_own_repository_is_no_exception(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub
) -> None:
    await practice.commit("acme/shop", "feature", submodule("../shop", await tip(practice, "acme/shop")))
    pull = await practice.open_pull_request("acme/shop", "feature", "x")

    assert "'lib' is acme/shop, which is private" in await refusal(source, shop, pull)


async def test_a_fork_gets_no_more(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, secret: str, tmp_path: Path
) -> None:
    await practice.fork("acme/shop", "stranger")
    await practice.commit("stranger/shop", "main", submodule(f"{practice.web}/{SECRET}", secret))
    pull = await practice.open_pull_request("acme/shop", "main", "x", Opening(fork="stranger/shop"))

    assert await refusal(source, shop, pull) == WORDS
    assert mirrors_with_content(tmp_path) == 1


async def test_one_inside_of_a_public_submodule_is_refused_too(
    source: GitSource, shop: RepositoryFacts, practice: PracticeGitHub, secret: str
) -> None:
    await practice.create_repository(NewRepository("mallory/public", submodule(f"{practice.web}/{SECRET}", secret)))
    outer = await tip(practice, "mallory/public")
    await practice.commit("acme/shop", "feature", submodule("../../mallory/public", outer))
    pull = await practice.open_pull_request("acme/shop", "feature", "x")

    assert await refusal(source, shop, pull) == WORDS


async def test_one_that_was_deleted_is_refused_in_the_same_words(
    source: GitSource, shop: RepositoryFacts, naming: PullRequest, practice: PracticeGitHub
) -> None:
    practice.delete_repository(SECRET)

    assert await refusal(source, shop, naming) == WORDS


async def test_a_public_one_is_fetched_without_our_token(
    new_source: NewSource, shop: RepositoryFacts, practice: PracticeGitHub
) -> None:
    await practice.create_repository(NewRepository("other/lib", {"code": "library\n"}))
    commit = await practice.commit(
        "acme/shop", "feature", submodule("../../other/lib", await tip(practice, "other/lib"))
    )
    pull = await practice.open_pull_request("acme/shop", "feature", "x")
    source = new_source()

    await source.fetch(shop, pull.number, commit)

    assert await content_of(source, shop, commit, "lib/code") == b"library\n"
    logins = {asked.login for asked in practice.faults.requests if "git/" in asked.route}
    assert logins == {BOT, None}


@pytest.mark.parametrize("patterns", [(SECRET,), ("ACME/*",)])
async def test_a_listed_one_is_fetched(
    new_source: NewSource, shop: RepositoryFacts, naming: PullRequest, tmp_path: Path, patterns: tuple[str, ...]
) -> None:
    source, folder = new_source(submodules=patterns), empty_folder(tmp_path)

    await source.fetch(shop, naming.number, naming.head_sha)
    await source.checkout(shop, naming.head_sha, folder)

    assert await content_of(source, shop, naming.head_sha, "lib/code") == CONTENT
    assert (folder / "lib" / "code").read_bytes() == CONTENT


@pytest.mark.parametrize("patterns", [("acme/secre",), ("acme/*", "!acme/secret"), ("secret",)])
async def test_one_that_no_pattern_covers_is_not(
    new_source: NewSource, shop: RepositoryFacts, naming: PullRequest, patterns: tuple[str, ...]
) -> None:
    assert await refusal(new_source(submodules=patterns), shop, naming) == WORDS


async def test_a_listed_one_that_our_token_cannot_read_is_refused_too(
    new_source: NewSource, shop: RepositoryFacts, naming: PullRequest, practice: PracticeGitHub
) -> None:
    practice.delete_repository(SECRET)

    words = await refusal(new_source(submodules=(SECRET,)), shop, naming)

    assert words.startswith("The submodule 'lib' cannot be fetched. The token cannot read acme/secret")


async def test_one_that_is_listed_no_more_is_out_of_reach_although_it_is_mirrored(
    new_source: NewSource, shop: RepositoryFacts, naming: PullRequest, tmp_path: Path
) -> None:
    await new_source(submodules=(SECRET,)).fetch(shop, naming.number, naming.head_sha)
    mirrors = tmp_path / "mirrors"
    assert len(list(mirrors.glob("module-*.git"))) == 1, "where all submodules were before there was a list"
    source = new_source()

    assert await refusal(source, shop, naming) == WORDS

    with pytest.raises(RetryLater, match="acme/secret"):
        await content_of(source, shop, naming.head_sha, "lib/code")
    folder = empty_folder(tmp_path)
    with pytest.raises(RetryLater, match="acme/secret"):
        await source.checkout(shop, naming.head_sha, folder)
    assert list(folder.iterdir()) == []
