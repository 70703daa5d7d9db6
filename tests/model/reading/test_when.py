from datetime import UTC, datetime

import pytest

from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.manifest import When
from revieee.model.reading import excluded
from revieee.model.reading.patterns import Pattern


def facts(
    *, draft: bool = False, title: str = "Cart", labels: tuple[str, ...] = (), base: str = "main"
) -> PullRequestFacts:
    return PullRequestFacts(
        repository=RepositoryFacts(id=1, name="acme/shop"),
        number=1,
        open=True,
        draft=draft,
        title=title,
        labels=labels,
        base_ref=base,
        head_commit="a" * 40,
        updated_at=datetime(2024, 1, 1, tzinfo=UTC),
    )


def test_every_pull_request_gets_an_environment_unless_told_otherwise() -> None:
    assert excluded(When(), facts(draft=True), ["README.md"]) is None


@pytest.mark.parametrize("title", ["[skip revieee] docs", "docs [Skip Revieee]"])
def test_the_title_can_say_no(title: str) -> None:
    assert "Take it out of the title" in (excluded(When(), facts(title=title), None) or "")


@pytest.mark.parametrize(
    ("when", "pull", "words"),
    [
        (When(drafts=False), facts(draft=True), "ready for review"),
        (When(labels=("preview",)), facts(), "`preview`"),
        (When(without_labels=("no-preview",)), facts(labels=("No-Preview",)), "Remove the label"),
        (When(base_branches=("main", "release/*")), facts(base="release/1/x"), "base branch `release/1/x`"),
    ],
)
def test_what_excludes_says_what_to_do(when: When, pull: PullRequestFacts, words: str) -> None:
    reason = excluded(when, pull, None)
    assert reason is not None
    assert words in reason
    assert reason.startswith("No environment: ")


@pytest.mark.parametrize(
    ("when", "pull"),
    [
        (When(drafts=False), facts()),
        (When(labels=("preview", "demo")), facts(labels=("bug", "Demo"))),
        (When(without_labels=("x",)), facts(labels=("y",))),
        (When(base_branches=("release/**",)), facts(base="release/1/x")),
    ],
)
def test_what_matches_gets_one(when: When, pull: PullRequestFacts) -> None:
    assert excluded(when, pull, None) is None


def test_paths_and_ignored_paths() -> None:
    code = When(paths=("src/**", "*.lock"))
    assert excluded(code, facts(), ["docs/a.md", "src/deep/a.py"]) is None
    assert excluded(code, facts(), ["docs/a.md"]) is not None
    docs = When(ignore_paths=("docs/", "**/*.md"))
    assert excluded(docs, facts(), ["docs/a.png", "README.md", "src/a.md"]) is not None
    assert excluded(docs, facts(), ["docs/a.png", "a.py"]) is None
    assert excluded(code, facts(), None) is None
    assert excluded(docs, facts(), []) is None


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*", "a", True),
        ("*", "a/b", False),
        ("**", "a/b/c", True),
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("**/c", "c", True),
        ("**/c", "ac", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("docs/", "docs/x/y", True),
        ("./docs/*", "docs/x", True),
        ("*.md", "x.md.txt", False),
        ("[a]", "[a]", True),
    ],
)
def test_patterns(pattern: str, text: str, matches: bool) -> None:  # noqa: FBT001 -- a column of the table
    assert Pattern.of(pattern).matches(text) is matches


def test_a_hostile_pattern_takes_no_longer_than_its_length() -> None:
    assert not Pattern.of("**a" * 60 + "b").matches("a" * 4000)
