"""Deliveries: signed, shaped and headed as GitHub's, recorded, repeated, and made to go wrong."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from revieee.testing.github import DefaultHook, Edit, NewApp, NewRepository, PracticeGitHub, PullRequest
from testing.practice_parts import SECRET, Client, Receiver

Payload = Callable[[str], dict[str, Any]]


async def test_a_delivery_is_signed_over_what_was_sent(
    github: PracticeGitHub, pull: PullRequest, receiver: Receiver
) -> None:
    await github.settled()
    (opened,) = [one for one in receiver.received if one.event == "pull_request"]
    expected = "sha256=" + hmac.new(SECRET.encode(), opened.body, hashlib.sha256).hexdigest()
    assert opened.headers["x-hub-signature-256"] == expected
    assert opened.headers["content-type"] == "application/json"
    assert opened.headers["user-agent"].startswith("GitHub-Hookshot/")
    payload = json.loads(opened.body)
    assert (payload["action"], payload["pull_request"]["head"]["sha"]) == ("opened", pull.head_sha)


async def test_a_form_holds_the_same_json(github: PracticeGitHub, receiver: Receiver) -> None:
    github.add_hook("acme/shop", DefaultHook(receiver.url, SECRET, content_type="form", events=("push",)))
    await github.commit("acme/shop", "main", {"a": "1"})
    await github.settled()
    plain, form = [one for one in receiver.received if one.event == "push"]
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(form.body.decode())["payload"] == [plain.body.decode()]
    assert form.headers["x-hub-signature-256"].removeprefix("sha256=") == (
        hmac.new(SECRET.encode(), form.body, hashlib.sha256).hexdigest()
    )


async def test_every_act_on_a_pull_request_is_told(github: PracticeGitHub, pull: PullRequest) -> None:
    before = pull.head_sha
    after = await github.push(pull, {"a": "1"})
    await github.label(pull, "preview")
    await github.unlabel(pull, "preview")
    await github.convert_to_draft(pull)
    await github.ready_for_review(pull)
    await github.commit("acme/shop", "stable", {"b": "1"})
    await github.edit(pull, Edit(base="stable"))
    github.comment(pull, "hana", "/revieee approve")
    await github.close(pull)
    await github.reopen(pull)
    await github.delete_branch("acme/shop", "feature")
    kinds = {"pull_request", "issue_comment", "delete"}
    told = [one for one in github.webhooks.deliveries if one.event in kinds]
    assert [one.action for one in told] == [
        "opened", "synchronize", "labeled", "unlabeled", "converted_to_draft", "ready_for_review", "edited", "created",
        "closed", "reopened", None, "closed",
    ]  # fmt: skip
    assert (told[1].payload["before"], told[1].payload["after"]) == (before, after)
    assert told[2].payload["label"]["name"] == "preview"
    assert told[6].payload["changes"]["base"]["ref"] == {"from": "main"}


async def test_a_draft_s_payload_says_so(github: PracticeGitHub, pull: PullRequest) -> None:
    await github.convert_to_draft(pull)
    assert github.webhooks.deliveries[-1].payload["pull_request"]["draft"] is True


async def test_a_repository_s_life_is_told(github: PracticeGitHub) -> None:
    github.rename_repository("acme/shop", "store")
    github.transfer_repository("acme/store", "globex")
    github.delete_repository("globex/store")
    told = [one for one in github.webhooks.deliveries if one.event == "repository"]
    assert [one.action for one in told] == ["renamed", "transferred", "deleted"]
    assert told[0].payload["changes"]["repository"]["name"]["from"] == "shop"
    assert told[1].payload["changes"]["owner"]["from"]["user"]["login"] == "acme"
    assert told[2].payload["repository"]["full_name"] == "globex/store"


async def test_an_app_hears_of_its_installations_and_its_repositories(
    github: PracticeGitHub, receiver: Receiver
) -> None:
    await github.create_repository(NewRepository("acme/blog", {"a": "1"}))
    app = github.create_app(NewApp("Revieee", "acme", receiver.url, "the app's secret"))
    installation = github.install(app, "acme", ["acme/shop"])
    await github.commit("acme/shop", "main", {"a": "2"})
    await github.commit("acme/blog", "main", {"a": "2"})
    github.choose_repositories(installation, added=["acme/blog"], removed=["acme/shop"])
    github.uninstall(installation)
    told = github.webhooks.of(app.hook)[::-1]
    assert [(one.event, one.action) for one in told] == [
        ("installation", "created"), ("push", None), ("installation_repositories", "added"),
        ("installation_repositories", "removed"), ("installation", "deleted"),
    ]  # fmt: skip
    assert told[1].payload["installation"]["id"] == installation.id
    assert told[1].headers()["X-GitHub-Hook-Installation-Target-Type"] == "integration"


async def test_a_hook_hears_only_of_what_it_asked_for(
    github: PracticeGitHub, pull: PullRequest, receiver: Receiver
) -> None:
    hook = github.add_hook("acme/shop", DefaultHook(receiver.url, SECRET, events=("issue_comment",)))
    await github.push(pull, {"a": "1"})
    github.comment(pull, "hana", "hello")
    assert [one.event for one in github.webhooks.of(hook)] == ["issue_comment", "ping"]


async def test_what_came_back_is_recorded_and_can_be_sent_again(github: PracticeGitHub, receiver: Receiver) -> None:
    await github.settled()
    receiver.status = 500
    await github.commit("acme/shop", "main", {"a": "1"})
    await github.settled()
    failed = github.webhooks.deliveries[-1]
    assert (failed.event, failed.status_code) == ("push", 500)
    receiver.status = 202
    again = github.webhooks.redeliver(failed)
    await github.settled()
    assert (again.status_code, again.guid, again.redelivery) == (202, failed.guid, True)
    first, second = receiver.received[-2:]
    assert (first.body, first.headers["x-github-delivery"]) == (second.body, second.headers["x-github-delivery"])


async def test_nobody_there_is_recorded_too(github: PracticeGitHub, free_port: int) -> None:
    github.add_hook("acme/shop", DefaultHook(f"http://127.0.0.1:{free_port}/", SECRET))
    await github.settled()
    assert github.webhooks.deliveries[-1].status == "failed to connect to host"


async def test_deliveries_are_lost_doubled_and_disordered_on_demand(
    github: PracticeGitHub, pull: PullRequest, receiver: Receiver
) -> None:
    await github.settled()
    receiver.received.clear()
    github.webhooks.drop_next()
    github.comment(pull, "hana", "lost")
    github.webhooks.duplicate_next()
    github.comment(pull, "hana", "twice")
    github.webhooks.hold()
    github.comment(pull, "hana", "third")
    github.comment(pull, "hana", "fourth")
    github.webhooks.release(reversed)
    await github.settled()
    assert [json.loads(one.body)["comment"]["body"] for one in receiver.received] == [
        "twice",
        "twice",
        "fourth",
        "third",
    ]
    assert receiver.received[0].headers["x-github-delivery"] == receiver.received[1].headers["x-github-delivery"]


async def test_hooks_are_made_and_read_through_rest(github: PracticeGitHub, client: Client, receiver: Receiver) -> None:
    admin = client(github.personal_token("acme"))
    config = {"url": receiver.url + "?2", "content_type": "json", "secret": "s"}
    made = await admin.post("/repos/acme/shop/hooks", json={"config": config, "events": ["pull_request"]})
    assert (made.status_code, made.json()["config"]["secret"]) == (201, "********")
    assert (await admin.post("/repos/acme/shop/hooks", json={"config": config})).status_code == 422
    await github.settled()
    url = made.json()["url"]
    (ping,) = (await admin.get(f"{url}/deliveries")).json()
    assert (ping["event"], ping["status_code"]) == ("ping", 202)
    assert (await admin.post(f"{url}/deliveries/{ping['id']}/attempts")).status_code == 202
    changed = await admin.patch(url, json={"add_events": ["push"], "active": False})
    assert (changed.json()["events"], changed.json()["active"]) == (["pull_request", "push"], False)
    assert (await admin.delete(url)).status_code == 204
    assert len((await admin.get("/repos/acme/shop/hooks")).json()) == 1


def keys(value: object, path: str = "") -> set[str]:
    """All places in a JSON value that have a name."""
    if isinstance(value, dict):
        return {place for key, one in value.items() for place in ({f"{path}.{key}"} | keys(one, f"{path}.{key}"))}
    return {place for one in value[:1] for place in keys(one, f"{path}[]")} if isinstance(value, list) else set()


@pytest.mark.parametrize("action", ["opened", "synchronize", "closed", "reopened", "unlabeled", "ready_for_review"])
async def test_a_payload_has_what_github_s_own_has(
    github: PracticeGitHub, pull: PullRequest, payload: Payload, action: str
) -> None:
    await github.label(pull, "bug")
    await github.push(pull, {"a": "1"})
    await github.close(pull)
    await github.reopen(pull)
    await github.convert_to_draft(pull)
    await github.ready_for_review(pull)
    await github.unlabel(pull, "bug")
    (ours,) = [one.payload for one in github.webhooks.deliveries if one.action == action]
    theirs = payload(f"pull_request.{action}")
    theirs.pop("installation")
    theirs["pull_request"] |= {"assignees": [], "assignee": None, "requested_reviewers": [], "labels": []}
    assert keys(theirs) - keys(ours) == set()
