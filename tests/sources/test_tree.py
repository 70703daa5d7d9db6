from collections.abc import Callable, Mapping
from time import perf_counter

import pytest

from revieee.model.tree import Kind, PathError
from revieee.ports import RetryLater
from revieee.sources.tree import GitTree, Root

Make = Callable[[Mapping[str, bytes | tuple[str, bytes]]], GitTree]
LINK = "120000"


def test_files_and_folders_are_told_apart_and_read(tree: Make) -> None:
    made = tree({"compose.yaml": b"services: {}\n", "api/Dockerfile": b"FROM scratch\n"})

    assert made.kind("") is Kind.FOLDER
    assert made.kind("api") is Kind.FOLDER
    assert made.kind("api/Dockerfile") is Kind.FILE
    assert made.kind("api/nothing") is None
    assert made.kind("compose.yaml/below-a-file") is None
    assert made.read("./api/../api/Dockerfile") == b"FROM scratch\n"
    assert made.list() == ["api", "compose.yaml"]
    assert made.list("api") == ["Dockerfile"]
    assert made.list("compose.yaml") == ()
    assert made.list("nothing") == ()


@pytest.mark.parametrize("name", ["-x", "a\nb", "a b", "über", "\udcff\udcfe", '"quoted"', "100644", "a\tb", "$(id)"])
def test_any_name_that_git_can_hold_is_a_name(tree: Make, name: str) -> None:
    made = tree({name: b"here", f"folder/{name}": b"there"})

    assert made.read(name) == b"here"
    assert made.list("folder") == [name]
    assert made.read(f"folder/{name}") == b"there"


def test_the_same_content_has_the_same_hash_wherever_it_lies(tree: Make) -> None:
    made = tree({"a/x": b"1", "b/x": b"1", "c/x": b"2", "a-file": b"1"})

    assert made.object_id("a") == made.object_id("b") != made.object_id("c")
    assert made.object_id("a/x") == made.object_id("a-file")
    assert made.object_id("nothing") is None


def test_links_are_followed_inside_the_tree(tree: Make) -> None:
    made = tree(
        {
            "real/file": b"content",
            "real/up": (LINK, b"../other"),
            "link": (LINK, b"real"),
            "other/file": b"other",
            "dangling": (LINK, b"nowhere"),
        }
    )

    assert made.read("link/file") == b"content"
    assert made.kind("link") is Kind.FOLDER
    assert made.read("link/up/file") == b"other"
    assert made.kind("dangling") is None


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../../etc/passwd", b"folder/../../../etc/passwd", b".."])
def test_a_link_never_leads_out(tree: Make, target: bytes) -> None:
    made = tree({"folder/x": b"", "out": (LINK, target)})

    for ask in (made.kind, made.read, made.list, made.object_id):
        with pytest.raises(PathError, match="leads out of the repository"):
            ask("out")


def test_links_in_a_circle_end(tree: Make) -> None:
    with pytest.raises(PathError, match="too many links"):
        tree({"a": (LINK, b"b"), "b": (LINK, b"a")}).read("a")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_a_path_never_leads_out(tree: Make, path: str) -> None:
    with pytest.raises(PathError, match="outside the repository"):
        tree({"a": b""}).read(path)


def test_what_is_no_file_cannot_be_read(tree: Make) -> None:
    made = tree({"folder/file": b"", "module": ("160000", b"1" * 40)})

    for path in ("folder", "nothing", "module"):
        with pytest.raises(PathError, match=path):
            made.read(path)


def test_a_file_over_the_limit_is_refused_and_the_next_one_read(tree: Make) -> None:
    made = tree({"big": b"x" * 1001, "fits": b"x" * 1000})

    with pytest.raises(PathError, match="larger than 1000 bytes"):
        made.read("big", limit=1000)
    assert len(made.read("fits", limit=1000)) == 1000


def test_a_submodule_is_read_from_where_it_is_at_hand(commit: Callable[..., Root]) -> None:
    inner = commit({"inner": b"from the submodule", "up": (LINK, b"../file")})
    outer = commit({"lib": ("160000", inner.object_id.encode()), "file": b"outer", "to": (LINK, b"lib/inner")})

    with GitTree(outer) as alone, GitTree(outer, {"lib": inner}) as whole:
        assert alone.kind("lib") is Kind.SUBMODULE
        assert alone.submodule("lib") == inner.object_id
        assert alone.submodule("to") is None
        assert alone.kind("lib/inner") is None
        assert whole.kind("lib") is Kind.FOLDER
        assert whole.read("lib/inner") == whole.read("to") == b"from the submodule"
        assert whole.read("lib/up") == b"outer"
        assert whole.list("lib") == ["inner", "up"]


def test_only_programs_may_be_run(tree: Make) -> None:
    made = tree({"run": ("100755", b"#!/bin/sh"), "text": b"", "link": (LINK, b"run")})

    assert (made.executable("run"), made.executable("link")) == (True, True)
    assert (made.executable("text"), made.executable("nothing")) == (False, False)


def test_a_mirror_that_lost_the_commit_is_said(commit: Callable[..., Root]) -> None:
    with GitTree(Root(commit({"a": b""}).git_dir, "1" * 40)) as made, pytest.raises(RetryLater, match="fetched again"):
        made.kind("a")


def test_a_closed_tree_leaves_no_process(tree: Make) -> None:
    made = tree({"a": b"1"})
    made.read("a")
    (objects,) = made._objects.values()
    process = objects._process
    assert process is not None

    made.close()

    assert process.poll() is not None


def test_reading_is_quick(tree: Make) -> None:
    made = tree({f"folder/{number}/compose.yaml": b"services: {}\n" for number in range(200)})
    made.read("folder/0/compose.yaml")

    began = perf_counter()
    for number in range(200):
        made.read(f"folder/{number}/compose.yaml")

    assert (perf_counter() - began) / 200 < 0.01
