"""GitHub as a forge: pull requests, permissions and credentials, asked for when they are needed."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from revieee import __version__
from revieee.clients.github import PUBLIC_API, GitHub, Repository
from revieee.clients.github_errors import Absent, Forbidden, GitHubError, Rejected, Unauthorized
from revieee.clients.github_session import Clock
from revieee.clients.github_tokens import App, Token
from revieee.forges.github_check import check
from revieee.model import github as documents
from revieee.model.facts import PullRequestFacts, RepositoryFacts
from revieee.model.github import Malformed, Part
from revieee.ports import Fault, Finding, Refused, RetryLater

PERMISSIONS = {"metadata": "read", "pull_requests": "write", "deployments": "write", "statuses": "write"}
"""What installation tokens are asked for: listing and commenting, deployments, commit statuses. No code."""
CLONE_PERMISSIONS = {"contents": "read"}
"""What the token is asked for that git uses, for one repository alone."""
GIT_USER = "x-access-token"
"""https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation"""

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?")
_WRITERS = frozenset({"admin", "maintain", "write"})


def connect(
    *,
    token: str | None = None,
    app_id: str | None = None,
    private_key: str | None = None,
    api_url: str = PUBLIC_API,
    clock: Clock | None = None,
) -> GitHub:
    """Make the client that forge and reporter share; nothing is asked yet.

    Args:
        token: a personal access token (token mode).
        app_id: the GitHub App's id (App mode), with
        private_key: its key, as PEM text.
        api_url: of GitHub Enterprise: ``https://<host>/api/v3``.
        clock: gives the present moment (aware); the system's by default.

    Raises:
        ValueError: token or key are malformed, or both modes are asked for, or half of one.
    """
    credentials: Token | App | None = None
    if token and (app_id or private_key):
        raise ValueError("Set REVIEEE_GITHUB_TOKEN, or REVIEEE_GITHUB_APP_ID with its key, not both.")
    if bool(app_id) != bool(private_key):
        raise ValueError("A GitHub App needs both REVIEEE_GITHUB_APP_ID and REVIEEE_GITHUB_PRIVATE_KEY.")
    if token:
        credentials = Token(token.strip())
    elif app_id and private_key:
        credentials = App(app_id.strip(), private_key)
    agent = f"revieee/{__version__}"
    if clock is None:
        return GitHub(credentials, permissions=PERMISSIONS, api_url=api_url, user_agent=agent)
    return GitHub(credentials, permissions=PERMISSIONS, api_url=api_url, user_agent=agent, clock=clock)


class GitHubForge:
    """:class:`revieee.ports.Forge` on GitHub.

    All methods raise RetryLater while GitHub is slow, limited or down, and Fault where it refuses our credentials.
    """

    def __init__(self, github: GitHub) -> None:
        """Work through a client that :func:`connect` made."""
        self._github = github

    async def open_pull_requests(self, repository: RepositoryFacts) -> AsyncIterator[PullRequestFacts]:
        """List the open pull requests of a repository, oldest first.

        Raises:
            Refused: the repository is gone, or not for us to see any more.
        """
        with _told(f"{repository.name} is gone, or Revieee may not see it any more"):
            async for item in self._at(repository).pages("/pulls?state=open&sort=created&direction=asc&per_page=100"):
                yield _facts(item, repository)

    async def pull_request(self, repository: RepositoryFacts, number: int) -> PullRequestFacts | None:
        """Give one pull request as it is now, or None where it (or its repository) is gone."""
        with _told(""):
            try:
                item = await self._at(repository).get(f"/pulls/{number}")
            except Absent:
                return None
            return _facts(item, repository)

    async def repositories(self, known: Sequence[RepositoryFacts] = ()) -> AsyncIterator[RepositoryFacts]:
        """List the repositories of all installations that are not suspended; in token mode, those known that are there.

        A known one of which GitHub tells us nothing, because we are not let ask (of an organization that lists the
        addresses it serves, say), is there.

        Raises:
            Refused: the GitHub App is gone.
        """
        if not isinstance(self._github.credentials, App):
            for asked in known:
                if (found := await self._named(asked)) is not None and found.id == asked.id:
                    yield found
            return
        with _told("the GitHub App is gone"):
            async for item in self._github.root.pages("/app/installations?per_page=100"):
                installation = Part.of(item)
                if installation.text_or("suspended_at", ""):
                    continue
                id_ = installation.integer("id")
                pages = self._github.installation(id_).pages(
                    "/installation/repositories?per_page=100", key="repositories"
                )
                try:
                    async for one in _unless_absent(pages):
                        yield documents.repository(Part.of(one), id_)
                except Forbidden:
                    for asked in known:
                        if asked.installation == id_:
                            yield asked

    async def may_write(self, repository: RepositoryFacts, login: str) -> bool:
        """Ask whether a person has write access (role write, maintain or admin)."""
        if not _LOGIN.fullmatch(login):
            return False
        with _told(""):
            try:
                answer = await self._at(repository).get("/collaborators/{login}/permission", login=login)
            except Absent:
                return False
            return Part.of(answer).text("permission") in _WRITERS

    async def clone_credentials(self, repository: RepositoryFacts) -> tuple[str, str] | None:
        """Give (user, password) for git over HTTP; in App mode good for this repository alone, for reading alone."""
        with _told(f"{repository.name} is gone, or Revieee may not see it any more"):
            token = await self._github.token_for(
                repository.id, repository.name, repository.installation, CLONE_PERMISSIONS
            )
        return None if token is None else (GIT_USER, token)

    async def check(self) -> Sequence[Finding]:
        """Tell whether GitHub knows us and lets us do what we need."""
        return await check(self._github, {**PERMISSIONS, **CLONE_PERMISSIONS})

    async def _named(self, repository: RepositoryFacts) -> RepositoryFacts | None:
        """Give what has a repository's name: itself, or, where it is gone, one that was made since."""
        with _told(""):
            try:
                return documents.repository(Part.of(await self._at(repository).get("")), repository.installation)
            except Absent:
                return None
            except Forbidden:
                return repository

    def _at(self, repository: RepositoryFacts) -> Repository:
        return self._github.repository(repository.id, repository.name, repository.installation)


def _facts(item: object, repository: RepositoryFacts) -> PullRequestFacts:
    """Read a pull request of the API; the repository's present name and branch are in it."""
    part = Part.of(item)
    return documents.pull_request(part, documents.repository(part.part("base").part("repo"), repository.installation))


async def _unless_absent(pages: AsyncIterator[object]) -> AsyncIterator[object]:
    """Go through pages; an installation that was removed just now has none."""
    try:
        async for item in pages:
            yield item
    except Absent:
        return


@contextmanager
def _told(absent: str) -> Iterator[None]:
    """Turn the client's errors into those of the ports; ``absent`` says what a 404 means here."""
    try:
        yield
    except Absent as error:
        raise Refused(f"{absent} ({error})") from error
    except Unauthorized as error:
        raise Fault(f"{error} Check the token or the App's key (`revieee doctor`).") from error
    except Malformed as error:
        raise RetryLater(f"GitHub's answer cannot be read: {error}") from error
    except GitHubError as error:
        if error.passing:
            raise RetryLater(str(error), delay=error.delay) from error
        words = "GitHub does not understand us" if isinstance(error, Rejected) else "The credentials do not allow this"
        raise Fault(f"{words}: {error}") from error
