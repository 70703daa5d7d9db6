"""Every request that forge and reporter send is one that GitHub's own description of its API knows."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from jsonschema import Draft202012Validator

from revieee.clients.github import GitHub
from revieee.forges.github import GitHubForge
from revieee.model.view import ServiceView, State, View
from revieee.ports import Posted
from revieee.reporters.github import GitHubReporter
from revieee.testing.github import PracticeGitHub, PullRequest
from support.practice import AppMode, collected, facts_of, repository_facts

DESCRIPTION = Path(__file__).parents[3] / "shared" / "github" / "openapi.json"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """GitHub's OpenAPI document, `nullable` written as JSON Schema knows it."""
    if not DESCRIPTION.is_file():
        pytest.skip(f"GitHub's description of its API is not beside this checkout ({DESCRIPTION})")

    def nullable(node: dict[str, Any]) -> dict[str, Any]:
        if node.pop("nullable", False) and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        return node

    document: dict[str, Any] = json.loads(DESCRIPTION.read_bytes(), object_hook=nullable)
    return document


def recorded(github: GitHub) -> list[httpx.Request]:
    """The requests that a client sends from now on."""
    requests: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        requests.append(request)

    github._http.event_hooks = {"request": [keep]}
    return requests


def operation(description: dict[str, Any], request: httpx.Request, prefix: str) -> tuple[str, dict[str, Any]]:
    """Find what a request asks for, the path with the fewest parameters first."""
    path = request.url.path.removeprefix(prefix)
    for template in sorted(description["paths"], key=lambda one: one.count("{")):
        pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template))
        found = description["paths"][template].get(request.method.lower())
        if found and re.fullmatch(pattern, path):
            return template, found
    raise AssertionError(f"GitHub knows no {request.method} {path}")


def resolved(description: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = description
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return dict(found)


def faults(description: dict[str, Any], request: httpx.Request, prefix: str) -> list[str]:
    """What GitHub would find wrong with a request, unknown fields and parameters included."""
    template, known = operation(description, request, prefix)
    parameters = {resolved(description, one)["name"] for one in known.get("parameters", ())}
    asked = parse_qs(request.url.query.decode())
    found = [f"{template}: unknown parameter {name}" for name in asked.keys() - parameters]
    if not request.content:
        return found
    content = resolved(description, known["requestBody"])["content"]["application/json"]
    schema = {**content["schema"], "components": description["components"]}
    document = json.loads(request.content)
    told = [f"{template}: {error.message}" for error in Draft202012Validator(schema).iter_errors(document)]
    unknown = document.keys() - schema.get("properties", document).keys()
    return found + told + [f"{template}: unknown field {name}" for name in unknown]


def seen(pull: PullRequest, state: State) -> View:
    url = "http://shop-pr-1.localhost:8080"
    return View(
        environment="acme/shop#1",
        instance="one",
        state=state,
        headline="",
        url=url,
        services=(ServiceView(name="web", url=url),),
        commit=pull.head_sha,
    )


async def play(practice: PracticeGitHub, pull: PullRequest, github: GitHub) -> None:
    """Send every kind of request that there is."""
    forge, reporter, posted = GitHubForge(github), GitHubReporter(github), Posted()
    repository = repository_facts(practice)
    await forge.check()
    assert len([one async for one in forge.repositories()]) <= 1
    assert await collected(forge.open_pull_requests(repository))
    assert await forge.pull_request(repository, pull.number)
    assert await forge.may_write(repository, "acme")
    assert await forge.clone_credentials(repository)
    for state in State:
        if state in {State.UPDATING, State.GONE}:
            await practice.push(pull, {"a": str(state)})
        posted = await reporter.report(facts_of(pull), seen(pull, state), posted)
        await reporter.report(facts_of(pull), seen(pull, state), Posted())
    practice.comment(pull, pull.comments[0].user.login, pull.comments[0].body)
    await reporter.report(facts_of(pull), seen(pull, State.GONE), posted)


async def test_in_token_mode(
    description: dict[str, Any], practice: PracticeGitHub, pull: PullRequest, client: GitHub
) -> None:
    requests = recorded(client)
    await play(practice, pull, client)
    kinds = {(one.method, operation(description, one, "/api/v3")[0]) for one in requests}
    assert len(kinds) >= 13
    assert [fault for one in requests for fault in faults(description, one, "/api/v3")] == []


async def test_in_app_mode(
    description: dict[str, Any], practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode
) -> None:
    requests = recorded(app_mode.client)
    await play(practice, pull, app_mode.client)
    kinds = {(one.method, operation(description, one, "/api/v3")[0]) for one in requests}
    assert ("POST", "/app/installations/{installation_id}/access_tokens") in kinds
    assert [fault for one in requests for fault in faults(description, one, "/api/v3")] == []


def test_a_wrong_request_would_be_noticed(description: dict[str, Any]) -> None:
    def sent(method: str, path: str, document: object) -> list[str]:
        request = httpx.Request(method, f"http://x/api/v3{path}", json=document) if document else None
        return faults(description, request or httpx.Request(method, f"http://x/api/v3{path}"), "/api/v3")

    assert sent("POST", "/repos/a/b/statuses/abc", {"state": "success", "context": "revieee"}) == []
    assert sent("POST", "/repos/a/b/statuses/abc", {"state": "green"})
    assert sent("POST", "/repos/a/b/deployments", {"ref": "abc", "transient_environment": "yes"})
    assert sent("POST", "/repos/a/b/deployments", {"ref": "abc", "transient": True})
    assert sent("GET", "/repos/a/b/pulls?colour=red", None)
    with pytest.raises(AssertionError, match="GitHub knows no"):
        sent("POST", "/repos/a/b/nothing", None)
