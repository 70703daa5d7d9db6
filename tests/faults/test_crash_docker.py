"""`kill -9` of a real control plane at each step, on real Docker, git and nginx: it comes to what is wanted, once."""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from revieee.model.lifecycle import Act
from revieee.model.phases import Phase
from revieee.reconcile.turn import ACTS, STEPS
from revieee.testing.github import PracticeGitHub
from revieee.testing.images import docker_client
from revieee.testing.serving import ControlPlane, until
from support import dying
from support.docker import BaseImages
from support.dying import AFTER, DECIDED, Death, Journal
from support.plane import Files, Opened, Plane, gone, prepared

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

DOCKERFILE = """FROM busybox
COPY index.html /www/
RUN cat /proc/sys/kernel/random/uuid >/www/built && {also}
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
"""
COMPOSE = """
services:
  web:
    build: .
    ports: ["80"]
  db:
    image: busybox
    command: [sh, -c, "{command}"]
    ports: ["80"]
    volumes: ["notes:/notes"]
volumes:
  notes:
"""
HOOKS = """
hooks:
  create: {service: db, command: [sh, -c, "echo created >>/notes/create"]}
  deploy: {service: db, command: [sh, -c, "echo $REVIEEE_COMMIT >>/notes/deploy"]}
  destroy: {service: db, command: [sh, -c, "echo destroyed >>/notes/destroy"]}
"""
SERVES = "exec httpd -f -p 80 -h /notes"


def files(text: str, *, also: str = "true", command: str = SERVES) -> Files:
    """An app of two services: one built, one that has a volume and cannot run twice."""
    return {
        "index.html": f"{text}\n",
        "Dockerfile": DOCKERFILE.format(also=also),
        "compose.yaml": COMPOSE.format(command=command),
        "revieee.yml": HOOKS,
    }


@dataclass
class Life:
    """What one pull request's life came to, with all its kills."""

    deaths: list[Death] = field(default_factory=list)
    reached: dict[str, str] = field(default_factory=dict)
    """The page that was served at the end of each stage."""
    commits: dict[str, str] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    """Containers at the end of each stage."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """What each hook wrote."""
    images: Mapping[str, set[str]] = field(default_factory=dict)
    starts: Counter[str] = field(default_factory=Counter)
    """How often the engine started a container, by key."""
    comments: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    routes: list[str] = field(default_factory=list)
    log: str = ""


@contextlib.asynccontextmanager
async def started(control: ControlPlane) -> AsyncIterator[Counter[str]]:
    """Count what the engine starts with our label, by key, until the block ends."""
    counted: Counter[str] = Counter()
    filters = [f"--filter={one}" for one in ("type=container", "event=start")]
    child = await asyncio.create_subprocess_exec(
        docker_client(), "events", "--format={{json .Actor.Attributes}}", *filters, stdout=asyncio.subprocess.PIPE
    )

    async def count() -> None:
        assert child.stdout
        async for line in child.stdout:
            attributes = json.loads(line)
            if attributes.get("revieee.instance") == control.instance:
                counted[attributes["revieee.key"]] += 1

    counting = asyncio.create_task(count())
    try:
        yield counted
    finally:
        child.terminate()
        await child.wait()
        await counting


class Mortal:
    """A control plane that dies at each step, and a pull request's life under it."""

    def __init__(self, plane: Plane, journal: Journal) -> None:
        self.plane, self.journal, self.life = plane, journal, Life()

    async def calm(self) -> None:
        """Wait until it has not died for a while."""
        seen = -1
        while seen != (seen := len(self.journal.deaths())):
            await asyncio.sleep(1.5)

    async def stage(self, name: str, opened: Opened, state: str = "live") -> None:
        """Wait for the end of a stage, and look."""
        await opened.reaches(state)
        await self.calm()
        life = self.life
        life.commits[name] = opened.pull.head_sha
        life.reached[name] = (await opened.get()).text.strip()

        async def drained() -> bool:
            return len(await opened.containers()) == 2

        await until(drained, seconds=15, pause=0.2)
        life.running[name] = len(await opened.containers())

    async def play(self) -> Life:
        life, plane = self.life, self.plane
        async with started(plane.control) as life.starts:
            repository = await plane.repository("shop")
            await plane.github.settled()
            await self.calm()  # a webhook's first delivery is not sent again, and nobody lists what he never heard of
            opened = await plane.propose(repository, files("one"))
            await self.stage("open", opened)
            await opened.push(files("two"))
            await self.stage("push", opened)
            await opened.push(files("three", command=f"true; {SERVES}"))
            await self.stage("in place", opened)
            await opened.push(files("four", command="exit 1"))
            await self.stage("undo", opened, "failed")
            await opened.push(files("five", also="echo building; sleep 100"))
            await self.builds(opened)
            await opened.push(files("six"))
            await self.stage("superseded", opened)
            for note in ("create", "deploy"):
                life.notes[note] = (await opened.get(f"/{note}", f"db-{opened.host}")).text.splitlines()
            await opened.close()
            await opened.reaches("gone")
            await self.calm()
            life.left = await gone(plane)
        life.deaths, life.images = self.journal.deaths(), self.journal.images()
        life.comments, life.routes = opened.comments, await plane.control.routes()
        return life

    async def builds(self, opened: Opened) -> None:
        async def under_way() -> bool:
            return "building" in (await self.plane.control.command("logs", "--build", opened.name)).out

        assert await until(under_way, pause=0.3), self.plane.control.tail()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory, base_images: BaseImages, nginx: str) -> AsyncIterator[Life]:
    assert base_images.busybox
    assert nginx
    folder = tmp_path_factory.mktemp("mortal")
    async with PracticeGitHub(folder / "github") as github:
        control = prepared(folder, github, drain_limit="2")
        control.program = (sys.executable, str(Path(dying.__file__)), str(folder))
        try:
            await control.start()
            yield await Mortal(Plane(github, control), Journal(folder)).play()
        finally:
            import shutil; shutil.copy(control.log, "/tmp/dying.log"); shutil.copy(folder/"deaths", "/tmp/dying.deaths")
            await control.end()


async def test_x(life: Life) -> None:
    print(life)
    for d in life.deaths:
        print(d)
