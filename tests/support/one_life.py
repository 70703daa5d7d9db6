"""The life of one pull request on real parts, while something dies again and again; and what it came to.

What dies, and when, `support.dying` decides and a journal tells.
"""

import asyncio
import contextlib
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx

from revieee.testing.images import docker_client
from revieee.testing.serving import ControlPlane, ServingError, until
from support.dying import Death, Journal
from support.plane import Files, Opened, Plane, gone, under_way

DOCKERFILE = """FROM busybox
COPY index.html /www/
RUN cat /proc/sys/kernel/random/uuid >/www/built; {also}
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
"""
"""What is built from it twice has two ids."""
COMPOSE = """
services:
  web:
    build: .
    ports: ["80"]
    stop_signal: SIGKILL
  db:
    image: busybox
    command: [sh, -c, "{command}"]
    ports: ["80"]
    stop_signal: SIGKILL
    volumes: ["notes:/notes"]
volumes:
  notes:
"""
HOOKS = """
hooks:
  create: {service: db, command: [sh, -c, "echo created >>/notes/create"]}
  deploy: {service: db, command: [sh, -c, "echo $REVIEEE_COMMIT >>/notes/deploy"]}
  destroy: {service: db, command: "true"}
"""
SERVES = "exec httpd -f -p 80 -h /notes"
SERVICES = 2
PATIENCE = 180.0
"""Seconds that a stage may take on a busy machine, which starts some sixty processes in it."""
QUIET = 1.5
"""Seconds without a death after which there is none to come for now."""


def files(text: str, *, also: str = "true", command: str = SERVES) -> Files:
    """An app of two services: one that is built, and one with a volume, which cannot run twice."""
    return {
        "index.html": f"{text}\n",
        "Dockerfile": DOCKERFILE.format(also=also),
        "compose.yaml": COMPOSE.format(command=command),
        "revieee.yml": HOOKS,
    }


@dataclass
class Life:
    """What one pull request's life came to."""

    deaths: list[Death] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    """What was served at the end of each stage."""
    running: dict[str, int] = field(default_factory=dict)
    """Containers at the end of each stage."""
    heads: list[str] = field(default_factory=list)
    """The commits that were tried, a superseded one left out."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """What each hook wrote."""
    images: Mapping[str, set[str]] = field(default_factory=dict)
    """Ids that the builder gave, by tag."""
    starts: Counter[str] = field(default_factory=Counter)
    """How often the engine started a container, by key."""
    comments: list[str] = field(default_factory=list)
    deployed: list[str] = field(default_factory=list)
    """The commit of each deployment on GitHub."""
    visits: list[str] = field(default_factory=list)
    """What a visitor met during an update."""
    left: Mapping[str, list[str]] = field(default_factory=dict)
    routes: list[str] = field(default_factory=list)
    log: str = ""


@asynccontextmanager
async def counted(control: ControlPlane) -> AsyncIterator[Counter[str]]:
    """Count the containers with our label that the engine starts, by key, until the block ends."""
    starts: Counter[str] = Counter()
    filters = [f"--filter={one}" for one in ("type=container", "event=start")]
    order = control.on_engine("events", "--format={{json .Actor.Attributes}}", *filters)
    child = await asyncio.create_subprocess_exec(docker_client(), *order, stdout=asyncio.subprocess.PIPE)

    async def count() -> None:
        assert child.stdout
        async for line in child.stdout:
            attributes = json.loads(line)
            if attributes.get("revieee.instance") == control.instance:
                starts[attributes["revieee.key"]] += 1

    counting = asyncio.create_task(count())
    try:
        yield starts
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ended with its engine
            child.terminate()
        await child.wait()
        await counting


async def visited(client: httpx.AsyncClient, control: ControlPlane, opened: Opened) -> str:
    """Visit a page; gives its text, or what went wrong."""
    try:
        url = f"http://127.0.0.1:{control.given.port}/"
        answer = await client.get(url, headers={"Host": control.at(opened.host)})
    except httpx.HTTPError as error:
        return repr(error)
    return answer.text.strip() if answer.is_success else f"{answer.status_code}"


class Play:
    """The life of a pull request while something dies at each step of it."""

    def __init__(self, plane: Plane, journal: Journal) -> None:
        self.plane, self.journal, self.life = plane, journal, Life()

    async def calm(self) -> None:
        """Wait until nothing has died for a while."""
        before = -1
        while (now := len(self.journal.deaths())) != before:
            before = now
            await until(partial(self._more, now), seconds=QUIET)

    async def _more(self, than: int) -> bool:
        return len(self.journal.deaths()) > than

    async def stage(self, name: str, opened: Opened, state: str = "live") -> None:
        """Wait for the end of a stage, and look."""
        await opened.reaches(state, seconds=PATIENCE)

        async def settled() -> bool:
            """Nothing drains any more, and what an engine's end took along is back."""
            await self.calm()
            try:
                return len(await opened.containers()) == SERVICES and (await opened.get()).is_success
            except ServingError:
                return False

        await until(settled, seconds=60, pause=0.3)
        life = self.life
        life.heads.append(opened.pull.head_sha)
        life.pages[name] = (await opened.get()).text.strip()
        life.running[name] = len(await opened.containers())

    async def first_heard(self) -> str:
        """Make a repository that is known: a webhook's first delivery may meet nobody, and nobody lists what is new."""
        repository = await self.plane.repository("shop")
        webhooks, github = self.plane.github.webhooks, self.plane.github
        ping = next(one for one in webhooks.deliveries if one.event == "ping")
        await github.settled()
        await self.calm()
        while ping.status_code != httpx.codes.OK:
            ping = webhooks.redeliver(ping)  # as a person does who sees that it failed
            await github.settled()
            await self.calm()
        return repository

    async def update(self, opened: Opened) -> None:
        """Push, and see what a visitor meets until all is quiet."""
        control = self.plane.control

        async def visit() -> None:
            async with control.client() as client:
                while True:
                    self.life.visits.append(await visited(client, control, opened))
                    await asyncio.sleep(0.05)

        visitor = asyncio.create_task(visit())
        await opened.push(files("two"))
        await self.stage("push", opened)
        visitor.cancel()

    async def play(self) -> Life:
        """Open, push, replace in place, fail, supersede, close."""
        life = self.life
        async with counted(self.plane.control) as life.starts:
            opened = await self.plane.propose(await self.first_heard(), files("one"))
            await self.stage("open", opened)
            await self.update(opened)
            await opened.push(files("three", command=f"true; {SERVES}"))
            await self.stage("in place", opened)
            await opened.push(files("four", command="exit 1"))
            await self.stage("undo", opened, "failed")
            five = files("five", also=f"echo building {uuid.uuid4()}; sleep 100; true")
            await opened.push(five)
            await under_way(five)
            await opened.push(files("six"))
            await self.stage("superseded", opened)
            for note in ("create", "deploy"):
                life.notes[note] = (await opened.get(f"/{note}", f"db-{opened.host}")).text.splitlines()
            await opened.close()
            await opened.reaches("gone", seconds=PATIENCE)
            await self.calm()
            life.left = await gone(self.plane)
        life.deaths, life.images = self.journal.deaths(), self.journal.images()
        life.comments, life.deployed = opened.comments, [one.sha for one in opened.pull.deployments]
        life.routes, life.log = await self.plane.control.routes(), self.plane.control.log.read_text()
        return life
