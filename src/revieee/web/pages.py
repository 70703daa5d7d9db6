"""State pages as values: status, headers and body, in HTML, JSON or plain text.

What a page may say: everyone who can reach an environment can read it, so it names the pull request, commit and reason,
and leaves logs to the pull request itself, which has its own readers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jinja2 import Environment, PackageLoader, StrictUndefined

from revieee.model.view import View

PAGE_HEADER = "X-Revieee-Page"
"""Marks an answer as a state page; nginx takes anything else for an error."""
_SHORT_COMMIT = 7


class Kind(StrEnum):
    """The form of a page."""

    HTML = "html"
    JSON = "json"
    TEXT = "text"


_TYPES = {
    Kind.HTML: "text/html; charset=utf-8",
    Kind.JSON: "application/json",
    Kind.TEXT: "text/plain; charset=utf-8",
}
_ENDINGS = {Kind.HTML: "html", Kind.JSON: "json", Kind.TEXT: "txt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a state means to a visitor."""

    status: int
    title: str
    words: str
    retry_after: int | None = None
    """Seconds; the page then also loads itself again."""
    tone: str = "calm"
    """``busy``, ``calm`` or ``bad``: the colour of its mark."""


STATES: Mapping[str, Words] = {
    "unknown": Words(
        status=404,
        title="No environment here",
        words="No open pull request has this address. It may have been closed, or the address has a typing error.",
    ),
    "building": Words(
        status=503,
        title="On its way",
        words="This environment is being built. The page loads itself again until it is there.",
        retry_after=5,
        tone="busy",
    ),
    "failed": Words(
        status=503,
        title="Nothing to see yet",
        words="The release failed and there is no older one to show. The pull request says why, with the log.",
        tone="bad",
    ),
    "asleep": Words(
        status=503,
        title="Waking up",
        words="This environment was asleep. The page loads itself again until it is there.",
        retry_after=5,
        tone="busy",
    ),
    "hold": Words(
        status=503,
        title="Back in a moment",
        words="This environment is being updated and needs a little longer than usual.",
        retry_after=5,
        tone="busy",
    ),
    "unreachable": Words(
        status=502,
        title="The app does not answer",
        words="This environment is there, but its app closed the connection or does not listen. Its log may say why.",
        retry_after=5,
        tone="bad",
    ),
    "down": Words(
        status=503,
        title="Revieee is not there right now",
        words="It is being restarted, most likely. Environments that were live go on answering meanwhile.",
        retry_after=5,
        tone="bad",
    ),
}
"""Every state that a visitor can meet. The statuses stand in routers/nginx/lua/pages.lua, too: a test compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all pages know of this installation."""

    domain: str
    forge_url: str = "https://github.com"


_templates = Environment(
    loader=PackageLoader("revieee.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def state_page(site: Site, state: str, kind: Kind, *, hostname: str = "", view: View | None = None) -> Page:
    """Make the page for a state; one that is not known is ``down``."""
    words = STATES.get(state, STATES["down"])
    headers = {"Content-Type": _TYPES[kind], "Cache-Control": "no-store", PAGE_HEADER: state}
    if words.retry_after:
        headers["Retry-After"] = str(words.retry_after)
    return Page(status=words.status, body=_body(site, state, kind, hostname, view), headers=headers)


def static_pages(domain: str) -> dict[str, str]:
    """Make the pages that the router keeps for when nobody answers it: name (``building.html``) to text."""
    site = Site(domain=domain)
    return {f"{state}.{_ENDINGS[kind]}": _body(site, state, kind, "", None) for state in STATES for kind in Kind}


def index_page(site: Site, environments: int) -> str:
    """Make the domain's own page. It counts environments and names none: names can tell a stranger too much."""
    return _templates.get_template("index.html").render(site=site, environments=environments)


def _body(site: Site, state: str, kind: Kind, hostname: str, view: View | None) -> str:
    words = STATES.get(state, STATES["down"])
    pull_request = pull_request_url(site, view) if view else ""
    commit = _commit(state, view) if view else ""
    if kind is Kind.HTML:
        return _templates.get_template("state.html").render(
            site=site,
            state=state,
            words=words,
            hostname=hostname,
            view=view,
            commit=commit[:_SHORT_COMMIT],
            pull_request=pull_request,
        )
    facts = {
        "state": state,
        "title": words.title,
        "words": words.words,
        "host": hostname,
        "environment": view.environment if view else "",
        "commit": commit,
        "headline": view.headline if view else "",
        "reason": view.reason if view else "",
        "next": view.next_act if view else "",
        "pull_request": pull_request,
    }
    if kind is Kind.JSON:
        return json.dumps({name: value for name, value in facts.items() if value}) + "\n"
    told = [f"{words.title}. {words.words}", facts["environment"], facts["headline"], facts["reason"], facts["next"]]
    return "\n".join(line for line in (*told, pull_request) if line) + "\n"


def _commit(state: str, view: View) -> str:
    """Give the commit that a page is about: the one that should answer, or the one that was asked for."""
    return view.live_commit or view.commit if state in {"unreachable", "asleep", "hold"} else view.commit


def pull_request_url(site: Site, view: View) -> str:
    """Give the pull request's address, from the environment's name ``owner/repo#12``."""
    repository, _, number = view.environment.rpartition("#")
    return f"{site.forge_url.rstrip('/')}/{repository}/pull/{number}"
