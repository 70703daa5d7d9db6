"""What readers of this tree may rely on: small files and functions, honest names, nothing of one machine in it."""

import ast
import gc
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "revieee"

FILE_LINES = 400
FUNCTION_LINES = 40
PARAMETERS = 6
JUNK_DRAWERS = {"common", "helper", "helpers", "misc", "util", "utils"}
LAZY_IMPORTS_ALLOWED = {"cli"}  # its table of commands loads each when it is asked for
LONG_FUNCTIONS_ALLOWED = {"versions"}  # a migration is a list of statements that never changes again

REGISTRIES = re.compile(
    r"(?:index|registry-1|auth)\.docker\.io|\bdocker\.io/\w|\bghcr\.io|\bquay\.io|\bgcr\.io|\bpublic\.ecr\.aws"
    r"|\bmcr\.microsoft\.com|\bregistry\.k8s\.io|\bregistry\.npmjs\.org|\bpypi\.org|\bpythonhosted\.org"
)
ONE_MACHINE = re.compile(r"(?<![\w.$}~-])/(?:work|opt/pypi|home/\w+)/")
CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns"}
FILES = {"open", "print", "read_bytes", "read_text"}
SHELLS = {"create_subprocess_shell", "getoutput", "getstatusoutput", "popen", "system"}


@cache
def tree() -> list[Path]:
    """All files of the tree that git knows or would take."""
    listed = subprocess.run(
        # A checkout that belongs to someone else (root runs the suite) is read all the same.
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in tree() if path.suffix == ".py"]


def source_files() -> list[Path]:
    return [path for path in python_files() if path.is_relative_to(SOURCE)]


@cache
def parsed(path: Path) -> ast.Module:
    # Python 3.11.2's parser fails when collected garbage runs code in the middle of it (CPython issue 106905).
    gc.disable()
    try:
        return ast.parse(path.read_text(), str(path))
    finally:
        gc.enable()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def nothing(found: Iterable[str]) -> None:
    """Fails with what was found, one place a line."""
    places = sorted(found)
    assert not places, "\n" + "\n".join(places)


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def text_files() -> Iterator[tuple[Path, str]]:
    for path in tree():
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue  # a picture


def lines_with(pattern: re.Pattern[str]) -> Iterator[str]:
    for path, text in text_files():
        if path == Path(__file__):
            continue  # it holds the patterns
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"


def test_files_are_short() -> None:
    nothing(
        f"{path.relative_to(ROOT)}: {length} lines"
        for path in python_files()
        if (length := len(path.read_text().splitlines())) > FILE_LINES
    )


def test_functions_are_short() -> None:
    nothing(
        f"{place(path, node)} {node.name}: {length} lines"
        for path in python_files()
        if path.parent.name not in LONG_FUNCTIONS_ALLOWED
        for node in functions(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    )


def test_functions_take_few_parameters() -> None:
    nothing(
        f"{place(path, node)} {node.name}: {len(names)} parameters"
        for path in source_files()
        for node in functions(path)
        if len(names := parameters(node)) > PARAMETERS
    )


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [argument.arg for argument in arguments if argument.arg not in {"self", "cls"}]


def test_nothing_is_imported_inside_functions() -> None:
    nothing(
        place(path, inner)
        for path in python_files()
        if not LAZY_IMPORTS_ALLOWED.intersection(path.relative_to(ROOT).with_suffix("").parts)
        for function in functions(path)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    )


def test_there_is_no_junk_drawer() -> None:
    nothing(
        str(path.relative_to(ROOT))
        for path in python_files()
        if JUNK_DRAWERS.intersection(part.strip("_") for part in path.relative_to(ROOT).with_suffix("").parts)
    )


def test_every_folder_is_a_package() -> None:
    # Of a folder without this file the import contracts would see nothing.
    nothing(
        {str(path.parent.relative_to(ROOT)) for path in source_files() if not (path.parent / "__init__.py").exists()}
    )


def test_the_model_reads_no_clock_and_no_file() -> None:
    pure = [path for path in source_files() if path.is_relative_to(SOURCE / "model") or path.name == "ports.py"]
    assert pure
    nothing(
        f"{place(path, node)} {name}"
        for path in pure
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and (name := called(node)) in {*CLOCKS, "open", "print", "read_text", "read_bytes"}
    )


def called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def test_no_command_goes_through_a_shell() -> None:
    nothing(
        place(path, node)
        for path in python_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and (called(node) in SHELLS or any(word.arg == "shell" and is_true(word.value) for word in node.keywords))
    )


def is_true(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Constant) and node.value is False)


def test_every_exception_to_a_linter_has_its_reason() -> None:
    bare = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]*)?|type:\s*ignore(?:\[[\w, -]+\])?)\s*$")
    nothing(lines_with(bare))


def test_no_image_or_package_registry_is_named() -> None:
    nothing(lines_with(REGISTRIES))


def test_no_path_of_one_machine_is_named() -> None:
    nothing(lines_with(ONE_MACHINE))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_dependency_is_locked_with_hashes_and_without_an_address(name: str) -> None:
    lock = (ROOT / name).read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    if "dev" in name:
        wanted += [line for extra in project["optional-dependencies"].values() for line in extra]
    wanted_names = {re.sub(r"[._]", "-", re.split(r"[\[<>=~! ;]", line)[0]).lower() for line in wanted}
    locked_names = set(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==\S+ .*\\$\n    --hash=sha256:", lock, re.MULTILINE))
    assert wanted_names <= locked_names, "run bin/lock"
    nothing(re.findall(r"^.*(?:://|--index|--find-links|@ file).*$", lock, re.MULTILINE))


def test_tests_mirror_the_source() -> None:
    rooms = {path.stem for path in SOURCE.iterdir()} | {"end_to_end", "faults"}  # all rooms together
    nothing(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").glob("*/**/test_*.py")
        if path.relative_to(ROOT / "tests").parts[0] not in rooms
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("model.fresh", "import os", "The model and the ports"),
        ("model.fresh", "import revieee.ports", "Imports point down only"),
        ("clients.fresh", "import revieee.model", "Clients know nothing of us"),
        ("intake.fresh", "import revieee.clients.fresh", "Only adapters import clients"),
        ("routers.fresh", "import revieee.store.fresh", "Only intake, reconcile, web and reporters"),
        ("web.fresh", "import revieee.reconcile.fresh", "Imports point down only"),
        ("cli.fresh", "import revieee.testing", "What others test with"),
        ("engines.fresh", "import revieee.engines.other", "Engines are independent"),
        ("fresh", "", "Imports point down only"),
    ],
)
def test_the_import_contracts_can_break(tmp_path: Path, module: str, line: str, contract: str) -> None:
    package = tmp_path / "revieee"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    for name in {module, *re.findall(r"revieee\.(\w+\.(?:fresh|other))", line)}:
        added = package / Path(*name.split(".")).with_suffix(".py")
        added.parent.mkdir(exist_ok=True)
        added.parent.joinpath("__init__.py").touch()
        added.write_text('"""Breaks a contract."""\n')
    (package / Path(*module.split(".")).with_suffix(".py")).write_text(f"{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(rf"^{contract}.* BROKEN( \(.*\))?$", done.stdout, re.MULTILINE), done.stdout
