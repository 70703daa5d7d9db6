"""The manifest page says what the code does: its tables are made from the code's, its examples are read.

`REVIEEE_WRITE_DOCS=1 pytest tests/model/reading/test_manifest_page.py` writes the tables anew.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from revieee.model.manifest import Limits
from revieee.model.reading import ORDER, findings, schema, task_definition, variables
from revieee.model.reading.compose import mounts, table
from revieee.model.reading.compose.table import Treatment
from revieee.model.reading.files import ENV_BYTES, YAML_BYTES
from revieee.model.reading.yaml_nodes import DEEPEST
from revieee.testing.trees import Content
from support.manifests import reading

PAGE = Path(__file__).parents[3] / "docs" / "manifest.md"

AROUND: dict[str, Content] = {
    "compose.yaml": "services: {web: {build: ., ports: [80]}, api: {image: a, ports: [81], volumes: ['.:/app']}}",
    "compose.review.yaml": "services: {web: {init: true}}",
    "Dockerfile": "FROM scratch",
}


def keys() -> Iterator[str]:
    for heading, section in schema.SECTIONS.values():
        yield f"**{heading}**\n"
        yield "| key | value | what it does |\n|---|---|---|"
        yield from (f"| `{name}` | {key.form} | {key.words} |" for name, key in section.items())
        yield ""


def names() -> Iterator[str]:
    yield "| variable | value |\n|---|---|"
    yield from (f"| `{name}` | {words} |" for name, words in variables.NAMES.items())


def compose() -> Iterator[str]:
    yield "| key | | why |\n|---|---|---|"
    for path, rules in table.TABLES.values():
        for name, rule in rules.items():
            if rule.treatment is not Treatment.SUPPORTED:
                yield f"| `{f'{path}.' if path else ''}{name}` | {rule.treatment} | {rule.words} |"


def task() -> Iterator[str]:
    yield "| key | | why |\n|---|---|---|"
    for path, rules in (("", task_definition.TASK), ("containerDefinitions.*.", task_definition.CONTAINER)):
        for name, rule in rules.items():
            if rule.treatment is not Treatment.SUPPORTED:
                yield f"| `{path}{name}` | {rule.treatment} | {rule.words} |"


TABLES = {"keys": keys, "variables": names, "compose": compose, "task": task}


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_those_of_the_code(name: str) -> None:
    made = "\n".join(TABLES[name]()).strip()
    between = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
    page = PAGE.read_text(encoding="utf-8")
    if os.environ.get("REVIEEE_WRITE_DOCS"):
        page = between.sub(lambda found: f"{found[1]}\n{made}\n\n{found[2]}", page)
        PAGE.write_text(page, encoding="utf-8")
    found = between.search(page)
    assert found is not None
    assert found[0] == f"{found[1]}\n{made}\n\n{found[2]}"


EXAMPLES = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("file", "text"), EXAMPLES)
def test_the_examples_are_read(file: str, text: str) -> None:
    alone = file == "task_definition.yml"
    assert reading({file: text} if alone else {**AROUND, file: text}).file == file


def test_every_example_names_its_file() -> None:
    assert len(EXAMPLES) == PAGE.read_text(encoding="utf-8").count("```yaml") == 4


def test_everything_at_once_has_every_key() -> None:
    [_, (_, text), *_] = EXAMPLES
    assert [key for key in schema.ROOT if not re.search(rf"^{key}:", text, re.MULTILINE)] == ["build"]


def test_the_order_and_the_bounds_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    places = [page.index(f"`{name}`") for name in ORDER]
    assert places == sorted(places)
    budget, limits = findings.Budget(), Limits()
    for bound in (
        f"{YAML_BYTES // 10**6} MB (variables: {ENV_BYTES // 1000} kB)",
        f"{DEEPEST} levels deep",
        f"{budget.nodes:,} values and {budget.characters // 10**6} million characters",
        f"{budget.files} files, {mounts.MOST_FILES:,} mounted files and {limits.mounted_bytes // 10**6} MB of them",
    ):
        assert bound in " ".join(page.split())
