"""The whole of it on real parts: a practice GitHub, `revieee serve` as a process of its own, Docker and nginx."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from revieee.testing.github import DefaultHook, FileContent, NewRepository, Opening, PracticeGitHub, PullRequest
from revieee.testing.serving import ControlPlane, Given, free_port, until

BOT = "revieee-bot"
OWNER = "acme"
SECONDS = 90.0

Files = Mapping[str, FileContent]

PAGE = {"Dockerfile": 'FROM busybox\nCOPY . /www\nEXPOSE 80\nCMD ["httpd", "-f", "-p", "80", "-h", "/www"]\n'}
"""A web server of files; `index.html` is added to it."""


def page(text: str) -> dict[str, FileContent]:
    """The files of an app that says one text."""
    return {**PAGE, "index.html": f"{text}\n"}


def slow(text: str, seconds: float) -> dict[str, FileContent]:
    """The files of an app whose build takes that long, also when it was built before."""
    return {
        **page(text),
        "Dockerfile": f"{PAGE['Dockerfile']}RUN echo building {uuid.uuid4()}; sleep {seconds}; true\n",
    }


async def under_way(files: Files) -> None:
    """Wait until the build of a slow app is under way: its step is a process of this machine.

    A shell that has nothing to do after its last command becomes that; so there is one more.
    """
    found = re.search(rb"building [0-9a-f-]{36}", bytes(str(files["Dockerfile"]), "ascii"))
    assert found

    async def begun() -> bool:
        return await asyncio.to_thread(runs, found[0])

    assert await until(begun, pause=0.1), "the build does not begin"


def runs(words: bytes) -> bool:
    """Tell whether this machine runs a process in whose arguments these words are."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words in process.read_bytes():
                return True
    return False


class Late(AssertionError):
    """What was waited for did not come; the words hold what the pull request says and the control plane's log."""


@dataclass
class Plane:
    """A GitHub and a control plane that serves it."""

    github: PracticeGitHub
    control: ControlPlane

    async def repository(self, name: str, files: Files | None = None) -> str:
        """Make a repository with the webhook and the bot as a member; gives its full name."""
        full = f"{OWNER}/{name}"
        await self.github.create_repository(NewRepository(full, {"README.md": f"{name}\n", **(files or {})}))
        self.github.set_permission(full, BOT, "write")
        self.github.add_hook(full, DefaultHook(url=self.control.webhook, secret=self.control.given.secret))
        return full

    async def open(self, name: str, files: Files, how: Opening | None = None) -> "Opened":
        """Make a repository and open a pull request in it."""
        return await self.propose(await self.repository(name), files, how)

    async def propose(self, repository: str, files: Files, how: Opening | None = None) -> "Opened":
        """Open a pull request in a repository that is there (its full name)."""
        await self.github.commit(repository, "feature", files)
        return Opened(self, await self.github.open_pull_request(repository, "feature", "A change", how))

    async def mine(self) -> dict[str, list[str]]:
        """List what this control plane has on the engine."""
        return await self.control.left()


@dataclass
class Opened:
    """A pull request that was opened."""

    plane: Plane
    pull: PullRequest

    @property
    def name(self) -> str:
        """What the environment is called."""
        return f"{self.pull.repository.full_name}#{self.pull.number}"

    @property
    def host(self) -> str:
        return f"{self.pull.repository.name}-pr-{self.pull.number}.{self.plane.control.given.domain}"

    @property
    def comments(self) -> list[str]:
        return [one.body for one in self.pull.comments if one.user.login == BOT]

    @property
    def comment(self) -> str:
        return self.comments[0] if self.comments else ""

    @property
    def state(self) -> str:
        """The state that the comment says of the newest commit; empty before it does."""
        found = re.search(r"^Commit `(\w+)` .*state \*\*(\w+)\*\*", self.comment, re.MULTILINE)
        return found[2] if found and found[1] == self.pull.head_sha[:7] else ""

    async def reaches(self, *states: str, seconds: float = SECONDS) -> str:
        """Wait until the pull request was told one of these states of its newest commit; gives the comment."""

        async def reached() -> bool:
            return self.state in states

        if not await until(reached, seconds=seconds):
            log = self.plane.control.tail(40)
            raise Late(f"{self.name} did not become {' or '.join(states)}:\n{self.comment}\n{log}")
        return self.comment

    async def get(self, path: str = "/", host: str | None = None) -> httpx.Response:
        return await self.plane.control.get(host or self.host, path)

    async def push(self, files: Files) -> str:
        return await self.plane.github.push(self.pull, files)

    async def close(self) -> None:
        await self.plane.github.close(self.pull)

    async def containers(self, service: str = "", form: str = "{{.ID}}") -> list[str]:
        """List the containers of a service (or all) that run."""
        labels = {"revieee.instance": self.plane.control.instance, "revieee.name": self.name}
        if service:
            labels["revieee.service"] = service
        filters = [f"--filter=label={key}={value}" for key, value in labels.items()]
        return await self.plane.control.docker("container", "ls", f"--format={form}", *filters)

    async def left(self) -> dict[str, list[str]]:
        """List what the engine has of this environment alone, by kind; images are only known by the instance."""
        labels = {"revieee.instance": self.plane.control.instance, "revieee.name": self.name}
        filters = [f"--filter=label={key}={value}" for key, value in labels.items()]
        return {"containers": await self.plane.control.docker("container", "ls", "--all", "--quiet", *filters)}


@asynccontextmanager
async def serving(folder: Path, **settings: str) -> AsyncIterator[Plane]:
    """Run a control plane with these settings (names without `REVIEEE_`) until the block ends; then nothing is left."""
    async with PracticeGitHub(folder / "github") as github:
        plane = Plane(github, prepared(folder, github, **settings))
        try:
            await plane.control.start()
            yield plane
        finally:
            await plane.control.end()


def prepared(folder: Path, github: PracticeGitHub, **settings: str) -> ControlPlane:
    """Make a control plane, not started yet."""
    given = Given(
        port=free_port(),
        github_url=github.web,
        github_api_url=github.api,
        token=github.personal_token(BOT),
        settings=settings,
    )
    return ControlPlane(folder / "data", given)


async def gone(plane: Plane) -> dict[str, list[str]]:
    """Wait until the control plane has nothing on the engine; gives what is left all the same."""

    async def nothing() -> bool:
        return not any((await plane.mine()).values())

    await until(nothing, seconds=20, pause=0.2)
    return {kind: names for kind, names in (await plane.mine()).items() if names}
