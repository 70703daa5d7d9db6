"""Real parts for tests. Each is private, in a temporary folder, started once per run and only when a test asks for it.

A test that asks for one of the slow ones is marked `slow` by that alone.
"""

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support import browser, databases, processes
from support.docker import BaseImages, DockerError, docker, everything
from support.plane import Plane, serving

_ENGINE_FIXTURES = {"base_images", "docker_engine_ready"}
_SLOW_FIXTURES = _ENGINE_FIXTURES | {"mariadb_server", "nginx", "postgresql_server", "screenshot"}
_FAULTS = Path(__file__).parent / "faults"
_LONGEST = ("engine", "faults", "restarts", "test_crash")
"""Groups, the longest first."""
_BEFORE, _LEFT = pytest.StashKey[set[str]](), pytest.StashKey[list[str]]()
_PAYLOADS = Path(__file__).parents[2] / "shared" / "github" / "payloads"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is slow, and say what one process runs in its order: see bin/test.

    What asks for the machine's engine is in three groups, since it mostly waits. What has its addresses, its limits or
    its load to itself lies in one of them, or has an engine of its own. Of the rest a module is what stays together.
    """
    on_engine = {item.path for item in items if _asks_for(item, _ENGINE_FIXTURES)}
    for item in items:
        if _asks_for(item, _SLOW_FIXTURES):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.xdist_group(_group(item.path) if item.path in on_engine else item.path.stem))
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    """What takes longest begins first, and what is fast comes last: so all processes end at about the same time."""
    marker = item.get_closest_marker("xdist_group")
    if marker is None:
        return len(_LONGEST) + 1
    return _LONGEST.index(marker.args[0]) if marker.args[0] in _LONGEST else len(_LONGEST)


def _group(path: Path) -> str:
    if path.parent != _FAULTS:
        return "engine"
    return "restarts" if path.stem.endswith("_restarts") else "faults"


def _asks_for(item: pytest.Item, fixtures: set[str]) -> bool:
    return not fixtures.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_sessionstart(session: pytest.Session) -> None:
    """In CI, where nobody else uses the engine, note what it has before the first test."""
    if os.environ.get("CI") and not hasattr(session.config, "workerinput"):
        session.config.stash[_BEFORE] = _everything()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves something on the engine."""
    before = session.config.stash.get(_BEFORE, None)
    session.config.stash[_LEFT] = sorted(_everything() - before) if before is not None else []
    if session.config.stash[_LEFT]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was left."""
    if left := config.stash.get(_LEFT, []):
        terminalreporter.write_line(f"FAILED: left on the Docker engine: {', '.join(left)}", red=True)


def _everything() -> set[str]:
    """Name all that the engine has; nothing where there is none."""
    try:
        return everything()
    except (OSError, DockerError):
        return set()


@pytest.fixture(scope="session")
def docker_engine_ready() -> None:
    """A Docker engine answers."""
    try:
        docker("version")
    except (OSError, DockerError) as error:
        pytest.fail(f"no Docker engine answers: run `bin/test`, or `bin/engine start` first ({error})", pytrace=False)


@pytest.fixture(scope="session")
def base_images(docker_engine_ready: None) -> BaseImages:  # noqa: ARG001 - asked for its effect
    """Names of base images: `.busybox`, `.python`, `.postgresql`, `.mariadb`, made when first asked for."""
    return BaseImages()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[databases.MariaDB]:
    """A MariaDB server; `fresh()` makes an empty database and gives its URL."""
    with databases.mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[databases.PostgreSQL]:
    """A PostgreSQL server; `fresh()` makes an empty database and gives its URL."""
    with databases.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def nginx() -> str:
    """The path of nginx, which has its Lua module."""
    path = processes.program("nginx")
    assert Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists(), "nginx has no Lua module: run bin/setup"
    return path


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, base_images: BaseImages, nginx: str
) -> AsyncIterator[Plane]:
    """One control plane for each module. What a module needs set, it says in `SETTINGS`."""
    assert base_images.busybox
    assert nginx
    settings: dict[str, str] = getattr(request.module, "SETTINGS", {})
    async with serving(tmp_path_factory.mktemp("plane"), **settings) as one:
        yield one


@pytest.fixture
def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on."""
    return processes.free_port()


@pytest.fixture
def screenshot(tmp_path: Path) -> Callable[..., Path]:
    """Takes a picture: `screenshot(url, name="page", width=1280, height=800)` gives the path of a PNG.

    `REVIEEE_SCREENSHOTS` names a folder in which pictures are kept, to be looked at.
    """
    folder = Path(os.environ.get("REVIEEE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(url: str, name: str = "page", width: int = 1280, height: int = 800) -> Path:
        return browser.screenshot(url, folder / f"{name}.png", width=width, height=height)

    return take


@pytest.fixture(scope="session")
def payload_bytes() -> Callable[[str], bytes]:
    """Reads one of GitHub's own payloads, as it was sent: `payload_bytes("pull_request.opened")`."""
    if not _PAYLOADS.is_dir():
        pytest.skip(f"GitHub's own payloads are not beside this checkout ({_PAYLOADS})")
    return lambda name: (_PAYLOADS / f"{name}.json").read_bytes()


@pytest.fixture(scope="session")
def payload(payload_bytes: Callable[[str], bytes]) -> Callable[[str], dict[str, Any]]:
    """Reads one of GitHub's own payloads: `payload("pull_request.opened")`."""
    return lambda name: json.loads(payload_bytes(name))
