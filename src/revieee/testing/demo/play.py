"""The demo's script: from a pull request to a running URL, and back."""

import asyncio
import contextlib
import html
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from revieee.testing import images
from revieee.testing.demo import example, proof
from revieee.testing.demo.show import Show, Step
from revieee.testing.demo.traffic import requests
from revieee.testing.github import DefaultHook, Deployment, NewRepository, PracticeGitHub, PullRequest, Settings
from revieee.testing.serving import ControlPlane, Given, docker, free_port, until

BOT = "revieee-bot"
LIVE_SECONDS = 60.0
GONE_SECONDS = 30.0
STEPS, MORE_STEPS = 5, 2
"""How many steps there are, and how many more with `--once`."""
_SETTLE_SECONDS = 1.0
_LOOK = 0.05


class DemoFailed(Exception):
    """A step came out otherwise than it should; the words say how, and what to do."""


@dataclass
class Stage:
    """All that is up while the demo plays."""

    show: Show
    github: PracticeGitHub
    plane: ControlPlane
    pull: PullRequest | None = None
    url: str = ""
    marks: proof.Marks | None = None
    before: Mapping[str, int] = field(default_factory=dict)

    @property
    def opened(self) -> PullRequest:
        """The pull request, once it is open."""
        if self.pull is None:
            raise DemoFailed("There is no pull request yet.")
        return self.pull

    @property
    def page(self) -> str:
        """The pull request's page on the practice GitHub."""
        return f"{self.github.web}/{example.REPOSITORY}/pull/{self.opened.number}"

    @property
    def host(self) -> str:
        """The environment's host."""
        return httpx.URL(self.url).host

    def comment(self) -> str:
        """The bot's comment as it is now; empty before there is one."""
        return next((one.body for one in self.opened.comments if one.user.login == BOT), "")


@asynccontextmanager
async def stage(show: Show, folder: Path) -> AsyncIterator[Stage]:
    """Put everything up, and take everything away at the end, come what may."""
    files = example.files_of(folder)
    async with AsyncExitStack() as stack:
        with show.step("A practice GitHub and Revieee start") as step:
            work = Path(tempfile.mkdtemp(prefix="revieee-demo-"))
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            step.doing("the base image of the example")
            made = await _base_image()
            step.doing("the practice GitHub")
            port = free_port(8080)
            github = PracticeGitHub(work / "github", Settings(port=free_port(8081, 8082)))
            await stack.enter_async_context(github)
            plane = await _plane(github, work, port, files)
            stack.push_async_callback(_tidy, plane, made_image=made)
            step.doing("Revieee: its database, nginx and firewall table")
            await plane.start()
            hook = DefaultHook(url=plane.webhook, secret=plane.given.secret)
            github.add_hook(example.REPOSITORY, hook)
            show.pairs({
                "Practice GitHub": github.web,
                "Revieee": f"{plane.base_url}, instance {plane.instance}",
                "Repository": example.REPOSITORY,
            })  # fmt: skip
        yield Stage(show, github, plane)


async def _base_image() -> bool:
    """Have the example's base image; gives whether it was made now."""
    tag = images.BUSYBOX.tag
    there = await docker("image", "ls", "--quiet", "--", tag)
    await asyncio.to_thread(images.ensure, images.BUSYBOX)
    return not there


async def _plane(github: PracticeGitHub, work: Path, port: int, files: Mapping[str, str]) -> ControlPlane:
    await github.create_repository(NewRepository(example.REPOSITORY, files))
    github.set_permission(example.REPOSITORY, BOT, "write")
    token = github.personal_token(BOT)
    given = Given(port=port, github_url=github.web, github_api_url=github.api, token=token)
    return ControlPlane(work / "revieee", given)


async def _tidy(plane: ControlPlane, *, made_image: bool) -> None:
    """Remove all that this run made. A base image that another Revieee may be using by now stays."""
    await plane.end()
    if made_image and not await docker("container", "ls", "--all", "--quiet", "--filter=label=revieee.instance"):
        with contextlib.suppress(Exception):  # in use after all
            await docker("image", "rm", "--", images.BUSYBOX.tag)


# ---- the main job


async def play(on: Stage) -> None:
    """Open, look, fetch, push under requests."""
    await _open(on)
    await _told(on)
    await _fetch(on)
    await _push(on)


async def _open(on: Stage) -> None:
    with on.show.step("A pull request is opened") as step:
        await on.github.commit(example.REPOSITORY, example.BRANCH, example.FIRST, message=example.TITLE)
        on.pull = await on.github.open_pull_request(example.REPOSITORY, example.BRANCH, example.TITLE)
        on.show.pairs({"Pull request": on.page})
        await _reaches(on, step, "live")
        if not (deployment := await until(lambda: _deployed(on))):
            raise DemoFailed("The pull request has no deployment that is a success.")
        on.url = deployment.environment_url
        step.result = "live"
    on.marks = await proof.marks(on.plane)
    on.before = await proof.count(on.plane, on.marks)


async def _reaches(on: Stage, step: Step, wanted: str, seconds: float = LIVE_SECONDS) -> None:
    """Follow the bot's comment until it has the state, for the pull request's newest commit."""
    loop = asyncio.get_running_loop()
    deadline, shown = loop.time() + seconds, _read(on.comment())[0]
    while loop.time() < deadline:
        headline, commit, state = _read(on.comment())
        if headline != shown and commit == on.opened.head_sha[:7]:
            shown = headline
            step.happened(shown)
            step.doing(shown)
        if state == wanted and commit == on.opened.head_sha[:7]:
            return
        if state in {"failed", "none"}:
            raise DemoFailed(f"The environment did not become {wanted}. The bot says:\n{on.comment()}")
        await asyncio.sleep(_LOOK)
    raise DemoFailed(f"The environment did not become {wanted} within {seconds:.0f} s. The bot says:\n{on.comment()}")


def _read(comment: str) -> tuple[str, str, str]:
    """Read headline, commit and state out of a comment; empty texts before it says them."""
    patterns = (r"^### \S+ (.*)$", r"^Commit `(\w+)`", r"state \*\*(\w+)\*\*")
    headline, commit, state = (found[1] if (found := re.search(one, comment, re.MULTILINE)) else "" for one in patterns)
    return headline, commit, state


async def _deployed(on: Stage) -> Deployment | None:
    """Give the newest commit's deployment and status once both say success; the comment comes first."""
    statuses = [one.state for one in on.opened.repository.statuses if one.sha == on.opened.head_sha]
    found = [one for one in on.opened.deployments if one.sha == on.opened.head_sha and one.state == "success"]
    return found[-1] if found and statuses[-1:] == ["success"] else None


async def _told(on: Stage) -> None:
    with on.show.step("The pull request says so") as step:
        on.show.comment(BOT, on.comment())
        statuses = [one for one in on.opened.repository.statuses if one.sha == on.opened.head_sha]
        deployment = on.opened.deployments[-1]
        on.show.pairs(
            {"Deployment": f"{deployment.environment}: {deployment.state}", "Commit status": statuses[-1].state}
        )
        step.result = "one comment, a deployment, a commit status"


async def _fetch(on: Stage) -> None:
    with on.show.step("The page is fetched") as step:
        answer = await on.plane.get(on.host)
        commit = on.opened.head_sha[:7]
        if answer.status_code != httpx.codes.OK or commit not in answer.text:
            raise DemoFailed(f"{on.url} answered {answer.status_code}, without the commit {commit} on it.")
        title = html.unescape(answer.text.partition("<title>")[2].partition("</title>")[0])
        on.show.pairs({"GET": on.url, "Title": title, "Commit": f"{commit}, branch {example.BRANCH}"})
        step.result = f"{answer.status_code}, {answer.elapsed.total_seconds() * 1000:.0f} ms"


async def _push(on: Stage) -> None:
    with on.show.step("A change is pushed while requests run") as step:
        old = on.opened.head_sha[:7]
        kept = await _containers(on, example.OTHER)
        texts = [f"<code>{old}</code>"]
        url = f"http://127.0.0.1:{on.plane.given.port}/"
        async with on.plane.client() as client, requests(client, url, on.plane.at(on.host), texts) as traffic:
            await asyncio.sleep(_SETTLE_SECONDS / 2)
            pushed = await on.github.push(on.opened, example.SECOND, message="Scarves are 20% off")
            texts.append(f"<code>{pushed[:7]}</code>")
            await _reaches(on, step, "live")
            await asyncio.sleep(_SETTLE_SECONDS)
        on.show.pairs({
            "Requests": f"{traffic.requests}, {traffic.failed} failed",
            "Answered by": f"{old}: {traffic.versions[texts[0]]}, {pushed[:7]}: {traffic.versions[texts[1]]}",
            "Latency": f"{traffic.percentile(0.5) * 1000:.1f} ms median, {traffic.percentile(1) * 1000:.0f} ms longest",
            "Unchanged": f"container {kept[0]} of service {example.OTHER} went on",
        })  # fmt: skip
        if traffic.failed:
            raise DemoFailed(f"{traffic.failed} of {traffic.requests} requests failed: {dict(traffic.failures)}.")
        if not traffic.versions[texts[1]]:
            raise DemoFailed("No request was answered by the new commit.")
        if await _containers(on, example.OTHER) != kept:
            raise DemoFailed(f"The service {example.OTHER}, which did not change, was replaced.")
        step.result = f"{traffic.failed} of {traffic.requests} requests failed"


async def _containers(on: Stage, service: str) -> list[str]:
    labels = {"revieee.instance": on.plane.instance, "revieee.service": service}
    filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
    return await docker("container", "ls", "--quiet", *filters)


# ---- the way back


async def close(on: Stage) -> None:
    """Close the pull request, and prove that nothing is left."""
    with on.show.step("The pull request is closed") as step:
        await on.github.close(on.opened)
        await _reaches(on, step, "gone", GONE_SECONDS)
        step.result = "gone, and the comment says so"
    with on.show.step("Nothing is left") as step:
        if on.marks is None:
            raise DemoFailed("Nothing was counted while the pull request was open.")
        after = await proof.count(on.plane, on.marks)
        on.show.proof([(what, count, after[what]) for what, count in on.before.items()])
        status = (await on.plane.get(on.host)).status_code
        on.show.pairs({"GET": f"{on.url} → {status}"})
        if any(after.values()) or status == httpx.codes.OK:
            raise DemoFailed("Something is left of the environment; the table says what.")
        step.result = f"{sum(on.before.values())} things were there, 0 are left"


async def close_all(on: Stage) -> None:
    """Close every open pull request and wait until all is gone; what the demo's visitors opened too."""
    for repository in list(on.github.state.repositories.values()):
        for pull in list(repository.pulls.values()):
            if pull.state == "open":
                await on.github.close(pull)
    await until(lambda: _nothing_left(on.plane), seconds=GONE_SECONDS, pause=0.2)


async def _nothing_left(plane: ControlPlane) -> bool:
    return plane.pid is None or not any((await plane.left()).values())
