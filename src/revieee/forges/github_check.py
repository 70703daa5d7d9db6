"""What ``revieee doctor`` says of GitHub: whether it knows us, and what we may do there."""

from collections.abc import Mapping, Sequence
from typing import Any

from revieee.clients.github import GitHub
from revieee.clients.github_errors import GitHubError, Unauthorized
from revieee.clients.github_tokens import App
from revieee.ports import Finding, Severity

SUBJECT = "GitHub"
EVENTS = ("pull_request", "issue_comment", "repository")
"""What the App's or the repository's webhook must send; installations are always told to an App."""
_LEVELS = ("none", "read", "write", "admin")


async def check(github: GitHub, needed: Mapping[str, str]) -> Sequence[Finding]:
    """Ask GitHub who we are and compare what we may do with what is needed.

    Args:
        github: the client.
        needed: permissions of an App and their levels.
    """
    if github.credentials is None:
        return [
            _bad(
                "there are no credentials, so nothing can be said on pull requests and limits are very low",
                "Set REVIEEE_GITHUB_TOKEN, or REVIEEE_GITHUB_APP_ID and REVIEEE_GITHUB_PRIVATE_KEY (docs/github.md).",
            )
        ]
    try:
        if isinstance(github.credentials, App):
            return await _check_app(github, needed)
        return await _check_token(github)
    except Unauthorized as error:
        return [
            _bad(str(error), "Make a new token or key (docs/github.md); an App's key also fails if the clock is off.")
        ]
    except GitHubError as error:
        return [_bad(str(error), "Check REVIEEE_GITHUB_API_URL and that this machine reaches it.")]


async def _check_token(github: GitHub) -> Sequence[Finding]:
    user = await github.root.get("/user")
    found = [_good(f"the token is {user.get('login')}'s")]
    scopes = github.root.scopes
    if scopes is None:
        return [*found, _good("a fine-grained token: each repository shows what it allows when it is used")]
    has = {scope.strip() for scope in scopes.split(",")}
    if "repo" in has:
        return found
    if {"public_repo"} <= has:
        return [*found, _warning("the token's scopes reach public repositories only", "Give it the scope 'repo'.")]
    return [*found, _bad(f"the token's scopes do not suffice ({scopes or 'none'})", "Give it the scope 'repo'.")]


async def _check_app(github: GitHub, needed: Mapping[str, str]) -> Sequence[Finding]:
    app = await github.root.get("/app")
    found = [_good(f"the App is {app.get('slug')}")]
    found += [
        _bad(f"the App lacks the permission {name}: {level}", "Add it on the App's page; owners must then accept it.")
        for name, level in needed.items()
        if not _suffices(app.get("permissions"), name, level)
    ]
    found += [
        _warning(f"the App is not told of {event!r} events", "Subscribe it on the App's page, Permissions & events.")
        for event in EVENTS
        if event not in (app.get("events") or ())
    ]
    hook = await github.root.get("/app/hook/config")
    if not hook.get("url"):
        found.append(_warning("the App has no webhook address", "Set it to https://<your host>/webhooks/github."))
    installations = [one async for one in github.root.pages("/app/installations?per_page=100")]
    if not installations:
        found.append(_warning("the App is installed nowhere", "Install it on an account or organization."))
    found += [
        _warning(
            f"the installation on {(one.get('account') or {}).get('login')} has not accepted {name}: {level}",
            "An owner accepts it under Settings, GitHub Apps.",
        )
        for one in installations
        for name, level in needed.items()
        if _suffices(app.get("permissions"), name, level) and not _suffices(one.get("permissions"), name, level)
    ]
    return found


def _suffices(granted: Mapping[str, Any] | None, name: str, level: str) -> bool:
    has = (granted or {}).get(name, "none")
    return has in _LEVELS and _LEVELS.index(has) >= _LEVELS.index(level)


def _good(words: str) -> Finding:
    return Finding(subject=SUBJECT, severity=Severity.GOOD, words=words)


def _warning(words: str, mend: str) -> Finding:
    return Finding(subject=SUBJECT, severity=Severity.WARNING, words=words, mend=mend)


def _bad(words: str, mend: str) -> Finding:
    return Finding(subject=SUBJECT, severity=Severity.BAD, words=words, mend=mend)
