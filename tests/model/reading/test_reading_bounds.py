"""Small files that unfold into much are refused in a moment."""

import time
from collections.abc import Iterator

import pytest

from revieee.testing.trees import Content
from support.manifests import faults

WEB = "services:\n  web:\n    image: a\n    ports: [80]\n"


@pytest.fixture(autouse=True)
def in_a_moment() -> Iterator[None]:
    started = time.process_time()
    yield
    assert time.process_time() - started < 4


def test_a_file_of_ten_megabytes() -> None:
    assert "larger than 1,000,000 bytes" in faults("a" * 10_000_000)[0]


def test_aliases_of_aliases() -> None:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert "too many YAML values" in faults(f"a0: &a0 x\n{laughs}")[0]


def test_variables_of_variables() -> None:
    env = "A0=xxxxxxxxxx\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}$A{n - 1}\n" for n in range(1, 60))
    assert "too many characters" in faults({"compose.yaml": WEB, ".env": env})[0]


def test_one_long_variable_many_times() -> None:
    command = f"    command: {'$A' * 300_000}\n"
    assert "too many characters" in faults({"compose.yaml": WEB + command, ".env": f"A={'x' * 200_000}"})[0]


def test_includes_that_double() -> None:
    files: dict[str, Content] = {f"c{n}.yml": f"include: [c{n + 1}.yml, c{n + 1}.yml]" for n in range(60)}
    assert "too many files" in "\n".join(faults({**files, "compose.yaml": f"include: [c0.yml]\n{WEB}"}))


def test_services_that_grow_by_extending() -> None:
    lists = (f"[{', '.join(f'{n}.{k}' for k in range(900))}]" for n in range(60))
    grown = "".join(f"  s{n}: {{image: a, extends: s{n + 1}, dns: {names}}}\n" for n, names in enumerate(lists))
    assert "too many YAML values" in faults(f"services:\n{grown}")[0]


def test_thousands_of_variables_in_files() -> None:
    lines = f"    env_file: [{', '.join(['a'] * 5)}]\n    env_file_: 1\n"
    assert "unknown" in faults({"compose.yaml": WEB + lines, "a": "A=1\n" * 50_000})[0]


def test_thousands_of_unknown_keys() -> None:
    assert "950 more" in faults(WEB + "".join(f"    kkk{n}: 1\n" for n in range(1000)))[-1]
