"""Comments, deployments and statuses: what a bot writes on a pull request."""

import httpx

from revieee.testing.github import PracticeGitHub, PullRequest

SHOP = "/repos/acme/shop"
PLAIN = {"required_contexts": [], "auto_merge": False}


async def test_a_comment_is_written_changed_and_deleted(pull: PullRequest, bot: httpx.AsyncClient) -> None:
    made = (await bot.post(f"{SHOP}/issues/1/comments", json={"body": "building"})).json()
    assert (made["user"]["login"], [one.body for one in pull.comments]) == ("revieee-bot", ["building"])
    await bot.patch(made["url"], json={"body": "live"})
    assert pull.comments[0].body == "live"
    assert (await bot.delete(made["url"])).status_code == 204
    assert pull.comments == []
    assert (await bot.patch(made["url"], json={"body": "again"})).status_code == 404


async def test_a_person_deletes_the_bot_s_comment(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    made = (await bot.post(f"{SHOP}/issues/1/comments", json={"body": "live"})).json()
    github.delete_comment(pull.comments[0])
    assert (await bot.get(made["url"])).status_code == 404


async def test_empty_and_endless_comments_are_refused(pull: PullRequest, bot: httpx.AsyncClient) -> None:
    for body in ("", " ", "x" * 65537):
        answer = await bot.post(f"{SHOP}/issues/1/comments", json={"body": body})
        assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")
    assert (await bot.post(f"{SHOP}/issues/1/comments", json={})).status_code == 422
    assert (await bot.post(f"{SHOP}/issues/1/comments", content=b"{")).status_code == 400
    assert pull.comments == []


async def test_the_same_reaction_twice_is_one(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    comment = github.comment(pull, "hana", "/revieee approve")
    url = f"{SHOP}/issues/comments/{comment.id}/reactions"
    codes = [(await bot.post(url, json={"content": "eyes"})).status_code for _ in range(2)]
    assert (codes, len(comment.reactions)) == ([201, 200], 1)


async def test_a_deployment_shows_where_to_look(pull: PullRequest, bot: httpx.AsyncClient) -> None:
    sent = {"ref": pull.head_sha, "environment": "shop-pr-1", "transient_environment": True, **PLAIN}
    made = (await bot.post(f"{SHOP}/deployments", json=sent)).json()
    url = "http://shop-pr-1.localhost"
    answer = await bot.post(made["statuses_url"], json={"state": "success", "environment_url": url})
    assert (answer.status_code, answer.json()["environment_url"]) == (201, url)
    (deployment,) = pull.deployments
    assert (deployment.state, deployment.environment_url, deployment.transient_environment) == ("success", url, True)


async def test_a_success_retires_earlier_ones_only_where_they_are_meant_to_last(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    async def deploy(name: str, *, transient: bool) -> None:
        sent = {"ref": pull.head_sha, "environment": name, "transient_environment": transient, **PLAIN}
        made = (await bot.post(f"{SHOP}/deployments", json=sent)).json()
        await bot.post(made["statuses_url"], json={"state": "success"})

    for name, transient in (("staging", False), ("pr-1", True)):
        await deploy(name, transient=transient)
        await github.push(pull, {"a": name})
        await deploy(name, transient=transient)
    states = [(one.environment, one.state) for one in pull.deployments]
    assert states == [("staging", "inactive"), ("staging", "success"), ("pr-1", "success"), ("pr-1", "success")]


async def test_a_deployment_is_refused_while_statuses_are_not_green(pull: PullRequest, bot: httpx.AsyncClient) -> None:
    await bot.post(f"{SHOP}/statuses/{pull.head_sha}", json={"state": "pending", "context": "revieee"})
    answer = await bot.post(f"{SHOP}/deployments", json={"ref": pull.head_sha})
    assert (answer.status_code, pull.deployments) == (409, [])
    assert "revieee" in answer.json()["message"]


async def test_an_active_deployment_is_not_deleted(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    urls = []
    for name in ("one", "two"):
        sent = {"ref": pull.head_sha, "environment": name, **PLAIN}
        urls.append((await bot.post(f"{SHOP}/deployments", json=sent)).json()["url"])
        await bot.post(f"{urls[-1]}/statuses", json={"state": "success"})
    assert (await bot.delete(urls[0])).status_code == 422
    await bot.post(f"{urls[0]}/statuses", json={"state": "inactive"})
    assert (await bot.delete(urls[0])).status_code == 204
    assert [one.environment for one in pull.deployments] == ["two"]
    assert (await bot.delete(f"{SHOP}/environments/one")).status_code == 404, "needs an administrator"
    github.set_permission("acme/shop", "revieee-bot", "admin")
    assert (await bot.delete(f"{SHOP}/environments/one")).status_code == 204


async def test_statuses_fold_into_one(pull: PullRequest, bot: httpx.AsyncClient) -> None:
    async def combined() -> str:
        return str((await bot.get(f"{SHOP}/commits/{pull.head_sha}/status")).json()["state"])

    assert await combined() == "pending"
    for state, then in (("pending", "pending"), ("success", "success"), ("error", "failure")):
        await bot.post(f"{SHOP}/statuses/{pull.head_sha}", json={"state": state, "context": "revieee"})
        assert await combined() == then
    assert [one.state for one in pull.statuses] == ["pending", "success", "error"]


async def test_what_github_refuses_of_a_status_is_refused(pull: PullRequest, bot: httpx.AsyncClient) -> None:
    for wrong in (
        {"state": "live"},
        {"state": "success", "description": "x" * 141},
        {"state": "success", "target_url": "javascript:alert(1)"},
    ):
        assert (await bot.post(f"{SHOP}/statuses/{pull.head_sha}", json=wrong)).status_code == 422
    assert (await bot.post(f"{SHOP}/statuses/{'0' * 40}", json={"state": "success"})).status_code == 422
    assert pull.statuses == []
