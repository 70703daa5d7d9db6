"""Which pull requests get an environment."""

from collections.abc import Sequence
from functools import lru_cache

from revieee.model.facts import PullRequestFacts
from revieee.model.manifest import When
from revieee.model.reading.findings import quote, words_of
from revieee.model.reading.patterns import Pattern

SKIP = "[skip revieee]"
"""In a pull request's title: no environment, whatever the files say."""

_MOST_WORK = 5_000_000
"""Characters of paths times patterns; beyond that paths exclude nothing (about a second's work)."""


def excluded(when: When, facts: PullRequestFacts, changed_paths: Sequence[str] | None) -> str | None:
    """Tell why a pull request gets no environment.

    Args:
        when: what the manifest says.
        facts: the pull request.
        changed_paths: what it changes; None where that is unknown, and then paths exclude nothing.

    Returns:
        One sentence with what to do, or None when it gets one.
    """
    return (
        _by_title(facts)
        or _by_draft(when, facts)
        or _by_labels(when, facts)
        or _by_base(when, facts)
        or _by_paths(when, changed_paths)
    )


def _by_title(facts: PullRequestFacts) -> str | None:
    if SKIP in facts.title.lower():
        return f"No environment: the title says `{SKIP}`. Take it out of the title to get one."
    return None


def _by_draft(when: When, facts: PullRequestFacts) -> str | None:
    if facts.draft and not when.drafts:
        return "No environment: `when.drafts` is false and this is a draft. Mark it ready for review to get one."
    return None


def _by_labels(when: When, facts: PullRequestFacts) -> str | None:
    labels = {label.lower() for label in facts.labels}
    if when.labels and not labels & {label.lower() for label in when.labels}:
        several = "one of the labels" if len(when.labels) > 1 else "the label"
        return f"No environment: `when.labels` asks for {several} {words_of(when.labels)}. Add it to get one."
    unwanted = [label for label in when.without_labels if label.lower() in labels]
    if unwanted:
        return f"No environment: `when.without_labels` names {words_of(unwanted)}. Remove the label to get one."
    return None


def _by_base(when: When, facts: PullRequestFacts) -> str | None:
    if when.base_branches and not _matches(when.base_branches, facts.base_ref):
        return (
            f"No environment: the base branch {quote(facts.base_ref)} is none of `when.base_branches` "
            f"({words_of(when.base_branches)}). Change the base branch or that list to get one."
        )
    return None


def _by_paths(when: When, changed_paths: Sequence[str] | None) -> str | None:
    patterns = len(when.paths) + len(when.ignore_paths)
    if changed_paths is None or sum(map(len, changed_paths)) * patterns > _MOST_WORK:
        return None
    if when.paths and not any(_matches(when.paths, path) for path in changed_paths):
        return f"No environment: nothing changed in `when.paths` ({words_of(when.paths)}). Change that list to get one."
    if when.ignore_paths and changed_paths and all(_matches(when.ignore_paths, path) for path in changed_paths):
        return (
            f"No environment: only `when.ignore_paths` changed ({words_of(when.ignore_paths)}). "
            "Change that list to get one."
        )
    return None


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return any(_pattern(pattern).matches(text) for pattern in patterns)


@lru_cache(maxsize=256)
def _pattern(text: str) -> Pattern:
    return Pattern.of(text)
