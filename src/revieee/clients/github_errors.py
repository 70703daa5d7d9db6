"""What GitHub can answer instead of what was asked for, as errors named for what the caller does next.

The rules are those of https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api and
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api. No error holds a token or a key.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar

LONGEST_DELAY = 3700.0
"""Seconds: the primary limit's window is an hour."""
UNNAMED_DELAY = 60.0
"""Seconds to wait where GitHub limits without saying for how long: "wait for at least one minute"."""
_LONGEST_MESSAGE = 300


class GitHubError(Exception):
    """GitHub did not do what it was asked.

    Attributes:
        passing: whether trying again later, unchanged, can help.
        delay: seconds to wait first, where GitHub said so.
        status: the HTTP status, where there was an answer.
    """

    passing: ClassVar[bool] = False

    def __init__(self, words: str, *, status: int | None = None, delay: float | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.delay = delay


class Unavailable(GitHubError):
    """No answer in time, no connection, 5xx, or an answer that cannot be read."""

    passing = True


class Limited(Unavailable):
    """A primary or secondary rate limit, or one that an operator of GitHub Enterprise set."""


class Unauthorized(GitHubError):
    """401: the token or the App's key is wrong, expired or revoked."""


class Forbidden(GitHubError):
    """403: the credentials are right and do not allow this."""


class Absent(GitHubError):
    """404, 410, 451: it is not there, or not for these credentials."""


class Rejected(GitHubError):
    """Any other 4xx, and redirects to elsewhere: what was asked makes no sense to GitHub."""


_BY_STATUS: dict[int, type[GitHubError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: Absent,
    410: Absent,
    451: Absent,
    408: Unavailable,
}


def from_response(asked: str, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> GitHubError:
    """Turn an answer of status 400 or above (or a stray redirect) into the error it means.

    Args:
        asked: what was asked, for people: method and path.
        status: the HTTP status.
        headers: the answer's, with case-insensitive or lower-case keys.
        body: the answer's.
        now: the present moment (aware), for limits that name a time.
    """
    document = _document(body)
    message = _message(document)
    words = f"GitHub answered {status} to {asked}" + (f": {message}" if message else ".")
    if status in {403, 429}:
        delay = _limit_delay(status, headers, document, now)
        if delay is not None:
            return Limited(f"{words} (a rate limit; again in {delay:.0f} s)", status=status, delay=delay)
    if status >= 500:  # noqa: PLR2004 - the server errors of RFC 9110 section 15.6
        return Unavailable(words, status=status, delay=_retry_after(headers, now))
    return _BY_STATUS.get(status, Rejected)(words, status=status)


def _limit_delay(
    status: int, headers: Mapping[str, str], document: Mapping[str, object], now: datetime
) -> float | None:
    """Give the seconds that a rate limit asks to wait, or None where the answer is no rate limit."""
    retry_after = _retry_after(headers, now)
    if retry_after is not None:
        return retry_after
    if headers.get("x-ratelimit-remaining") == "0":
        try:
            return _bounded(float(headers["x-ratelimit-reset"]) - now.timestamp())
        except (KeyError, ValueError):
            return UNNAMED_DELAY
    # A secondary limit may come without either header; its documentation link, or only its sentence, tells it.
    told = f"{document.get('documentation_url', '')} {document.get('message', '')}".lower()
    limited = status == 429 or "secondary" in told or "abuse-rate-limits" in told  # noqa: PLR2004 - RFC 6585
    return UNNAMED_DELAY if limited else None


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read ``Retry-After`` (RFC 9110 section 10.2.3): seconds, or a date."""
    value = headers.get("retry-after")
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return _bounded(float(value[:9]))
    try:
        return _bounded((parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return UNNAMED_DELAY


def _bounded(delay: float) -> float:
    return min(max(delay, 1.0), LONGEST_DELAY)


def _document(body: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _message(document: Mapping[str, object]) -> str:
    """Give GitHub's own sentence, with the first field errors of a 422, on one line."""
    parts = [document.get("message")]
    errors = document.get("errors")
    for error in errors[:3] if isinstance(errors, list) else [errors]:
        if isinstance(error, dict):
            told = error.get("message") or " ".join(str(error[key]) for key in ("field", "code") if key in error)
            parts.append(told)
        else:
            parts.append(error)
    text = "; ".join(part for part in parts if isinstance(part, str) and part)
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)[:_LONGEST_MESSAGE]
