"""Where a path leads that a repository names."""

import pytest

from revieee.model.tree import PathError, inside


@pytest.mark.parametrize(
    ("base", "path", "joined"),
    [
        ("", "", ""),
        ("", ".", ""),
        ("app", "Dockerfile", "app/Dockerfile"),
        ("app", "./a//b/../c", "app/a/c"),
        ("app/web", "../shared", "app/shared"),
        ("app", "..", ""),
        ("", "...", "..."),
        ("", "-rf; $(id)", "-rf; $(id)"),
    ],
)
def test_a_path_is_joined_to_its_folder(base: str, path: str, joined: str) -> None:
    assert inside(base, path) == joined


@pytest.mark.parametrize("path", ["/etc/passwd", "..", "a/../..", "../../etc", "./..", "a\0b", "//x"])
def test_a_path_that_leaves_the_tree_is_refused(path: str) -> None:
    with pytest.raises(PathError, match="outside the repository"):
        inside("", path)


def test_a_path_longer_than_any_file_s_is_refused_and_not_repeated_in_full() -> None:
    assert inside("", "x" * 4096) == "x" * 4096
    with pytest.raises(PathError, match="more than 4096 characters") as refused:
        inside("", "x" * 4097)
    assert len(str(refused.value)) < 200
