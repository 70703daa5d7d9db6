"""The pages: what stands on them, that nothing foreign runs on them, and what their buttons do."""

import asyncio
import json
import signal
import sys
from asyncio import subprocess
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from revieee.testing.github import NewRepository, Opening, PracticeGitHub, PullRequest, Settings
from revieee.testing.github.markdown import render
from testing.practice_parts import Clock, signed_in

COMMENT = """<!-- revieee -->
### The environment is live

| Service | URL |
|---|---|
| **web** | [shop-pr-1.localhost](http://shop-pr-1.localhost) |

<details><summary>Last lines of the log</summary>

```
listening on :8080
```

</details>
"""


@pytest.fixture
async def browser(github: PracticeGitHub) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(github.web) as one:
        one.follow_redirects = True
        yield one


async def dress(github: PracticeGitHub, pull: PullRequest) -> None:
    """Let a bot write all that it writes."""
    token = github.personal_token("revieee-bot")
    async with signed_in(f"{github.api}/repos/acme/shop", token) as bot:
        await bot.post("/issues/1/comments", json={"body": COMMENT})
        plain = {"required_contexts": [], "auto_merge": False, "transient_environment": True}
        made = await bot.post("/deployments", json={"ref": pull.head_sha, "environment": "shop-pr-1", **plain})
        url = {"environment_url": "http://shop-pr-1.localhost"}
        await bot.post(made.json()["statuses_url"], json={"state": "success", **url})
        await bot.post(f"/statuses/{pull.head_sha}", json={"state": "success", "context": "revieee"})


async def test_a_pull_request_s_page_shows_what_the_bot_did(
    github: PracticeGitHub, pull: PullRequest, browser: httpx.AsyncClient
) -> None:
    await dress(github, pull)
    page = (await browser.get("/acme/shop/pull/1")).text
    assert "<!-- revieee" not in page
    assert '<a class="button" href="http://shop-pr-1.localhost">View deployment</a>' in page
    assert "<td><strong>web</strong></td>" in page
    assert "<details><summary>Last lines of the log</summary>" in page
    for shown in ("A new page", "<code>feature</code>", "<b>revieee</b>"):
        assert shown in page


async def test_the_first_page_leads_to_every_pull_request(
    github: PracticeGitHub, pull: PullRequest, browser: httpx.AsyncClient
) -> None:
    page = (await browser.get("/")).text
    assert f'href="{github.web}/acme/shop/pull/{pull.number}"' in page


async def test_buttons_close_and_reopen(pull: PullRequest, browser: httpx.AsyncClient) -> None:
    for action, badge in (("close", "Closed"), ("reopen", "Open"), ("merge", "Merged")):
        page = await browser.post(f"/acme/shop/pull/1/{action}")
        assert f">{badge}</span>" in page.text
    assert pull.merged_at is not None
    assert (await browser.post("/acme/shop/pull/1/reopen")).status_code == 422
    assert (await browser.post("/acme/shop/pull/1/explode")).status_code == 404


async def test_other_sites_cannot_press_buttons(pull: PullRequest, browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/acme/shop/pull/1/close", headers={"Origin": "https://elsewhere.example"})
    assert (answer.status_code, pull.state) == (403, "open")


async def test_nothing_foreign_gets_into_a_page(github: PracticeGitHub, browser: httpx.AsyncClient) -> None:
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    await github.commit("acme/shop", "x", {"a": "1"}, message=evil, author="hana")
    pull = await github.open_pull_request("acme/shop", "x", evil, Opening(body=evil, labels=(evil,)))
    github.comment(pull, "hana", f"{evil}\n\n[link](javascript:alert(1)) `{evil}` <a href='javascript:alert(1)'>x</a>")
    for path in ("/", "/acme/shop/pull/1"):
        answer = await browser.get(path)
        assert answer.text.count("<script") == 1, "our own"
        assert "<img" not in answer.text
        assert 'href="javascript' not in answer.text
        assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]


def test_markdown_keeps_what_github_keeps() -> None:
    kept = render("~~old~~ <kbd>x</kbd>\n\n<details open><summary>a</summary>b</details>")
    assert kept.strip() == (
        '<p><del>old</del> <kbd>x</kbd></p>\n<details open=""><summary>a</summary>b</details>'.replace("del>", "s>")
    )
    assert render("<style>*{}</style><iframe src=//x></iframe><!-- hidden -->").strip() == ""


async def test_deliveries_are_listed_and_sent_again(github: PracticeGitHub, browser: httpx.AsyncClient) -> None:
    await github.settled()
    count = len(github.webhooks.deliveries)
    page = await browser.post(f"/-/deliveries/{github.webhooks.deliveries[0].id}/redeliver")
    assert ("redelivery" in page.text, len(github.webhooks.deliveries)) == (True, count + 1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width"), [("desk", 1100), ("phone", 500)])
async def test_the_pages_look_right(
    github: PracticeGitHub, pull: PullRequest, screenshot: Callable[..., Path], clock: Clock, name: str, width: int
) -> None:
    await dress(github, pull)
    clock.forward(minutes=3)
    for page, path in (("pull", "/acme/shop/pull/1"), ("index", "/"), ("deliveries", "/-/deliveries")):
        look = partial(screenshot, name=f"practice-github-{page}-{name}", width=width, height=1200)
        taken = await asyncio.to_thread(look, f"{github.web}{path}")
        assert taken.stat().st_size > 10_000


@pytest.mark.slow
async def test_the_command_serves_a_folder_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "Dockerfile").write_text("FROM scratch\n")
    process = await subprocess.create_subprocess_exec(
        sys.executable, "-m", "revieee.testing.github", "--data", str(tmp_path / "data"),
        "--repository", f"acme/shop={tmp_path / 'shop'}", stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"Practice GitHub: http://127.0.0.1:")
        note = tmp_path / "data" / "practice.json"
        facts = json.loads(note.read_text())
        assert note.stat().st_mode & 0o077 == 0
        async with signed_in(facts["api"], facts["tokens"]["revieee-bot"]) as bot:
            assert (await bot.get("/repos/acme/shop")).json()["permissions"]["admin"] is True
            assert (await bot.get("/repos/acme/shop/contents/Dockerfile")).json()["size"] == 13
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_the_api_may_be_elsewhere(tmp_path: Path, clock: Clock) -> None:
    async with PracticeGitHub(tmp_path, Settings(prefix="", clock=clock)) as github:
        await github.create_repository(NewRepository("acme/shop", {"a": "1"}))
        async with signed_in(github.web) as client:
            assert (await client.get("/repos/acme/shop")).json()["full_name"] == "acme/shop"
            assert (await client.get("/")).status_code == 200
