"""Small files that unfold into much are refused in a moment."""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from revieee.model.manifest import ManifestError
from revieee.testing.trees import Content
from support.manifests import compose, faults

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


SCALED = {
    "a context that looks like git's again and again": f'    build: {{context: "{".git#" * 60_000}\\n\\nx"}}\n',
    "a path of many folders": f"    build: {'a/' * 150_000}\n",
    "a path of many folders, of a file": f"    env_file: {'a/' * 150_000}\n",
    "a command of one long word": f"    command: {'a' * 400_000}\n",
    "a command of many quotes": f"""    command: {'"' * 200_001}\n""",
    "networks that are not declared": "    networks:\n"
    + "".join(f"      - bb{n}x\n" for n in range(3000))
    + "networks:\n"
    + "".join(f"  ab{n}x:\n" for n in range(3000)),
    "secrets that are not declared": "    secrets:\n"
    + "".join(f"      - bb{n}x\n" for n in range(100))
    + "secrets:\n"
    + "".join(f"  ab{n}x: {{content: a}}\n" for n in range(5000)),
    "many aliases of one service": "    links: ["
    + ", ".join(f"'db:a{n}'" for n in range(20_000))
    + "]\n  db: {image: a}\n",
    "many dependencies that are nowhere": "    depends_on: [" + ", ".join(f"a{n}" for n in range(20_000)) + "]\n",
    "variables without a value, each on a line of its own": "    environment:\n"
    + "".join(f"      A{n}: $X\n" for n in range(40_000)),
    "a port of many digits": f"    expose: ['{'9' * 300_000}', '80-\u00b2']\n",
    "mappings merged into one": "".join(f"x-{n}: &a{n} {{k{n}: 1}}\n" for n in range(9000))
    + f"x-all:\n  <<: [{', '.join(f'*a{n}' for n in range(9000))}]\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("more", SCALED)
def test_hundreds_of_kilobytes_of_one_thing(more: str) -> None:
    with suppress(ManifestError):
        compose(WEB + SCALED[more])


def test_a_service_exposed_many_times() -> None:
    wishes = f"expose: [{', '.join(['web'] * 40_000)}]\n"
    assert "is there twice" in faults({"compose.yaml": WEB, "revieee.yml": wishes})[0]


def test_a_suggestion_is_made_for_the_first_of_many_and_names_are_cut() -> None:
    found = faults(WEB + "    networks:\n" + "".join(f"      - back{n}\n" for n in range(99)) + "networks: {back: }\n")
    assert found[0].count("Did you mean `back`?") == 1
    assert len(found) == 51
