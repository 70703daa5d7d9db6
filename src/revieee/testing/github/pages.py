"""The pages that people see: repositories, a pull request with the bot's comment, deliveries; and their few buttons."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from revieee.testing.github import markdown, pulls, repositories
from revieee.testing.github.auth import ApiError
from revieee.testing.github.git import Commit, GitFailed
from revieee.testing.github.hub import Hub
from revieee.testing.github.shapes_deployments import newest_by_context
from revieee.testing.github.state import Comment, Deployment, PullRequest, User

FOLDER = Path(__file__).parent / "templates"
WORDS = {
    "success": "This branch was successfully deployed",
    "failure": "This branch had an error being deployed",
    "error": "This branch had an error being deployed",
    "inactive": "This deployment is inactive",
    "pending": "Deployment is waiting",
    "queued": "Deployment is waiting",
    "in_progress": "Deployment is in progress",
}
VERBS = {"merge": "Merge pull request", "close": "Close pull request", "reopen": "Reopen pull request"}
RECENT = 100
MINUTE, HOUR, DAY = 60, 3600, 86400


def look(pull: PullRequest) -> str:
    """Give the word of a pull request's badge: open, draft, merged or closed."""
    if pull.state == "closed":
        return "merged" if pull.merged_at else "closed"
    return "draft" if pull.draft else "open"


def since(now: datetime, when: datetime) -> str:
    """Say how long ago something was."""
    seconds = (now - when).total_seconds()
    if seconds < MINUTE:
        return "just now"
    for unit, size in (("minute", MINUTE), ("hour", HOUR), ("day", DAY)):
        if seconds < size * (60 if size < HOUR else 24) or size == DAY:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return when.astimezone(UTC).date().isoformat()


def web_link(url: str | None) -> bool:
    """Tell whether a link may stand on a page: http and https only."""
    return urlsplit(url or "").scheme in {"http", "https"}


def _face(user: User) -> Markup:
    return Markup('<span class="face" aria-hidden="true">{}</span>').format(user.login[:1].upper())


class Pages:
    """The pages of one practice GitHub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        loader = FileSystemLoader(FOLDER)
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._templates.globals.update(
            base=hub.at.web, look=look, markdown=markdown.render, face=_face, words=WORDS, verbs=VERBS,
            link=web_link, ago=lambda when: since(hub.clock(), when),
        )  # fmt: skip

    def _show(self, name: str, values: Mapping[str, object], status: int = 200) -> Response:
        nonce = secrets.token_urlsafe(12)
        policy = (
            f"default-src 'none'; style-src 'self'; script-src 'nonce-{nonce}'; connect-src 'self'; form-action 'self'"
        )
        headers = {
            "Content-Security-Policy": f"{policy}; base-uri 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(self._templates.get_template(name).render(values, nonce=nonce), status, headers)

    async def index(self, request: Request) -> Response:  # noqa: ARG002 - a handler's form
        """Show all repositories and their pull requests."""
        return self._show("index.html", {"repositories": list(self.hub.state.repositories.values())})

    async def style(self, request: Request) -> Response:  # noqa: ARG002 - a handler's form
        """Give the style sheet."""
        return Response((FOLDER / "practice.css").read_bytes(), media_type="text/css")

    async def deliveries(self, request: Request) -> Response:  # noqa: ARG002 - a handler's form
        """Show the newest deliveries."""
        return self._show("deliveries.html", {"deliveries": self.hub.webhooks.deliveries[: -RECENT - 1 : -1]})

    def _pull(self, request: Request) -> PullRequest:
        name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        return pulls.find(repositories.find(self.hub, name), request.path_params["number"])

    async def pull(self, request: Request) -> Response:
        """Show a pull request."""
        pull = self._pull(request)
        commits = await self.hub.git.log(pull.repository.id, f"{pull.base_sha}..{pull.head_sha}")
        head = [one for one in pull.repository.statuses if one.sha == pull.head_sha]
        newest: dict[str, Deployment] = {one.environment: one for one in pull.deployments}
        actions = {"open": ("merge", "close"), "closed": ("reopen",), "merged": ()}
        values = {
            "pull": pull,
            "repository": pull.repository,
            "commits": commits,
            "timeline": timeline(commits, pull.comments),
            "deployments": list(newest.values()),
            "statuses": newest_by_context(head),
            "actions": actions["merged" if pull.merged_at else pull.state],
            "closing": {"open": "", "draft": "This pull request is still a draft."}.get(
                look(pull), f"This pull request was {look(pull)}."
            ),
        }
        return self._show("pull.html", values)

    async def act(self, request: Request) -> Response:
        """Close, reopen or merge a pull request, as its repository's owner."""
        pull, action = self._pull(request), request.path_params["action"]
        owner = pull.repository.owner
        if action == "close":
            await pulls.close(self.hub, pull, owner)
        elif action == "reopen":
            await pulls.reopen(self.hub, pull, owner)
        elif action == "merge":
            move = await pulls.merge(self.hub, pull, owner)
            await repositories.moved(self.hub, pull.repository, {move.branch: (move.before, move.after)}, owner)
        else:
            raise ApiError(404, "Not Found")
        return RedirectResponse(self.hub.at.pull_request(pull), 303)

    async def redeliver(self, request: Request) -> Response:
        """Deliver a delivery again."""
        for one in self.hub.webhooks.deliveries:
            if one.id == request.path_params["number"]:
                self.hub.webhooks.redeliver(one)
                return RedirectResponse(f"{self.hub.at.web}/-/deliveries", 303)
        raise ApiError(404, "Not Found")


def timeline(commits: list[Commit], comments: list[Comment]) -> list[tuple[str, Commit | Comment]]:
    """Put commits and comments into the order of time."""
    rows: list[tuple[datetime, str, Commit | Comment]] = [(one.when, "commit", one) for one in commits]
    rows += [(one.created_at, "comment", one) for one in comments]
    return [(kind, one) for _, kind, one in sorted(rows, key=lambda row: row[0])]


def _guarded(hub: Hub, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Let only our own pages press our buttons, and say errors in words."""

    async def respond(request: Request) -> Response:
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin not in {None, hub.at.web}:
            return PlainTextResponse("This button was pressed on another site.\n", 403)
        try:
            return await handler(request)
        except ApiError as problem:
            words = "; ".join(one.get("message", "") for one in problem.errors or []) or problem.message
            return PlainTextResponse(f"{words}\n", problem.status)
        except GitFailed as problem:
            return PlainTextResponse(f"{problem}\n", 409)

    return respond


def routes(hub: Hub) -> list[Route]:
    """Make the routes of the pages."""
    pages = Pages(hub)
    page = "/{owner}/{repo}/pull/{number:int}"
    return [
        Route("/", _guarded(hub, pages.index), methods=["GET"]),
        Route("/-/practice.css", _guarded(hub, pages.style), methods=["GET"]),
        Route("/-/deliveries", _guarded(hub, pages.deliveries), methods=["GET"]),
        Route("/-/deliveries/{number:int}/redeliver", _guarded(hub, pages.redeliver), methods=["POST"]),
        Route(page, _guarded(hub, pages.pull), methods=["GET"]),
        Route(page + "/{action}", _guarded(hub, pages.act), methods=["POST"]),
    ]
