"""Whatever a stranger writes ends in a manifest or in a ManifestError, within bounded time."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revieee.model.manifest import ManifestError, Notice
from revieee.model.reading import schema, task_definition
from revieee.model.reading.compose import table
from revieee.model.reading.patterns import Pattern
from revieee.testing.trees import Content, Link, Submodule
from support.manifests import reading

EXAMPLES = int(os.environ.get("REVIEEE_FUZZ_EXAMPLES", "80"))
bounded = settings(max_examples=EXAMPLES, deadline=2000, suppress_health_check=[HealthCheck.too_slow], database=None)

WORDS = st.sampled_from([
    "web", "db", ".", "..", "./a", "../a", "/etc", "~", "a/file", "link", "module/x", "no", "true", "null", "", "-x",
    "80", "8080:80", "127.0.0.1:1-3:4-6/udp", "v:/v:ro", "./a:/x", "1m30s", "512m", "-1", "0440", "service_healthy",
    "host", "container:x", "nginx", "A=1", "$A", "${A:-${B:?x}}", "$$", "${", "host-gateway", "x=::1", "CMD", "\x00",
    "\u202e", "é" * 70, "compose.yaml", "other.yml", "https://x/y.git", "bind", "volume", "tmpfs", "on-failure:2",
    "1e9", "**/a/*", "[skip]",
])  # fmt: skip
KEYS = sorted({
    *(key for _, keys in table.TABLES.values() for key in keys),
    *(key for _, keys in schema.SECTIONS.values() for key in keys),
    *task_definition.TASK, *task_definition.CONTAINER, "web", "db", "x-a", "<<", "v", "nofile", "soft",
})  # fmt: skip
SCALARS = st.one_of(WORDS, st.text(max_size=20), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(KEYS), WORDS), inner, max_size=5)
    ),
    max_leaves=25,
)


def keyed(keys: table.Table) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(sorted(keys)), VALUES, max_size=6)


SERVICE = st.builds(lambda base, more: {**base, **more}, st.just({"image": "nginx"}), keyed(table.SERVICE))
COMPOSE = st.builds(
    lambda top, services: {**top, "services": services},
    keyed(table.TOP),
    st.dictionaries(st.sampled_from(["web", "db", "job"]), SERVICE, min_size=1),
)
MANIFEST = st.builds(
    lambda keys, values: dict(zip(keys, values, strict=False)),
    st.lists(st.sampled_from(sorted(schema.ROOT)), unique=True),
    st.lists(VALUES, max_size=11),
)
TASK = st.builds(
    lambda top, containers: {**top, "containerDefinitions": containers},
    st.dictionaries(st.sampled_from(sorted(task_definition.TASK)), VALUES, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(sorted(task_definition.CONTAINER)), VALUES, max_size=6), max_size=3),
)
AROUND: dict[str, Content] = {
    "Dockerfile": "FROM x",
    "a/file": "x",
    "a/.env": "A=1",
    "other.yml": "services: {db: {image: a, extends: web}, web: {image: b}}",
    "link": Link("/etc"),
    "module": Submodule(),
}


def must_end(files: dict[str, Content], around: dict[str, Content] | None = None) -> None:
    faults: tuple[Notice, ...] = ()
    try:
        reading({**(AROUND if around is None else around), **files})
    except ManifestError as error:
        faults = error.faults or (Notice(file="", line=None, words=""),)
    assert all(fault.file and fault.words for fault in faults)


@pytest.mark.slow
@bounded
@given(COMPOSE, st.text(max_size=60))
def test_compose_files(content: object, env: str) -> None:
    must_end({"compose.yaml": json.dumps(content), ".env": env})


@pytest.mark.slow
@bounded
@given(MANIFEST, COMPOSE)
def test_manifests(content: object, compose: object) -> None:
    must_end({"revieee.yml": json.dumps(content), "compose.yaml": json.dumps(compose)})


@pytest.mark.slow
@bounded
@given(TASK)
def test_task_definitions(content: object) -> None:
    must_end({"task_definition.yml": json.dumps(content)}, around={})


@bounded
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text(one: str, other: str) -> None:
    must_end({"revieee.yml": one.encode("utf-8", "surrogatepass"), "compose.yaml": other, ".env": one})


@bounded
@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    must_end({"compose.yaml": content})


@bounded
@given(
    st.lists(
        st.sampled_from(
            [
                "services:",
                "\n",
                "  ",
                "web",
                ": ",
                "- ",
                "{",
                "}",
                "[",
                "]",
                "&a ",
                "*a",
                "!reset ",
                "|\n",
                "'",
                '"',
                "<<",
                "? ",
                "#",
                "${A",
                "}",
                "\t",
                "---\n",
                "image",
            ]
        ),
        max_size=60,
    )
)
def test_almost_yaml(parts: list[str]) -> None:
    must_end({"compose.yaml": "".join(parts)})


@bounded
@given(st.text(alphabet="ab/*?[", max_size=30), st.text(alphabet="ab/", max_size=30))
def test_patterns_end(pattern: str, path: str) -> None:
    Pattern.of(pattern).matches(path)
