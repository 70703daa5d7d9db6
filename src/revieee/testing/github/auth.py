"""Who asks, and what they may do: tokens, an app's signed claim, permissions.

See https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import jwt
from jwt.types import Options

from revieee.testing.github.state import ROLES, App, Installation, Repository, Role, State, User

LONGEST_CLAIM_SECONDS = 600
"""How far ahead an app's claim may end."""

CLOCK_SKEW_SECONDS = 60
"""How far an app's clock may be off."""

CLAIM_OPTIONS: Options = {
    "require": ["iat", "exp", "iss"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_iss": False,
}
"""The signature is checked by the library, the times by us: they are measured by the practice GitHub's clock."""


class ApiError(Exception):
    """An answer of the API that is an error."""

    def __init__(self, status: int, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


def not_found() -> ApiError:
    """What GitHub says of all that one may not see, so that it tells nothing."""
    return ApiError(404, "Not Found")


@dataclass(frozen=True)
class Caller:
    """Who asks: nobody (all empty), a person (`user`), an installation (`installation`, `user` its bot) or an `app`."""

    user: User | None = None
    installation: Installation | None = None
    app: App | None = None
    permissions: Mapping[str, str] = field(default_factory=dict)
    repository_ids: frozenset[int] | None = None

    @property
    def login(self) -> str | None:
        """The account that acts."""
        return None if self.user is None else self.user.login

    def reaches(self, repository: Repository) -> bool:
        """Tell whether an installation's token was given out for this repository."""
        chosen = self.repository_ids is None or repository.id in self.repository_ids
        return self.installation is not None and chosen and self.installation.covers(repository)

    def sees(self, repository: Repository) -> bool:
        """Tell whether the repository exists for this caller."""
        if self.installation is not None:
            return not repository.private or self.reaches(repository)
        return repository.role(self.user) != "none"

    def signed_in(self) -> User:
        """Give the acting account.

        Raises:
            ApiError: 401, nobody is signed in.
        """
        if self.user is None:
            raise ApiError(401, "Requires authentication")
        return self.user

    def must(self, repository: Repository, role: Role, needs: tuple[str, ...]) -> None:
        """Check that the caller may do something: `role` is asked of people, one of `needs` of installations.

        Args:
            repository: where.
            role: the least role for it.
            needs: permissions such as `issues:write`, of which one is enough; none are asked for public reading.

        Raises:
            ApiError: 404 where the repository (or the right) is hidden, 401 for nobody, 403 for an installation.
        """
        if not self.sees(repository):
            raise not_found()
        if self.installation is not None:
            free = role == "read" and not repository.private and all(need.endswith(":read") for need in needs)
            if not free and not (self.reaches(repository) and any(self._granted(need) for need in needs)):
                raise ApiError(403, "Resource not accessible by integration")
        elif ROLES.index(repository.role(self.user)) < ROLES.index(role):
            self.signed_in()
            raise not_found()

    def _granted(self, need: str) -> bool:
        name, level = need.split(":")
        granted = self.permissions.get(name)
        return granted in {"write", "admin"} or granted == level or need == "metadata:read"


def authenticate(state: State, authorization: str | None, now: datetime) -> Caller:
    """Tell who asks, by the `Authorization` header: `Bearer`, `token`, or `Basic` with the token in either place.

    Raises:
        ApiError: 401, the token or claim is wrong or over; 403, the installation is suspended.
    """
    if not authorization:
        return Caller()
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    if scheme.lower() == "basic":
        return _by_token(state, _basic(state, secret), now)
    if scheme.lower() == "bearer" and secret.count(".") == 2:  # noqa: PLR2004 - header, claims, signature
        return Caller(app=_by_claim(state, secret, now))
    if scheme.lower() in {"bearer", "token"}:
        return _by_token(state, secret, now)
    raise ApiError(401, "Bad credentials")


def _basic(state: State, encoded: str) -> str:
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise ApiError(401, "Bad credentials") from None
    return name if name in state.tokens else password


def _by_token(state: State, value: str, now: datetime) -> Caller:
    token = state.tokens.get(value)
    if token is None or (token.expires_at is not None and now >= token.expires_at):
        raise ApiError(401, "Bad credentials")
    if token.installation is None:
        return Caller(user=token.user)
    if token.installation.id not in state.installations:
        raise ApiError(401, "Bad credentials")
    if token.installation.suspended_at is not None:
        raise ApiError(403, "This installation has been suspended")
    return Caller(token.user, token.installation, None, token.permissions, token.repository_ids)


def _by_claim(state: State, claim: str, now: datetime) -> App:
    """Check an app's claim (docs: "Generating a JSON Web Token for a GitHub App"); time comes from our clock."""
    unreadable = ApiError(401, "A JSON web token could not be decoded")
    try:
        issuer = str(jwt.decode(claim, options={"verify_signature": False}).get("iss"))
    except jwt.PyJWTError:
        raise unreadable from None
    app = next((one for one in state.apps.values() if issuer in {str(one.id), one.client_id}), None)
    if app is None:
        raise ApiError(404, "Integration not found")
    try:
        told = jwt.decode(claim, app.public_key, ["RS256"], options=CLAIM_OPTIONS)
        issued, ends = float(told["iat"]), float(told["exp"])
    except (jwt.PyJWTError, TypeError, ValueError):
        raise unreadable from None
    moment = now.timestamp()
    if ends <= moment:
        raise ApiError(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")
    if ends > moment + LONGEST_CLAIM_SECONDS + CLOCK_SKEW_SECONDS:
        raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
    if issued > moment + CLOCK_SKEW_SECONDS:
        raise ApiError(
            401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    return app
