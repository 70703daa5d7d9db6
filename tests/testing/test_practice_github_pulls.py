"""Pull requests of the practice GitHub: what people do to them, and what REST then says."""

import asyncio

import httpx
import pytest

from revieee.testing.github import ApiError, Edit, GitFailed, Opening, PracticeGitHub, PullRequest
from testing.practice_parts import Client, Clock

SHOP = "/repos/acme/shop"


async def test_an_open_pull_request_is_listed_with_its_branches(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    (listed,) = (await bot.get(f"{SHOP}/pulls")).json()
    assert (listed["number"], listed["state"], listed["user"]["login"]) == (1, "open", "acme")
    assert listed["head"]["sha"] == pull.head_sha
    assert (listed["head"]["label"], listed["base"]["ref"]) == ("acme:feature", "main")
    assert listed["html_url"] == f"{github.web}/acme/shop/pull/1"


async def test_a_list_is_cut_into_pages_that_lead_to_each_other(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    for number in range(5):
        github.comment(pull, "hana", f"comment {number}")
    seen, url = [], f"{SHOP}/issues/1/comments?per_page=2"
    while url:
        page = await bot.get(url)
        seen += [one["body"] for one in page.json()]
        url = page.links.get("next", {}).get("url", "")
    assert seen == [f"comment {number}" for number in range(5)]
    assert {"first", "prev"} == page.links.keys()


async def test_a_push_moves_the_head_and_the_time(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient, clock: Clock
) -> None:
    before = pull.head_sha
    clock.forward(minutes=5)
    sha = await github.push(pull, {"index.html": "newer\n"})
    shown = (await bot.get(f"{SHOP}/pulls/1")).json()
    assert (shown["head"]["sha"], shown["commits"], shown["updated_at"]) == (sha, 2, "2026-03-01T12:05:00Z")
    assert pull.heads == [before, sha]


async def test_a_force_push_replaces_all_commits(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    await github.push(pull, {"a": "1"})
    await github.force_push(pull, {"b": "2"})
    files = (await bot.get(f"{SHOP}/pulls/1/files")).json()
    assert [(one["filename"], one["status"], one["additions"]) for one in files] == [("b", "added", 1)]


async def test_closing_and_reopening(github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient) -> None:
    await github.close(pull)
    assert (await bot.get(f"{SHOP}/pulls")).json() == []
    assert [one["number"] for one in (await bot.get(f"{SHOP}/pulls?state=closed")).json()] == [1]
    await github.reopen(pull)
    assert (await bot.get(f"{SHOP}/pulls/1")).json()["closed_at"] is None


async def test_a_merge_moves_the_base_branch(github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient) -> None:
    await github.close(pull, merged=True)
    main = (await bot.get(f"{SHOP}/branches/main")).json()["commit"]
    shown = (await bot.get(f"{SHOP}/pulls/1")).json()
    assert (shown["merged"], shown["merge_commit_sha"]) == (True, main["sha"])
    assert [parent["sha"] for parent in main["parents"]] == [pull.base_sha, pull.head_sha]
    with pytest.raises(ApiError, match="Validation Failed"):
        await github.reopen(pull)


async def test_deleting_the_branch_closes_the_pull_request(github: PracticeGitHub, pull: PullRequest) -> None:
    await github.delete_branch("acme/shop", "feature")
    assert pull.state == "closed"
    with pytest.raises(ApiError):
        await github.reopen(pull)


async def test_a_fork_s_pull_request_is_fetched_from_the_base_repository(
    github: PracticeGitHub, bot: httpx.AsyncClient
) -> None:
    await github.fork("acme/shop", "stranger")
    sha = await github.commit("stranger/shop", "idea", {"idea": "1"})
    pull = await github.open_pull_request("acme/shop", "idea", "An idea", Opening(fork="stranger/shop"))
    shown = (await bot.get(f"{SHOP}/pulls/1")).json()
    assert (shown["head"]["repo"]["full_name"], shown["head"]["repo"]["fork"]) == ("stranger/shop", True)
    assert (shown["user"]["login"], shown["author_association"]) == ("stranger", "NONE")
    assert (await bot.get(f"{SHOP}/git/ref/pull/1/head")).json()["object"]["sha"] == sha == pull.head_sha
    github.delete_repository("stranger/shop")
    assert (await bot.get(f"{SHOP}/pulls/1")).json()["head"]["repo"] is None


async def test_the_base_can_be_changed(github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient) -> None:
    await github.commit("acme/shop", "stable", {"stable": "1"})
    await github.edit(pull, Edit(base="stable", title="For stable"))
    shown = (await bot.get(f"{SHOP}/pulls/1")).json()
    assert (shown["base"]["ref"], shown["title"]) == ("stable", "For stable")


async def test_the_same_branch_is_not_opened_twice(github: PracticeGitHub, pull: PullRequest) -> None:
    with pytest.raises(ApiError, match="Validation Failed") as refused:
        await github.open_pull_request("acme/shop", pull.head_ref)
    assert refused.value.status == 422


async def test_what_a_demo_does_through_rest_alone(github: PracticeGitHub, client: Client) -> None:
    acme = client(github.personal_token("acme"))
    main = (await acme.get(f"{SHOP}/branches/main")).json()["commit"]["sha"]
    made = await acme.post(f"{SHOP}/git/refs", json={"ref": "refs/heads/demo", "sha": main})
    assert made.status_code == 201
    sent = {"message": "Say hello", "content": "aGVsbG8=", "branch": "demo"}
    assert (await acme.put(f"{SHOP}/contents/hello.txt", json=sent)).json()["content"]["size"] == 5
    opened = await acme.post(f"{SHOP}/pulls", json={"title": "Hello", "head": "demo", "base": "main"})
    assert (opened.status_code, opened.json()["number"]) == (201, 1)
    closed = await acme.patch(f"{SHOP}/pulls/1", json={"state": "closed"})
    assert closed.json()["state"] == "closed"


async def test_a_name_that_git_refuses_is_refused(github: PracticeGitHub) -> None:
    for name in ("x\nreset refs/heads/main", "a b", "..", "x.lock", ""):
        with pytest.raises(GitFailed):
            await github.commit("acme/shop", name, {"a": "1"})
    assert list(await github.hub.git.branches(github.repository("acme/shop").id)) == ["main"]


async def test_hostile_branch_names_are_only_names(github: PracticeGitHub, bot: httpx.AsyncClient) -> None:
    for number, name in enumerate(
        ("-rf", "$(touch x)`id`;a|b&c".replace(" ", ""), "a/b'c\"d", "ünï", "x" * 200), start=1
    ):
        await github.commit("acme/shop", name, {f"file{number}": "1"})
        await github.open_pull_request("acme/shop", name)
        assert (await bot.get(f"{SHOP}/pulls/{number}")).json()["head"]["ref"] == name


async def test_two_opened_at_once_have_two_numbers(github: PracticeGitHub) -> None:
    for branch in ("one\u2028line", "other"):
        await github.commit("acme/shop", branch, {"a": branch})
    opened = await asyncio.gather(
        github.open_pull_request("acme/shop", "one\u2028line"), github.open_pull_request("acme/shop", "other")
    )
    assert sorted(one.number for one in opened) == [1, 2]
    assert len({one.head_sha for one in opened}) == 2
