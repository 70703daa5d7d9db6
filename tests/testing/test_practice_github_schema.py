"""Every answer of the REST API, held against GitHub's own description of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from jsonschema import Draft202012Validator

from revieee.testing.github import App, NewApp, PracticeGitHub, PullRequest
from revieee.testing.github.server import RULES
from testing.practice_parts import Client, Clock, Receiver

DESCRIPTION = Path(__file__).parents[3] / "shared" / "github" / "openapi.json"
SHOP = "/repos/acme/shop"
NOT_PRACTISED = {
    "GET /repos/{}/{}/check-runs/{}",
    "PATCH /repos/{}/{}/check-runs/{}",
    "PATCH /user",
    "POST /repos/{}/{}/check-runs",
    "PUT /repos/{}/{}/environments/{}",
}


def as_json_schema(value: Any) -> Any:  # noqa: ANN401 - any part of a description
    """Turn OpenAPI 3.0's `nullable` into JSON Schema's way of saying it."""
    if isinstance(value, list):
        return [as_json_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {key: as_json_schema(one) for key, one in value.items() if key != "nullable"}
    return {"anyOf": [{"type": "null"}, plain]} if value.get("nullable") is True else plain


def nameless(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", route)


@dataclass
class Description:
    """GitHub's description, and which of its operations were answered and held against it."""

    api: str
    document: dict[str, Any]
    checked: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def operations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if method in {"get", "post", "put", "patch", "delete"}:
                    yield f"{method.upper()} {path}", operation

    def find(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        fitting = []
        for name, operation in self.operations():
            verb, template = name.split(" ")
            wild = "(.*)" if template.endswith(("{path}", "{ref}", "{environment_name}", "{branch}")) else "([^/]+)"
            if verb == method and re.fullmatch(re.sub(r"\\\{[^}]*\\\}", wild, re.escape(template)), path):
                fitting.append((len(nameless(template)), name, operation))
        assert fitting, f"GitHub's description has no {method} {path}"
        _, name, operation = max(fitting, key=lambda one: one[0])
        return nameless(name), operation

    async def check(self, answer: httpx.Response) -> None:
        await answer.aread()
        path = str(answer.request.url.copy_with(query=None)).removeprefix(self.api)
        name, operation = self.find(answer.request.method, path)
        told = operation["responses"].get(str(answer.status_code))
        if told is None:
            self.faults.append(f"{name}: {answer.status_code} is not among GitHub's answers: {answer.text}")
            return
        self.checked.add(name)
        schema = told.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return
        validator = Draft202012Validator(as_json_schema(schema) | {"components": self.document["components"]})
        found = (f"{name} {one.json_path}: {one.message[:200]}" for one in validator.iter_errors(answer.json()))
        self.faults.extend(found)


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    if not DESCRIPTION.is_file():
        pytest.skip(f"GitHub's OpenAPI description is not beside this checkout ({DESCRIPTION})")
    read: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    read["components"] = as_json_schema(read["components"])
    # It asks here for a user that is an enterprise too; `installation`, of the same answer, says rightly "any of".
    listed = read["paths"]["/app/installations"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    account = listed["items"]["properties"]["account"]
    account["anyOf"] = account.pop("allOf")
    return read


@pytest.fixture
def description(github: PracticeGitHub, document: dict[str, Any]) -> Description:
    return Description(github.api, document)


@pytest.fixture
def checked(client: Client, description: Description) -> Client:
    """Makes clients whose every answer is held against the description."""

    def make(token: str | None) -> httpx.AsyncClient:
        one = client(token)
        one.event_hooks["response"].append(description.check)
        return one

    return make


async def as_bot(bot: httpx.AsyncClient, sha: str) -> None:
    for path in (
        "/user",
        "/meta",
        "/rate_limit",
        SHOP,
        f"{SHOP}/pulls?state=all",
        f"{SHOP}/pulls/1",
        f"{SHOP}/pulls/1/files",
    ):
        await bot.get(path)
    comment = (await bot.post(f"{SHOP}/issues/1/comments", json={"body": "hello"})).json()["url"]
    await bot.post(f"{comment}/reactions", json={"content": "eyes"})
    await bot.patch(comment, json={"body": "again"})
    for path in (comment, f"{comment}/reactions", f"{SHOP}/issues/1/comments"):
        await bot.get(path)
    await bot.delete(comment)
    status = {"state": "success", "context": "revieee", "description": "live", "target_url": "http://x.localhost"}
    await bot.post(f"{SHOP}/statuses/{sha}", json=status)
    await bot.get(f"{SHOP}/commits/{sha}/status")
    await bot.get(f"{SHOP}/collaborators/acme/permission")
    made = (await bot.post(f"{SHOP}/deployments", json={"ref": sha, "environment": "pr-1"})).json()
    await bot.post(made["statuses_url"], json={"state": "success", "environment_url": "http://x.localhost"})
    for path in (made["url"], made["statuses_url"], f"{SHOP}/deployments", f"{SHOP}/environments/pr-1"):
        await bot.get(path)
    await bot.delete(made["url"])


async def as_owner(owner: httpx.AsyncClient, receiver: Receiver) -> None:
    for path in (
        "branches",
        "branches/main",
        "commits/feature",
        "git/ref/heads/main",
        "contents/Dockerfile",
        "contents/",
    ):
        await owner.get(f"{SHOP}/{path}")
    written = await owner.put(f"{SHOP}/contents/new.txt", json={"message": "m", "content": "aGk=", "branch": "feature"})
    gone = {"message": "m", "branch": "feature", "sha": written.json()["content"]["sha"]}
    await owner.request("DELETE", f"{SHOP}/contents/new.txt", json=gone)
    hook = {"config": {"url": f"{receiver.url}?2", "content_type": "json", "secret": "s"}, "events": ["push"]}
    url = (await owner.post(f"{SHOP}/hooks", json=hook)).json()["url"]
    await owner.get(f"{SHOP}/hooks")
    await owner.get(url)
    await owner.patch(url, json={"add_events": ["pull_request"]})
    await owner.delete(url)
    labels = f"{SHOP}/issues/1/labels"
    await owner.post(labels, json={"labels": ["preview", "bug"]})
    await owner.get(labels)
    await owner.delete(f"{labels}/bug")
    await owner.put(labels, json={"labels": ["preview"]})
    await owner.delete(labels)
    await owner.patch(f"{SHOP}/pulls/1", json={"state": "closed"})
    await owner.post(f"{SHOP}/pulls", json={"title": "Again", "head": "feature", "base": "main"})
    await owner.delete(f"{SHOP}/environments/pr-1")
    await owner.patch(SHOP, json={"description": "A shop"})


async def as_app(signed: httpx.AsyncClient, checked: Client, github: PracticeGitHub, app: App) -> None:
    code = "manifest-code"
    github.state.manifests[code] = app
    await signed.post(f"/app-manifests/{code}/conversions")
    for path in ("/app", "/app/installations", "/app/hook/config", "/app/hook/deliveries", f"{SHOP}/installation"):
        await signed.get(path)
    await signed.patch("/app/hook/config", json={"url": app.hook.url})
    await github.settled()
    await signed.post(f"/app/hook/deliveries/{github.webhooks.of(app.hook)[0].id}/attempts")
    (one,) = github.state.installations.values()
    await signed.get(f"/app/installations/{one.id}")
    token = (await signed.post(f"/app/installations/{one.id}/access_tokens")).json()["token"]
    await checked(token).get("/installation/repositories")
    owner = checked(github.personal_token("acme"))
    await owner.get("/user/installations")
    await owner.get(f"/user/installations/{one.id}/repositories")
    await signed.delete(f"/app/installations/{one.id}")
    await owner.delete(SHOP)


@pytest.mark.slow
async def test_all_answers_are_as_github_describes_them(
    github: PracticeGitHub,
    pull: PullRequest,
    checked: Client,
    description: Description,
    receiver: Receiver,
    clock: Clock,
) -> None:
    await as_bot(checked(github.personal_token("revieee-bot")), pull.head_sha)
    await as_owner(checked(github.personal_token("acme")), receiver)
    app = github.create_app(NewApp("Revieee", "acme", receiver.url))
    github.install(app, "acme")
    now = int(clock().timestamp())
    claim = jwt.encode({"iss": str(app.id), "iat": now, "exp": now + 60}, app.pem, "RS256")
    await as_app(checked(claim), checked, github, app)
    assert description.faults == []
    described = {nameless(name) for name, _ in description.operations()}
    assert described - description.checked == NOT_PRACTISED


def test_the_description_s_routes_are_all_here(document: dict[str, Any]) -> None:
    ours = {nameless(rule.name) for rule in RULES}
    theirs = {f"{method.upper()} {nameless(path)}" for path, them in document["paths"].items() for method in them}
    assert theirs - ours == NOT_PRACTISED


@pytest.mark.parametrize("path", ["/nowhere", f"{SHOP}/pulls/7", f"{SHOP}/deployments"])
async def test_errors_are_as_github_describes_them(
    github: PracticeGitHub, client: Client, document: dict[str, Any], path: str
) -> None:
    schema = Draft202012Validator({"$ref": "#/components/schemas/basic-error", "components": document["components"]})
    for token in ("wrong", github.personal_token("revieee-bot")):
        answer = (await client(token).post(path, json={})).json()
        assert list(schema.iter_errors(answer)) == []
        assert {"message", "documentation_url", "status"} <= answer.keys()
