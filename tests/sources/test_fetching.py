import subprocess

import pytest

from revieee.sources.fetching import _is_branch

NAMES = [
    "main",
    "feature/x",
    "ü☃",
    "-x",
    "a@b",
    "@",
    "a.b",
    "a.lockx",
    "$(id)",
    "a'b\"c`d",
    "x" * 200,
    "HEAD",
    "{a}",
    "a@{b",
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.",
    "a..b",
    "a.lock",
    "a.lock/b",
    "a b",
    "a\tb",
    "a\nb",
    "a\x7f",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[b",
    "a\\b",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_branch_is_what_git_takes_for_one(name: str) -> None:
    asked = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)

    assert _is_branch(name) is (asked.returncode == 0)
