"""What deliveries say: GitHub's own payloads, and ones that nobody should have sent."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from revieee.intake import payloads
from revieee.intake.payloads import (
    Comment,
    Ignored,
    InstallationAdded,
    InstallationRemoved,
    Ping,
    PullRequestHappening,
    RepositoryDeleted,
    RepositoryRenamed,
    RepositoryTransferred,
    read,
)
from revieee.model.delivery import Delivery
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.github import Malformed, Part

Payload = Callable[[str], dict[str, Any]]

REPOSITORY = RepositoryFacts(
    id=186853002, name="Codertocat/Hello-World", default_branch="master", private=False, installation=1
)
ACTIONS = [
    "opened", "reopened", "synchronize", "closed", "ready_for_review", "converted_to_draft", "labeled", "unlabeled",
    "opened.null-body", "opened.organization",
]  # fmt: skip
KEYS = st.sampled_from(["action", "repository", "pull_request", "installation", "id", "full_name", "head"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


class TestPullRequests:
    def test_one_that_was_opened(self, payload: Payload) -> None:
        assert read("pull_request", payload("pull_request.opened")) == PullRequestHappening(
            action="opened",
            facts=PullRequestFacts(
                repository=REPOSITORY,
                number=2,
                open=True,
                title="Update the README with new information.",
                author="Codertocat",
                labels=("bug",),
                head_ref="changes",
                head_commit="ec26c3e57ca3a959ca5aad62de7213c562f8c821",
                head_repository=186853002,
                head_owner="Codertocat",
                base_ref="master",
                updated_at=datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC),
            ),
        )

    @pytest.mark.parametrize("name", ACTIONS)
    def test_every_action_carries_the_whole_pull_request(self, payload: Payload, name: str) -> None:
        happening = read("pull_request", payload(f"pull_request.{name}"))
        assert isinstance(happening, PullRequestHappening)
        assert happening.action == name.partition(".")[0]
        assert happening.facts.number == 2
        assert happening.facts.open is (name != "closed")
        assert happening.facts.draft is (name == "converted_to_draft")

    def test_a_push_names_the_head_it_replaced(self, payload: Payload) -> None:
        happening = read("pull_request", payload("pull_request.synchronize"))
        assert isinstance(happening, PullRequestHappening)
        assert happening.facts.before == payload("pull_request.synchronize")["before"]

    def test_labels(self, payload: Payload) -> None:
        happening = read("pull_request", payload("pull_request.labeled"))
        assert isinstance(happening, PullRequestHappening)
        assert happening.facts.labels == ("bug",)

    def test_a_deleted_fork_and_a_deleted_author(self, payload: Payload) -> None:
        document = payload("pull_request.opened")
        document["pull_request"]["head"]["repo"] = None
        document["pull_request"]["user"] = None
        happening = read("pull_request", document)
        assert isinstance(happening, PullRequestHappening)
        assert happening.facts.fork
        assert happening.facts.author == ""

    def test_texts_can_be_stored_whatever_they_hold(self, payload: Payload) -> None:
        document = payload("pull_request.opened")
        document["pull_request"]["title"] = "a\x00b\ud800c\u202e😀" + "x" * 5000
        document["pull_request"]["head"]["ref"] = "$(reboot)`id`;--upload-pack=x\n"
        happening = read("pull_request", document)
        assert isinstance(happening, PullRequestHappening)
        assert happening.facts.title.startswith("a\ufffdb\ufffdc\u202e😀x")
        assert len(happening.facts.title) <= 1024
        assert happening.facts.head_ref == "$(reboot)`id`;--upload-pack=x\n"
        stored = TypeAdapter(PullRequestFacts)
        assert stored.validate_json(stored.dump_json(happening.facts)) == happening.facts

    def test_addresses_in_it_are_not_used(self, payload: Payload) -> None:
        document = json.loads(
            json.dumps(payload("pull_request.opened")).replace("https://", "file:///etc/passwd?https://")
        )
        assert read("pull_request", document) == read("pull_request", payload("pull_request.opened"))


class TestRepositories:
    @pytest.mark.parametrize(
        ("action", "kind"),
        [("renamed", RepositoryRenamed), ("transferred", RepositoryTransferred), ("deleted", RepositoryDeleted)],
    )
    def test_renamed_transferred_deleted(self, action: str, kind: type) -> None:
        document = {"action": action, "repository": {"id": 7, "full_name": "acme/store", "private": True}}
        assert read("repository", document) == kind(repository=RepositoryFacts(id=7, name="acme/store", private=True))

    def test_anything_else_is_ignored(self) -> None:
        assert isinstance(read("repository", {"action": "archived", "repository": {}}), Ignored)


class TestInstallations:
    def test_added_and_removed(self, payload: Payload) -> None:
        hello = RepositoryFacts(id=186853002, name="Codertocat/Hello-World", installation=957387)
        created = payload("installation.created")
        assert read("installation", created) == InstallationAdded(installation=957387, repositories=(hello,))
        for action in ("deleted", "suspend"):
            removed = InstallationRemoved(installation=957387, repositories=(hello,), whole=True)
            assert read("installation", {**created, "action": action}) == removed
        assert isinstance(read("installation", {**created, "action": "new_permissions_accepted"}), Ignored)

    def test_repositories_added_and_removed(self, payload: Payload) -> None:
        added = read("installation_repositories", payload("installation_repositories.added"))
        assert isinstance(added, InstallationAdded)
        assert [one.name for one in added.repositories] == ["Codertocat/Space"]
        removed = read("installation_repositories", payload("installation_repositories.removed"))
        assert isinstance(removed, InstallationRemoved)
        assert not removed.whole
        assert [one.name for one in removed.repositories] == ["octocat/Hello-World"]


class TestComments:
    def command(self, payload: Payload, body: object, **issue: object) -> payloads.Happening:
        document = payload("issue_comment.created")
        document["comment"]["body"] = body
        document["issue"] |= {"pull_request": {"url": "…"}, **issue}
        return read("issue_comment", document)

    def test_a_command(self, payload: Payload) -> None:
        happening = self.command(payload, "  /revieee approve  \nplease")
        assert isinstance(happening, Comment)
        assert happening.command == "/revieee approve"
        assert happening.author == "Codertocat"
        assert happening.at == datetime(2019, 5, 15, 15, 20, 21, tzinfo=UTC)
        assert happening.number == payload("issue_comment.created")["issue"]["number"]

    @pytest.mark.parametrize("body", ["hello /revieee approve", "/revieeeapprove", "> /revieee approve", "", None])
    def test_anything_else_is_none(self, payload: Payload, body: str | None) -> None:
        assert isinstance(self.command(payload, body), Ignored)

    def test_only_on_pull_requests_and_only_new_ones(self, payload: Payload) -> None:
        document = payload("issue_comment.created")
        document["comment"]["body"] = "/revieee approve"
        assert isinstance(read("issue_comment", document), Ignored)
        document["issue"]["pull_request"] = {}
        assert isinstance(read("issue_comment", {**document, "action": "edited"}), Ignored)


def test_a_ping_names_the_repository_whose_webhook_was_set_up(payload: Payload) -> None:
    document = payload("ping")
    said = read("ping", document)
    assert isinstance(said, Ping)
    assert said.repository is not None
    assert said.repository.name == document["repository"]["full_name"]
    del document["repository"]
    assert read("ping", document) == Ping()


def test_what_does_not_concern_us(payload: Payload) -> None:
    for event in ("push", "delete"):
        assert isinstance(read(event, payload(event)), Ignored)


def test_a_stored_delivery_is_read_and_one_without_body_ignored(payload: Payload) -> None:
    body = json.dumps(payload("pull_request.opened")).encode()
    delivery = Delivery(id="1", event="pull_request", body=body, received_at=0.0)
    assert isinstance(payloads.read_delivery(delivery), PullRequestHappening)
    assert isinstance(payloads.read_delivery(Delivery(id="1", event="star", body=b"", received_at=0.0)), Ignored)


class TestMalformed:
    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 10_000, b'{"a": NaN'])
    def test_no_json(self, body: bytes) -> None:
        with pytest.raises(Malformed):
            Part.of(payloads.parse(body))

    @pytest.mark.parametrize("document", [None, [], "text", 1, True])
    def test_no_object(self, document: object) -> None:
        with pytest.raises(Malformed, match="not an object"):
            read("pull_request", document)

    @pytest.mark.parametrize(
        ("path", "value", "told"),
        [
            ("repository", None, "repository is missing"),
            ("repository.full_name", "../../etc", "repository.full_name: '../../etc' is not the name"),
            ("repository.full_name", "-x/..", "is not the name"),
            ("repository.id", "7", "repository.id is a text"),
            ("repository.id", True, "repository.id is true or false"),
            ("repository.id", 2**63, "between 1 and"),
            ("repository.id", 0, "between 1 and"),
            ("pull_request", [], "pull_request is a list"),
            ("pull_request.number", 1.5, "pull_request.number is a number"),
            ("pull_request.state", "ajar", "neither open nor closed"),
            ("pull_request.head.sha", "--upload-pack=x", "not the full hash"),
            ("pull_request.head.sha", "ABC", "not the full hash"),
            ("pull_request.head.repo", 5, "pull_request.head.repo is a number"),
            ("pull_request.updated_at", "yesterday", "not a time"),
            ("pull_request.updated_at", "2019-05-15T15:20:33", "without a zone"),
            ("pull_request.updated_at", "0001-01-01T00:00:00+23:59", "not a time"),
            ("pull_request.labels", {}, "pull_request.labels is an object"),
            ("pull_request.labels", ["bug"], r"labels\[0\] is a text"),
            ("pull_request.draft", "yes", "not true or false"),
            ("installation", {"id": None}, "installation.id is missing"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, payload: Payload, path: str, value: object, told: str) -> None:
        document = payload("pull_request.opened")
        *parents, last = path.split(".")
        place = document
        for key in parents:
            place = place[key]
        place[last] = value
        with pytest.raises(Malformed, match=told):
            read("pull_request", document)

    def test_whatever_is_missing_or_of_another_type_is_never_a_crash(self, payload: Payload) -> None:
        tried = 0
        for name, event in [("pull_request.labeled", "pull_request"), ("installation.created", "installation"),
                            ("installation_repositories.added", "installation_repositories"),
                            ("issue_comment.created", "issue_comment"), ("ping", "ping")]:  # fmt: skip
            original = payload(name)
            for path in places(original):
                for value in (None, "x", 3, [1], {"a": 1}, "remove"):
                    tried += 1
                    with suppress(Malformed):
                        read(event, changed(original, path, value))
        assert tried > 1000

    @given(DOCUMENTS)
    def test_any_document_at_all(self, document: object) -> None:
        for event in payloads.EVENTS:
            with suppress(Malformed):
                read(event, document)


def places(document: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document that our reading could look at."""
    if path:
        yield path
    if len(path) >= 4:
        return
    if isinstance(document, dict):
        for key, value in document.items():
            if not key.endswith("_url") and key != "_links":
                yield from places(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from places(value, (*path, index))


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """The document with another value in one place, copied only as far as needed."""
    whole = copy.copy(document)
    place: Any = whole
    for key in path[:-1]:
        place[key] = copy.copy(place[key])
        place = place[key]
    if value == "remove":
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return whole
