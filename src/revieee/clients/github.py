"""GitHub's REST API (https://docs.github.com/en/rest): paths in, plain JSON values out.

One client serves a token or a GitHub App, on github.com or GitHub Enterprise. It knows which identity speaks for which
repository and nothing of what is asked; its errors are those of :mod:`revieee.clients.github_errors`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx

from revieee.clients.certificates import authorities
from revieee.clients.github_errors import Absent, Rejected, Unavailable
from revieee.clients.github_session import TIMEOUT, Authorize, Cache, Clock, Session
from revieee.clients.github_tokens import App, InstallationTokens, Purpose, Token

PUBLIC_API = "https://api.github.com"


def now() -> datetime:
    """Give the present moment."""
    return datetime.now(UTC)


class GitHub:
    """A GitHub, and who we are there."""

    def __init__(
        self,
        credentials: Token | App | None,
        *,
        permissions: Mapping[str, str],
        api_url: str = PUBLIC_API,
        user_agent: str = "revieee",
        clock: Clock = now,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            credentials: who we are; None asks as nobody, which public repositories allow for little.
            permissions: what installation tokens are asked for, and no more (``{"statuses": "write"}``).
            api_url: of GitHub Enterprise: ``https://<host>/api/v3``.
            user_agent: who asks; GitHub refuses requests without one.
            clock: gives the present moment (aware).
        """
        self.credentials = credentials
        self._permissions = tuple(sorted(permissions.items()))
        self._api_url = api_url
        self._clock = clock
        self._cache = Cache()
        self._http = httpx.AsyncClient(timeout=TIMEOUT, headers={"user-agent": user_agent}, verify=authorities())
        self.root = self._session(self._as_ourselves)
        """Speaks as the token's owner, or as the App itself."""
        self._tokens = InstallationTokens(self.root, clock)
        self._sessions: dict[int, Session] = {}
        self._installations: dict[int, int] = {}
        self._login: str | None = None

    async def login(self) -> str:
        """Give the name under which we write: the token's owner, or the App's bot."""
        if self._login is None:
            as_app = isinstance(self.credentials, App)
            answer = await self.root.get("/app" if as_app else "/user")
            try:
                self._login = f"{answer['slug']}[bot]" if as_app else str(answer["login"])
            except (KeyError, TypeError):
                raise Unavailable("GitHub's answer does not say who we are.") from None
        return self._login

    def repository(self, id_: int, name: str, installation: int | None = None) -> "Repository":
        """Speak of one repository.

        Args:
            id_: its number, which stays.
            name: ``owner/repository``, checked by the caller; a former name works too.
            installation: the App installation believed to speak for it.
        """
        return Repository(self, id_, name, installation)

    async def token_for(
        self, id_: int, name: str, installation: int | None, permissions: Mapping[str, str]
    ) -> str | None:
        """Give a token for one repository alone, with these permissions alone (a personal token is what it is).

        Args:
            id_: its number, or 0 where only its name is known (a submodule's); then GitHub is asked who speaks for it.
            name: ``owner/repository``.
            installation: the App installation believed to speak for it.
            permissions: what the token is for.

        Returns:
            The token, or None where we are nobody.
        """
        if isinstance(self.credentials, Token):
            return self.credentials.value
        if self.credentials is None:
            return None
        wanted = tuple(sorted(permissions.items()))
        if not id_:
            speaks = await self._ask_installation(id_, name)
            return await self._tokens.get(Purpose(speaks, wanted, names=(name.partition("/")[2],)))
        speaks = await self.installation_of(id_, name, installation)
        try:
            return await self._tokens.get(Purpose(speaks, wanted, (id_,)))
        except Rejected:
            # The installation lives on without this repository; another may have it by now.
            return await self._tokens.get(Purpose(await self._ask_installation(id_, name), wanted, (id_,)))

    async def session_for(self, id_: int, name: str, installation: int | None) -> Session:
        """Give the session that speaks for a repository."""
        if not isinstance(self.credentials, App):
            return self.root
        return self.installation(await self.installation_of(id_, name, installation))

    def installation(self, installation: int) -> Session:
        """Give the session that speaks as one installation of the App."""
        if installation not in self._sessions:
            self._sessions[installation] = self._session(self._as_installation(installation))
        return self._sessions[installation]

    async def installation_of(self, id_: int, name: str, believed: int | None) -> int:
        """Find the installation that speaks for a repository: the one that last did, the believed one, or by asking.

        Raises:
            Absent: the App is not installed there, or the repository is gone.
        """
        for known in (self._installations.get(id_), believed):
            if known is not None:
                with suppress(Absent):
                    await self.installation(known).ready()
                    self._installations[id_] = known
                    return known
        return await self._ask_installation(id_, name)

    async def _ask_installation(self, id_: int, name: str) -> int:
        self._installations.pop(id_, None)
        answer = await self.root.get(f"/repos/{name}/installation")
        try:
            found = int(answer["id"])
        except (KeyError, TypeError, ValueError):
            raise Unavailable("GitHub's answer names no installation.") from None
        if id_:
            self._installations[id_] = found
        return found

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    def _session(self, authorize: Authorize) -> Session:
        return Session(self._http, self._api_url, authorize, self._clock, self._cache)

    async def _as_ourselves(self, *, fresh: bool) -> str | None:  # noqa: ARG002 - Authorize's form; nothing to renew
        if isinstance(self.credentials, App):
            return f"Bearer {self.credentials.claim(self._clock())}"
        return None if self.credentials is None else f"Bearer {self.credentials.value}"

    def _as_installation(self, installation: int) -> Authorize:
        async def authorize(*, fresh: bool) -> str:
            return f"Bearer {await self._tokens.get(Purpose(installation, self._permissions), fresh=fresh)}"

        return authorize


class Repository:
    """One repository of a GitHub; paths are below ``/repos/<owner>/<repository>``."""

    def __init__(self, github: GitHub, id_: int, name: str, installation: int | None) -> None:
        self._github = github
        self._who = (id_, name, installation)
        self._path = f"/repos/{name}"

    async def get(self, path: str, **variables: str) -> Any:  # noqa: ANN401 - a JSON document
        """Ask for one document."""
        return await (await self._session()).get(self._path + path, **variables)

    async def pages(self, path: str) -> AsyncIterator[Any]:
        """Ask for a list, all pages of it."""
        async for item in (await self._session()).pages(self._path + path):
            yield item

    async def post(self, path: str, document: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JSON document
        """Make something."""
        return await (await self._session()).send("POST", self._path + path, document)

    async def patch(self, path: str, document: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JSON document
        """Change something."""
        return await (await self._session()).send("PATCH", self._path + path, document)

    async def delete(self, path: str) -> None:
        """Remove something."""
        await (await self._session()).remove(self._path + path)

    async def _session(self) -> Session:
        return await self._github.session_for(*self._who)
