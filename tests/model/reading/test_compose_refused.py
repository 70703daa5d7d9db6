"""What could reach out of an environment is refused, with file, line and reason."""

import pytest

from revieee.model.manifest import Limits
from revieee.testing.trees import Content, Link
from support.hostile_compose import (
    FILES,
    HARMLESS_LINES,
    HARMLESS_TOPS,
    SAYS_NOTHING,
    SERVICE_LINES,
    TOP_LINES,
    service_text,
    top_text,
)
from support.manifests import compose, faults, notices


@pytest.mark.parametrize(("line", "words"), SERVICE_LINES)
def test_a_service_cannot_reach_out(line: str, words: str) -> None:
    found = faults({**FILES, "compose.yaml": service_text(line)})
    assert words in "\n".join(found)
    lines = {int(fault.split(":")[1]) for fault in found if fault.startswith("compose.yaml:")}
    assert lines & {5, 8, 9} or found[0].startswith("labels.env")
    assert all(len(fault.split(": ", 1)[1]) > 20 for fault in found)


@pytest.mark.parametrize("line", TOP_LINES)
def test_a_file_cannot_reach_out(line: str) -> None:
    found = faults({**FILES, "compose.yaml": top_text(line)})
    assert found[0].startswith("compose.yaml:1: ")


@pytest.mark.parametrize("line", SAYS_NOTHING)
def test_a_key_that_says_nothing_passes(line: str) -> None:
    compose(f"services:\n  web:\n    image: nginx\n    ports: [80]\n    {line}\n")


@pytest.mark.parametrize(("line", "words"), HARMLESS_LINES)
def test_what_is_made_harmless_is_told(line: str, words: str) -> None:
    manifest = compose(f"services:\n  web:\n    image: nginx\n    expose: [80]\n    {line}\n")
    assert words in notices(manifest)
    assert "compose.yaml:5: " in notices(manifest)


@pytest.mark.parametrize(("top", "words"), HARMLESS_TOPS)
def test_what_is_shared_elsewhere_is_the_environments_own(top: str, words: str) -> None:
    manifest = compose(f"{top}\nservices:\n  web: {{image: nginx, ports: [80]}}\n")
    assert f"compose.yaml:1: {words}" in notices(manifest)


@pytest.mark.parametrize("key", ["biuld", "Image", "port", "enviroment", "depend_on"])
def test_an_unknown_key_names_the_nearest(key: str) -> None:
    [fault] = faults(f"services:\n  web:\n    image: a\n    ports: [80]\n    {key}: x\n")
    assert fault.startswith(f"compose.yaml:5: Service `web`: the key `{key}` is unknown. Did you mean `")


def test_a_message_shows_hostile_text_as_one_printable_line() -> None:
    [fault] = faults('services:\n  web:\n    image: "a\\n# x\\e[31m\\u202e`"\n    ports: [80]\n')
    assert "\n" not in fault
    assert fault.isprintable()


def test_mounted_files_have_a_limit() -> None:
    files: dict[str, Content] = {f"data/{n}": b"x" * 1000 for n in range(20)}
    text = "services:\n  web:\n    image: a\n    ports: [80]\n    volumes: ['./data:/data']\n"
    [fault] = faults({"compose.yaml": text, **files}, Limits(mounted_bytes=10_000))
    assert fault.startswith("compose.yaml:5: The files mounted from the repository are more than 10,000 bytes")
    assert "mounts: false" in fault


def test_links_that_run_in_circles_end() -> None:
    loop: dict[str, Content] = {"a/b": Link("../a"), "a/c": Link("c"), "a/file": "x"}
    text = "services:\n  web:\n    image: a\n    ports: [80]\n    volumes: ['./a:/a']\n"
    assert faults({"compose.yaml": text, **loop})[0].startswith("compose.yaml:5: ")
