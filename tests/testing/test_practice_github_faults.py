"""Faults on demand, and the counters that tests rely on."""

import asyncio

import httpx
import pytest

from revieee.testing.github import FaultKind, PracticeGitHub, PullRequest

SHOP = "/repos/acme/shop"
COMMENTS = f"{SHOP}/issues/1/comments"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("error", 500),
        ("bad gateway", 502),
        ("unavailable", 503),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not found", 404),
    ],
)
async def test_an_answer_is_replaced_as_often_as_asked(
    github: PracticeGitHub, bot: httpx.AsyncClient, kind: FaultKind, status: int
) -> None:
    github.faults.next(kind, times=2)
    assert [(await bot.get(SHOP)).status_code for _ in range(3)] == [status, status, 200]


async def test_a_secondary_limit_says_when_to_come_back(github: PracticeGitHub, bot: httpx.AsyncClient) -> None:
    github.faults.next("secondary limit", seconds=7)
    answer = await bot.get(SHOP)
    assert (answer.status_code, answer.headers["Retry-After"]) == (403, "7")
    assert "secondary rate limit" in answer.json()["message"]


async def test_only_the_named_route_goes_wrong(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    github.faults.next("error", "POST */comments", times=None)
    assert (await bot.get(COMMENTS)).status_code == 200
    assert [(await bot.post(COMMENTS, json={"body": "x"})).status_code for _ in range(3)] == [500] * 3
    github.faults.clear()
    assert (await bot.post(COMMENTS, json={"body": "x"})).status_code == 201
    assert len(pull.comments) == 1


async def test_what_landed_without_an_answer_is_there(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    github.faults.next("landed", "POST */comments")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await bot.post(COMMENTS, json={"body": "live"})
    assert [one.body for one in pull.comments] == ["live"]


async def test_a_cut_connection_did_nothing(github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient) -> None:
    github.faults.next("cut", "POST */comments")
    with pytest.raises(httpx.TransportError):
        await bot.post(COMMENTS, json={"body": "live"})
    assert pull.comments == []


async def test_a_hanging_request_times_out_at_the_asker(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    github.faults.next("hang", "POST */comments")
    with pytest.raises(httpx.ReadTimeout):
        await bot.post(COMMENTS, json={"body": "live"}, timeout=0.05)
    assert pull.comments == []


async def test_a_held_request_lands_after_its_asker_has_gone(
    github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient
) -> None:
    fault = github.faults.next("hold", "POST */comments")
    with pytest.raises(httpx.ReadTimeout):
        await bot.post(COMMENTS, json={"body": "late"}, timeout=0.05)
    assert pull.comments == []
    fault.release()
    async with asyncio.timeout(30):
        await github.faults.until("POST */comments")
    assert [one.body for one in pull.comments] == ["late"]


async def test_requests_are_counted_by_route(github: PracticeGitHub, pull: PullRequest, bot: httpx.AsyncClient) -> None:
    await bot.post(COMMENTS, json={"body": "x"})
    await bot.get(COMMENTS)
    await bot.get("/nowhere")
    asked = [(one.route, one.status, one.login) for one in github.faults.requests]
    comments = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
    assert asked == [
        (f"POST {comments}", 201, "revieee-bot"), (f"GET {comments}", 200, "revieee-bot"), ("GET /nowhere", 404, None),
    ]  # fmt: skip
    assert github.faults.count(f"POST {comments}") == len(pull.comments) == 1


async def test_it_stops_although_a_request_hangs(github: PracticeGitHub, bot: httpx.AsyncClient) -> None:
    fault = github.faults.next("hang")
    hanging = asyncio.create_task(bot.get(SHOP))
    await fault.met.wait()
    async with asyncio.timeout(20):
        await github.__aexit__(None, None, None)
    with pytest.raises(httpx.TransportError):
        await hanging
