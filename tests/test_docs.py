"""What the documents say is true: commands, settings, links, examples and messages are those of the code.

`REVIEEE_WRITE_DOCS=1 pytest tests/test_docs.py` writes the list of decisions anew.
"""

import configparser
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from revieee import __version__
from revieee.cli import COMMANDS, main
from revieee.engines.docker import names
from revieee.intake.endpoint import PATH as WEBHOOK
from revieee.model.reading.variables import NAMES
from revieee.settings import Settings
from revieee.web import app
from support.manifests import reading

ROOT = Path(__file__).parents[1]
README, JAPANESE, OPERATING = ROOT / "README.md", ROOT / "README.ja.md", ROOT / "docs" / "operating.md"
DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "examples").glob("**/README.md")])
OURS = [README, JAPANESE, OPERATING, ROOT / "docs" / "README.md", ROOT / "CONTRIBUTING.md"]
"""Pages in which `bin/…` and the like mean files of this tree, not of a reader's."""

COMMAND = re.compile(r"(?<![\w/.-])(?:\.venv/bin/)?revieee (?=[a-z-]|$)([^`|;&\n]*)")
OF_TESTS = {"REVIEEE_SCREENSHOTS", "REVIEEE_WRITE_DOCS"}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def each(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code(page: Path) -> Iterator[str]:
    """All code of a page: fenced, indented, and inside of lines."""
    plain = FENCED.sub("", text(page))
    yield from (line for _, block in FENCED.findall(text(page)) for line in block.splitlines())
    yield from re.findall(r"^ {4,}(\S.*)$", plain, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", plain)


def commands(page: Path) -> Iterator[str]:
    for line in code(page):
        for found in COMMAND.finditer(line):
            yield re.split(r" {2,}| #(?= )|…", found[1])[0].strip(" .…")


# ---- commands


def options(name: str) -> set[str]:
    command: click.Command | None = main
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts) if option.startswith("-")}


def wrong(command: str) -> str:
    """Say what is wrong with a command as it is shown; empty where nothing is."""
    word, *rest = shlex.split(command)
    if word.startswith("-"):
        return "" if word in {"--help", "-h", "--version"} else f"there is no option {word}"
    if word not in COMMANDS:
        return f"there is no command {word}"
    if isinstance(found := main.get_command(click.Context(main), word), click.Group) and rest:
        word = f"{word} {rest.pop(0)}"
        if word.split()[1] not in found.commands:
            return f"there is no command {word}"
    unknown = {one.partition("=")[0] for one in rest if one.startswith("-")} - options(word) - {"--help", "-h"}
    return f"{word} has no option {', '.join(sorted(unknown))}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=each)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    assert [f"{one}: {problem}" for one in commands(page) if one and (problem := wrong(one))] == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert wrong("lsit")
    assert wrong("list --every")
    assert not wrong("logs acme/shop#12 --service web -f")


@pytest.mark.parametrize("page", [README, JAPANESE], ids=each)
def test_the_readme_names_every_command(page: Path) -> None:
    rows = re.findall(r"^\| `revieee (\w+)", text(page), re.MULTILINE)
    assert rows == list(COMMANDS)


def test_all_that_print_can_print_json() -> None:
    assert [name for name in COMMANDS if "--json" not in options(name)] == ["serve", "secret"]
    assert "--json" in options("secret list")


# ---- settings


def settings_named(page: Path) -> set[str]:
    return {one for one in re.findall(r"REVIEEE_[A-Z0-9_]*[A-Z0-9]", text(page)) if one not in OF_TESTS}


@pytest.mark.parametrize("page", PAGES, ids=each)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {f"REVIEEE_{name.upper()}" for name in Settings.model_fields} | set(NAMES)
    unknown = {one for one in settings_named(page) - known if not one.startswith("REVIEEE_URL")}
    assert unknown == set()


def toml(page: Path) -> list[str]:
    return [block for kind, block in FENCED.findall(text(page)) if kind == "toml"]


EXAMPLE = text(ROOT / "revieee.toml.example")
TOML = [block for page in (README, JAPANESE, OPERATING) for block in toml(page)]


@pytest.mark.parametrize("block", [*TOML, EXAMPLE])
def test_settings_that_are_shown_are_taken(block: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings(**tomllib.loads(block)).domain


@pytest.mark.parametrize("line", re.findall(r"^# (\w+ = .*)$", "\n".join([EXAMPLE, *TOML]), re.MULTILINE))
def test_settings_that_are_commented_out_are_taken_alone(line: str) -> None:
    values: dict[str, Any] = tomllib.loads(line)
    if values.keys() & {"github_app_id", "github_private_key"}:  # both or none
        values = {"github_app_id": "1", "github_private_key": "key"} | values
    assert Settings(**values).model_fields_set == values.keys()


# ---- links and files


def anchor(heading: str) -> str:
    """Make a heading's anchor as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=each)
def test_every_link_leads_somewhere(page: Path) -> None:
    astray = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", text(page))):
        place, _, part = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / place).resolve() if place else page
        headings = {anchor(one) for one in re.findall(r"^#+ (.*)$", text(target), re.MULTILINE)} if part else {part}
        if not target.exists() or part not in headings:
            astray.append(link)
    assert astray == []


@pytest.mark.parametrize("page", OURS, ids=each)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    pattern = re.compile(
        r"(?<![\w/.-])(?:bin|docs|src|tests|examples|\.ci)/[\w./-]*\w|(?<![\w/.-])revieee\.toml\.example"
    )
    hooks = {"bin/rails"}  # of the example's product
    found = {one for line in code(page) for one in pattern.findall(line)} - hooks
    assert {one for one in found if not (ROOT / one).exists()} == set()


@pytest.mark.parametrize("page", [README, JAPANESE], ids=each)
def test_manifests_in_the_readme_are_read(page: Path) -> None:
    (example,) = [block for kind, block in FENCED.findall(text(page)) if kind == "yaml"]
    compose = "services: {web: {build: ., ports: [80]}, api: {image: a, ports: [81]}}"
    manifest = reading({"revieee.yml": example, "compose.yaml": compose, "Dockerfile": "FROM scratch"})
    assert manifest.notices == ()
    assert [service for service, _ in manifest.hostnames] == ["web", "api"]


def test_the_unit_starts_what_the_readme_installs() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # systemd's keys have capitals
    unit.read_string(text(ROOT / "docs" / "revieee.service"))
    service = unit["Service"]
    assert service["ExecStart"] == f"{service['WorkingDirectory']}/.venv/bin/revieee serve"
    assert service["KillMode"] == "process", "systemd would stop nginx with us"
    assert f"sudo git clone ADDRESS-OF-THIS-REPOSITORY {service['WorkingDirectory']}" in text(README)
    assert f'data = "/var/lib/{service["StateDirectory"]}"' in text(README)


# ---- one thing said twice


def test_the_japanese_readme_shows_the_same() -> None:
    def shown(page: Path) -> dict[str, object]:
        # Comments and words beside commands are translated; what is typed is not.
        lines = re.findall(r"^ {4}(\S.*?)(?: {2,}.*)?$", FENCED.sub("", text(page)), re.MULTILINE)
        blocks = [block for kind, block in FENCED.findall(text(page)) if kind != "toml"]
        return {
            "lines": lines,
            "blocks": blocks,
            "settings": [re.findall(r"^#? ?(\w+) =", block, re.MULTILINE) for block in toml(page)],
            "commands": re.findall(r"^\| `([^`]+)`", text(page), re.MULTILINE),
            "sections": len(re.findall(r"^## ", text(page), re.MULTILINE)),
            "links": set(re.findall(r"\]\(([^)]+)\)", text(page))) - {"README.md", "README.ja.md"},
        }

    assert shown(JAPANESE) == shown(README)


def test_the_changelog_has_this_version() -> None:
    assert re.search(rf"^## {re.escape(__version__)}\b", text(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_every_decision_is_in_the_list() -> None:
    index = DECISIONS / "README.md"
    pages = [page for page in sorted(DECISIONS.glob("*.md")) if page != index]
    rows = "".join(f"- [{text(page).splitlines()[0].removeprefix('# ')}]({page.name})\n" for page in pages)
    head = index.read_text(encoding="utf-8").partition("\n- ")[0] + "\n"
    if os.environ.get("REVIEEE_WRITE_DOCS"):
        index.write_text(head + rows, encoding="utf-8")
    assert index.read_text(encoding="utf-8") == head + rows, "REVIEEE_WRITE_DOCS=1 writes the list anew"


@pytest.mark.parametrize("page", [README, JAPANESE], ids=each)
def test_the_readme_tells_what_happens_to_forks(page: Path) -> None:
    told = re.findall(r'forks = "(\w+)"', text(page))
    assert told[:1] == [Settings.model_fields["forks"].default]


# ---- what operating says of the code


def test_operating_names_what_is_asked_from_outside() -> None:
    own = app.create_app(None)  # type: ignore[arg-type] # nothing is asked of it
    paths = {getattr(route, "path", "") for route in own.routes}
    asked = {path for path in paths if not path.startswith("/_") and path != "/"}
    assert {path for path in asked if f"`GET {path}`" not in text(OPERATING)} == set()
    assert f"https://review.example.com{WEBHOOK}`" in text(README)


def test_operating_names_the_labels() -> None:
    labels = {names.INSTANCE, names.ENVIRONMENT, names.SERVICE, names.RELEASE, names.KEY, names.NAME}
    assert {label for label in labels if f"`{label}`" not in text(OPERATING)} == set()


@cache
def source() -> str:
    """All of the source, with texts that are written in several pieces put together."""
    whole = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "src").rglob("*.py")))
    return re.sub(r"\"\s*\n\s*f?\"", "", whole)


MESSAGES = re.findall(r"^\| `([^`]+)` \|", text(OPERATING).partition("<!-- messages")[2], re.MULTILINE)


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_is_one_of_the_code(message: str) -> None:
    pieces = [re.escape(piece.strip()) for piece in message.split("…") if piece.strip()]
    assert re.search(r"[^\n]{0,80}?".join(pieces), source())


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 20


@pytest.mark.parametrize("page", ["limits.md", "promises.md"])
def test_every_limit_and_promise_names_tests_that_are_there(page: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::([\w:]+)`", text(ROOT / "docs" / page))
    assert len(named) > 20
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"def {test.rpartition(':')[2]}\(", text(ROOT / "tests" / file))
    ]
    assert missing == []


def test_every_setting_that_bounds_something_is_among_the_limits() -> None:
    bounds = {
        name
        for name, field in Settings.model_fields.items()
        if re.search("most|less room|wait|drop", field.description or "")
    }
    listed = set(re.findall(r"REVIEEE_(\w+)", text(ROOT / "docs" / "limits.md")))
    assert {name.upper() for name in bounds} <= listed
