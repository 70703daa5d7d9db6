"""Credentials for GitHub, and the installation tokens that a GitHub App gets for them.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from revieee.clients.github_errors import Rejected, Unavailable

EARLY = timedelta(minutes=5)
"""How long before its end a token is no longer used."""
CLOCK_SKEW = 60
"""Seconds that a claim is dated back, in case our clock is ahead; GitHub recommends it."""
CLAIM_LIFE = 9 * 60
"""Seconds; GitHub allows 10 minutes."""
_LEVELS = ("read", "write", "admin")
_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Token:
    """A personal access token, classic or fine-grained.

    Raises:
        ValueError: it holds characters that no token has (and that a header cannot).
    """

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", self.value):
            raise ValueError(
                "The GitHub token is empty or holds spaces, line breaks or foreign characters. "
                "Set REVIEEE_GITHUB_TOKEN to the token alone."
            )


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App: its id (or client id) and its private key as PEM text.

    Raises:
        ValueError: the id or the key is none.
    """

    id: str
    private_key: str = field(repr=False)
    _key: RSAPrivateKey = field(init=False, repr=False, compare=False)
    """Read once: checking a key's numbers takes the longest of a signature."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", self.id):
            raise ValueError("The GitHub App's id is empty or malformed. It stands on the App's settings page.")
        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, RSAPrivateKey):
            # Raised outside the handler, so no library error with parts of the key is chained to it.
            raise ValueError(  # noqa: TRY004 - its text is wrong, whatever the library made of it
                "The GitHub App's private key cannot be read. It is the .pem file that the App's settings page gives "
                "out under 'Private keys', from BEGIN to END."
            )
        object.__setattr__(self, "_key", key)  # as a frozen dataclass sets its own fields

    def claim(self, now: datetime) -> str:
        """Sign who we are; good for eight minutes."""
        issued = int(now.timestamp()) - CLOCK_SKEW
        claims = {"iat": issued, "exp": issued + CLAIM_LIFE, "iss": self.id}
        return jwt.encode(claims, self._key, algorithm="RS256")


class Asker(Protocol):
    """What the tokens need of the App's own session."""

    async def get(self, path: str, **variables: str) -> Any:  # noqa: ANN401 - a JSON document
        """Ask for one document."""

    async def send(self, method: str, path: str, document: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JSON document
        """Send a document."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a token is for: no more is asked for it."""

    installation: int
    permissions: tuple[tuple[str, str], ...]
    repositories: tuple[int, ...] = ()
    """Ids; none means all of the installation's."""
    names: tuple[str, ...] = ()
    """Instead of ids: names without their owner, who is the installation's."""


@dataclass(slots=True)
class _Kept:
    """A token while it is good, and the lock under which it is renewed once for all who wait."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    value: str | None = field(default=None, repr=False)
    ends: datetime | None = None


class InstallationTokens:
    """Installation tokens, each kept until shortly before its end."""

    def __init__(self, app: Asker, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._clock = clock
        self._kept: dict[Purpose, _Kept] = {}

    async def get(self, purpose: Purpose, *, fresh: bool = False) -> str:
        """Give a token for a purpose.

        Args:
            purpose: installation, permissions, repositories.
            fresh: GitHub refused the last one, so make another.

        Raises:
            Absent: there is no such installation any more.
            GitHubError: GitHub gives none.
        """
        self._drop_ended()
        kept = self._kept.setdefault(purpose, _Kept())
        refused = kept.value if fresh else None
        async with kept.lock:
            if kept.value is None or kept.value == refused or self._near_end(kept):
                kept.value, kept.ends = None, None
                kept.value, kept.ends = await self._make(purpose)
            return kept.value

    def _near_end(self, kept: _Kept) -> bool:
        return kept.ends is None or self._clock() >= kept.ends - EARLY

    def _drop_ended(self) -> None:
        """Forget tokens that ended, so that ten thousand repositories do not leave ten thousand behind."""
        for purpose in [one for one, kept in self._kept.items() if self._near_end(kept) and not kept.lock.locked()]:
            del self._kept[purpose]

    async def _make(self, purpose: Purpose) -> tuple[str, datetime]:
        path = f"/app/installations/{purpose.installation}/access_tokens"
        try:
            answer = await self._app.send("POST", path, _document(purpose, dict(purpose.permissions)))
        except Rejected as error:
            if error.status != _UNPROCESSABLE:
                raise
            # The installation was not granted all of them (an owner has yet to accept a change): ask for what it has.
            answer = await self._app.send("POST", path, _document(purpose, await self._granted(purpose)))
        try:
            return Token(answer["token"]).value, datetime.fromisoformat(answer["expires_at"])
        except (KeyError, TypeError, ValueError):
            raise Unavailable("GitHub's answer holds no installation token.") from None

    async def _granted(self, purpose: Purpose) -> dict[str, str]:
        answer = await self._app.get(f"/app/installations/{purpose.installation}")
        granted = answer.get("permissions") or {}
        return {
            name: min(level, granted[name], key=_LEVELS.index)
            for name, level in purpose.permissions
            if granted.get(name) in _LEVELS
        }


def _document(purpose: Purpose, permissions: dict[str, str]) -> dict[str, Any]:
    """Say what a token is for.

    https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
    """
    document: dict[str, Any] = {"permissions": permissions}
    if purpose.repositories:
        document["repository_ids"] = list(purpose.repositories)
    if purpose.names:
        document["repositories"] = list(purpose.names)
    return document
