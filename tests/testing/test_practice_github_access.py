"""Who may do what: tokens, roles, apps, former names."""

import base64
from datetime import timedelta

import httpx
import jwt
import pytest

from revieee.testing.github import App, NewApp, NewRepository, PracticeGitHub, PullRequest
from testing.practice_parts import Client, Clock

SHOP = "/repos/acme/shop"


@pytest.fixture
async def vault(github: PracticeGitHub) -> None:
    await github.create_repository(NewRepository("acme/vault", {"secret": "1"}, private=True))


@pytest.fixture
def app(github: PracticeGitHub) -> App:
    return github.create_app(NewApp("Revieee", "acme"))


def claim(app: App, clock: Clock, *, issued: int = -60, ends: int = 540, key: str | None = None) -> str:
    now = int(clock().timestamp())
    return jwt.encode({"iss": str(app.id), "iat": now + issued, "exp": now + ends}, key or app.pem, "RS256")


async def test_a_wrong_token_is_told_so(client: Client) -> None:
    answer = await client("ghp_wrong").get(SHOP)
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")


async def test_a_token_may_come_in_each_of_github_s_ways(github: PracticeGitHub, client: Client) -> None:
    token = github.personal_token("revieee-bot")
    basic = [base64.b64encode(pair.encode()).decode() for pair in (f"x-access-token:{token}", f"{token}:x-oauth-basic")]
    for header in (f"Bearer {token}", f"token {token}", *(f"Basic {one}" for one in basic)):
        answer = await client(None).get("/user", headers={"Authorization": header})
        assert answer.json()["login"] == "revieee-bot"
    assert (await client(None).get("/user")).status_code == 401


@pytest.mark.usefixtures("vault")
async def test_a_private_repository_is_not_there_for_others(github: PracticeGitHub, client: Client) -> None:
    assert (await client(None).get("/repos/acme/vault")).status_code == 404
    assert (await client(github.personal_token("revieee-bot")).get("/repos/acme/vault")).status_code == 404
    assert (await client(github.personal_token("acme")).get("/repos/acme/vault")).json()["private"] is True


async def test_a_reader_may_comment_and_not_more(github: PracticeGitHub, pull: PullRequest, client: Client) -> None:
    reader = client(github.personal_token("passer-by"))
    assert (await reader.post(f"{SHOP}/issues/1/comments", json={"body": "nice"})).status_code == 201
    assert (await reader.post(f"{SHOP}/statuses/{pull.head_sha}", json={"state": "success"})).status_code == 404
    assert (await reader.get(f"{SHOP}/collaborators/acme/permission")).status_code == 403
    comment = github.comment(pull, "hana", "mine")
    assert (await reader.patch(f"{SHOP}/issues/comments/{comment.id}", json={"body": "x"})).status_code == 403
    assert (await client(None).post(f"{SHOP}/issues/1/comments", json={"body": "x"})).status_code == 401


async def test_permissions_are_told_coarse_and_fine(github: PracticeGitHub, bot: httpx.AsyncClient) -> None:
    github.set_permission("acme/shop", "mio", "maintain")
    for login, permission, role in (("acme", "admin", "admin"), ("mio", "write", "maintain")):
        told = (await bot.get(f"{SHOP}/collaborators/{login}/permission")).json()
        assert (told["permission"], told["role_name"]) == (permission, role)
    assert (await bot.get(f"{SHOP}/collaborators/nobody/permission")).status_code == 404


async def test_an_app_signs_in_and_gets_a_token_that_ends(
    github: PracticeGitHub, pull: PullRequest, app: App, client: Client, clock: Clock
) -> None:
    signed = client(claim(app, clock))
    assert (await signed.get("/app")).json()["slug"] == "revieee"
    github.install(app, "acme", ["acme/shop"])
    (installed,) = (await signed.get("/app/installations")).json()
    assert (await signed.get(f"{SHOP}/installation")).json()["id"] == installed["id"]
    token = (await signed.post(installed["access_tokens_url"])).json()
    assert token["expires_at"] == "2026-03-01T13:00:00Z"
    bot = client(token["token"])
    assert [one["name"] for one in (await bot.get("/installation/repositories")).json()["repositories"]] == ["shop"]
    made = await bot.post(f"{SHOP}/issues/1/comments", json={"body": "hello"})
    assert (made.json()["user"]["login"], made.json()["performed_via_github_app"]["id"]) == ("revieee[bot]", app.id)
    clock.forward(minutes=61)
    assert (await bot.get(SHOP)).status_code == 401
    assert pull.comments[0].app is app


async def test_a_manifest_becomes_an_app_once(github: PracticeGitHub, client: Client, clock: Clock) -> None:
    wanted = {
        "name": "Revieee of acme",
        "url": "https://r.example",
        "hook_attributes": {"url": "https://r.example/hook"},
    }
    more = {"default_permissions": {"pull_requests": "write"}, "default_events": ["pull_request"]}
    code = github.register_by_manifest("acme", wanted | more)
    made = await client(None).post(f"/app-manifests/{code}/conversions")
    assert (made.status_code, made.json()["permissions"]["pull_requests"]) == (201, "write")
    app = github.state.apps[made.json()["id"]]
    assert (made.json()["pem"], made.json()["webhook_secret"]) == (app.pem, app.hook.secret)
    assert (await client(claim(app, clock)).get("/app")).json()["slug"] == "revieee-of-acme"
    assert (await client(None).post(f"/app-manifests/{code}/conversions")).status_code == 404


async def test_a_wrong_claim_is_refused(github: PracticeGitHub, app: App, client: Client, clock: Clock) -> None:
    other = github.create_app(NewApp("Other", "acme"))
    for wrong in (claim(app, clock, ends=-1), claim(app, clock, ends=3600), claim(app, clock, key=other.pem)):
        assert (await client(wrong).get("/app")).status_code == 401
    unsigned = jwt.encode({"iss": str(app.id), "iat": 0, "exp": 2**31}, "x" * 32, "HS256")
    assert (await client(unsigned).get("/app")).status_code == 401
    assert (await client(github.personal_token("acme")).get("/app")).status_code == 401


@pytest.mark.usefixtures("vault")
async def test_an_installation_does_what_it_was_given_and_no_more(
    github: PracticeGitHub, pull: PullRequest, app: App, client: Client, clock: Clock
) -> None:
    installation = github.install(app, "acme", ["acme/shop"])
    url = f"/app/installations/{installation.id}/access_tokens"
    narrow = await client(claim(app, clock)).post(url, json={"permissions": {"statuses": "write"}})
    bot = client(narrow.json()["token"])
    assert (await bot.post(f"{SHOP}/statuses/{pull.head_sha}", json={"state": "success"})).status_code == 201
    refused = await bot.post(f"{SHOP}/issues/1/comments", json={"body": "x"})
    assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
    assert (await bot.get("/repos/acme/vault")).status_code == 404
    more = await client(claim(app, clock)).post(url, json={"permissions": {"administration": "write"}})
    assert more.status_code == 422


async def test_suspended_and_removed_installations_are_shut_out(
    github: PracticeGitHub, app: App, client: Client, clock: Clock
) -> None:
    installation = github.install(app, "acme")
    signed = client(claim(app, clock))
    url = f"/app/installations/{installation.id}/access_tokens"
    bot = client((await signed.post(url)).json()["token"])
    github.suspend(installation)
    assert ((await bot.get(SHOP)).status_code, (await signed.post(url)).status_code) == (403, 403)
    github.suspend(installation, suspended=False)
    assert (await bot.get(SHOP)).status_code == 200
    github.uninstall(installation)
    assert ((await bot.get(SHOP)).status_code, (await signed.post(url)).status_code) == (401, 404)


async def test_a_former_name_leads_to_the_repository(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    github.rename_repository("acme/shop", "store")
    moved = await bot.get(f"{SHOP}/pulls/1")
    assert moved.status_code == 301
    followed = await bot.get(f"{SHOP}/pulls/1", follow_redirects=True)
    assert (followed.status_code, followed.json()["base"]["repo"]["full_name"]) == (200, "acme/store")
    posted = await bot.post(f"{SHOP}/issues/1/comments", json={"body": "still here"}, follow_redirects=True)
    assert (posted.status_code, len(pull.comments)) == (201, 1)
    github.transfer_repository("acme/store", "globex")
    assert (await bot.get(SHOP, follow_redirects=True)).json()["full_name"] == "globex/store"
    github.delete_repository("globex/store")
    assert (await bot.get(SHOP, follow_redirects=True)).status_code == 404


async def test_what_did_not_change_is_not_sent_again(
    bot: httpx.AsyncClient, github: PracticeGitHub, pull: PullRequest
) -> None:
    first = await bot.get(f"{SHOP}/pulls")
    again = {"If-None-Match": first.headers["ETag"]}
    assert (await bot.get(f"{SHOP}/pulls", headers=again)).status_code == 304
    github.set_permission("acme/shop", "someone", "read")
    await github.close(pull)
    assert (await bot.get(f"{SHOP}/pulls", headers=again)).status_code == 200


async def test_the_rate_limit_is_told_and_ends(github: PracticeGitHub, bot: httpx.AsyncClient, clock: Clock) -> None:
    github.faults.rate_limit.remaining = 2
    left = [(await bot.get(SHOP)).headers["X-RateLimit-Remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    refused = await bot.get(SHOP)
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert (await bot.get("/rate_limit")).json()["rate"]["remaining"] == 0
    end = int((clock() + timedelta(hours=1)).timestamp())
    assert refused.headers["X-RateLimit-Reset"] == str(end)
    clock.forward(hours=2)
    assert (await bot.get(SHOP)).status_code == 200
