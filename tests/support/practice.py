"""The practice GitHub with a repository and a pull request, and Revieee's client of it. The clock is the test's."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from revieee.clients.github import GitHub
from revieee.forges.github import connect
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.testing.github import App, Installation, NewApp, NewRepository, PracticeGitHub, PullRequest, Settings

BOT = "revieee-bot"


@dataclass
class Clock:
    """Time that stands until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class AppMode:
    """An App of the practice GitHub, installed on acme, and Revieee's client that speaks as it."""

    app: App
    installation: Installation
    client: GitHub


Connect = Callable[..., GitHub]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def practice(tmp_path: Path, clock: Clock) -> AsyncIterator[PracticeGitHub]:
    """A GitHub with the private repository `acme/shop`, where `revieee-bot` may write."""
    async with PracticeGitHub(tmp_path / "github", Settings(clock=clock)) as one:
        await one.create_repository(NewRepository("acme/shop", {"Dockerfile": "FROM scratch\n"}, private=True))
        one.set_permission("acme/shop", BOT, "write")
        yield one


@pytest.fixture
async def pull(practice: PracticeGitHub) -> PullRequest:
    """Pull request 1 of `acme/shop`: `feature` onto `main`."""
    await practice.commit("acme/shop", "feature", {"index.html": "new\n"})
    return await practice.open_pull_request("acme/shop", "feature", "A new page")


@pytest.fixture
async def connected(practice: PracticeGitHub, clock: Clock) -> AsyncIterator[Connect]:
    """Makes clients of the practice GitHub: `connected(token=…)`."""
    made: list[GitHub] = []

    def make(**how: str) -> GitHub:
        made.append(connect(api_url=practice.api, clock=clock, **how))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def client(practice: PracticeGitHub, connected: Connect) -> GitHub:
    """A client in token mode, as `revieee-bot`."""
    return connected(token=practice.personal_token(BOT))


@pytest.fixture
async def app_mode(practice: PracticeGitHub, connected: Connect) -> AppMode:
    """An App installed on all repositories of acme, and a client in App mode."""
    app = practice.create_app(NewApp("Revieee", "acme"))
    installation = practice.install(app, "acme")
    return AppMode(app, installation, connected(app_id=str(app.id), private_key=app.pem))


def repository_facts(practice: PracticeGitHub, *, installation: int | None = None) -> RepositoryFacts:
    """What is known of acme/shop."""
    return RepositoryFacts(id=practice.repository("acme/shop").id, name="acme/shop", installation=installation)


def facts_of(pull: PullRequest, *, installation: int | None = None) -> PullRequestFacts:
    """What is known of a pull request."""
    repository = RepositoryFacts(id=pull.repository.id, name=pull.repository.full_name, installation=installation)
    return PullRequestFacts(
        repository=repository,
        number=pull.number,
        open=pull.state == "open",
        head_commit=pull.head_sha,
        head_repository=repository.id,
        updated_at=pull.updated_at,
    )


async def collected(items: AsyncIterator[PullRequestFacts]) -> list[PullRequestFacts]:
    """All that an iterator gives."""
    return [one async for one in items]


__all__ = [
    "BOT", "AppMode", "Clock", "Connect", "app_mode", "client", "clock", "collected", "connected",
    "facts_of", "practice", "pull", "repository_facts",
]  # fmt: skip
