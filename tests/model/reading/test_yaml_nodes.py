import time

import pytest

from revieee.model.reading.findings import Budget, OverBudget, Place
from revieee.model.reading.yaml_nodes import Mapping, Node, Scalar, YamlFault, parse


def node(text: str) -> Node | None:
    return parse(text, Place("x.yml"), Budget())


def entries(text: str) -> dict[str, str]:
    found = node(text)
    assert isinstance(found, Mapping)
    return {key: entry.value.text for key, entry in found.entries.items() if isinstance(entry.value, Scalar)}


def test_scalars_keep_what_was_written() -> None:
    written = "a: no\nb: 22:22\nc: 010\nd: 1.10\ne: 0x1F\nf: on\ng: 2024-01-01\nh: 1e3\n"
    assert entries(written) == {
        "a": "no", "b": "22:22", "c": "010", "d": "1.10", "e": "0x1F", "f": "on", "g": "2024-01-01", "h": "1e3",
    }  # fmt: skip


def test_null_is_nothing_unless_it_is_quoted() -> None:
    found = node('a: ~\nb: null\nc:\nd: "null"\ne: ""\nf: !!str null')
    assert isinstance(found, Mapping)
    assert [key for key in "abcdef" if found.get(key) is None] == ["a", "b", "c"]


def test_every_value_knows_its_line() -> None:
    found = node("a:\n  - b\n  -\n    c: |\n      text\n")
    assert isinstance(found, Mapping)
    assert found.entries["a"].at.line == 1
    assert found.entries["a"].value.at.line == 2


def test_merge_keys_give_way_to_written_ones_and_to_earlier_ones() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}"
    found = node(text)
    assert isinstance(found, Mapping)
    z = found.get("z")
    assert isinstance(z, Mapping)
    assert {key: entry.value.text for key, entry in z.entries.items() if isinstance(entry.value, Scalar)} == {
        "c": "3", "a": "1", "b": "1",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["﻿a: 1", "a: 1\r\n", "%YAML 1.2\n---\na: 1\n...\n"])
def test_byte_order_marks_windows_lines_and_directives_are_no_matter(text: str) -> None:
    assert entries(text) == {"a": "1"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\t- b", 2, "spaces, not tabs"),
        ("a: b: c", 1, "not valid YAML"),
        ("a: 1\nb: 2\na: 3", 3, "already there (line 1)"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: !ruby/object:Gem x", 1, "not known here"),
        ("a: !!python/object/apply:os.system [ls]", 1, "not known here"),
        ("a: *b", 1, "has no anchor"),
        ("a: &a [*a]", 1, "inside its own anchor"),
        ("? [a]\n: b", 1, "single word"),
        ("<<: 1", 1, "merge key"),
        ('a: "\\0"', 1, "NUL"),
        ("[" * 100, 1, "deeper than 60"),
        ("a: 'x", None, "not valid YAML"),
        ("a: \x07", None, "control characters"),
    ],
)
def test_what_is_not_read_says_where_and_why(text: str, line: int | None, words: str) -> None:
    with pytest.raises(YamlFault) as found:
        node(text)
    assert words in found.value.words
    assert line is None or found.value.at.line == line


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 12))
    started = time.perf_counter()
    with pytest.raises(OverBudget):
        node(f"l0: &l0 x\n{levels}")
    assert time.perf_counter() - started < 1
