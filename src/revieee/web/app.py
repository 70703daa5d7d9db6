"""The web app: questions of nginx, health, and the pages on the domain itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Path

from revieee.model.route import Endpoint, RouteState
from revieee.web.pages import Kind, Site, index_page, state_page
from revieee.web.questions import Figures, Questions

QUESTION_HEADER = "X-Revieee-Question"
"""Set by nginx on its own questions and taken off everything else."""
_NOT_FOUND = 404
_UNAVAILABLE = 503
_PRIVATE = {"Cache-Control": "no-store"}


def create_app(
    questions: Questions,
    *,
    domain: str = "localhost",
    forge_url: str = "https://github.com",
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Make the app that listens on the router's control socket.

    Args:
        questions: where the answers come from.
        domain: the dashboard's host.
        forge_url: where pull requests live, for links.
        routes: more routes on the domain's host, for example the webhook's.
    """
    web = _Web(questions, Site(domain=domain, forge_url=forge_url))
    own = [
        Path("/_route", web.route),
        Path("/_page", web.page),
        Path("/healthz", web.healthz),
        Path("/readyz", web.readyz),
        Path("/metrics", web.metrics),
        Path("/", web.index),
    ]
    return Starlette(routes=[*own, *routes])


@dataclass(frozen=True, slots=True)
class _Web:
    questions: Questions
    site: Site

    async def route(self, request: Request) -> Response:
        """Answer nginx: ``<state> <endpoint or -> <version>``, or 404 where no environment has the host."""
        hostname = _asked_by_nginx(request)
        route = await self.questions.route(hostname)
        if route is None or route.state is RouteState.GONE:
            return PlainTextResponse("unknown", _NOT_FOUND, _PRIVATE)
        endpoint = _bracketed(route.endpoint) if route.endpoint else "-"
        return PlainTextResponse(f"{route.state} {endpoint} {route.version}", headers=_PRIVATE)

    async def page(self, request: Request) -> Response:
        """Answer nginx with the page of a host's state."""
        hostname = _asked_by_nginx(request)
        asked = request.headers.get("x-page-kind", "")
        kind = Kind(asked) if asked in set(Kind) else Kind.TEXT
        view = await self.questions.view(hostname)
        page = state_page(self.site, request.headers.get("x-route-state", ""), kind, hostname=hostname, view=view)
        return Response(page.body, page.status, dict(page.headers))

    async def healthz(self, request: Request) -> Response:
        """Say that the process answers."""
        del request
        return PlainTextResponse("ok\n", headers=_PRIVATE)

    async def readyz(self, request: Request) -> Response:
        """Say whether it can work, and what keeps it from it."""
        del request
        problems = await self.questions.ready()
        text = "".join(f"{problem}\n" for problem in problems) or "ready\n"
        return PlainTextResponse(text, _UNAVAILABLE if problems else 200, _PRIVATE)

    async def metrics(self, request: Request) -> Response:
        """Give the process's counters and the store's figures in Prometheus' text format."""
        del request
        figures = CollectorRegistry()
        figures.register(_Figures(await self.questions.figures()))
        text = generate_latest(REGISTRY) + generate_latest(figures)
        return Response(text, headers={**_PRIVATE, "Content-Type": CONTENT_TYPE_LATEST})

    async def index(self, request: Request) -> Response:
        """Say what this is."""
        del request
        headers = {
            **_PRIVATE,
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        }
        return HTMLResponse(index_page(self.site, await self.questions.environments()), headers=headers)


class _Figures(Collector):
    """Figures as gauges, as they are at one moment."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures

    def collect(self) -> Iterable[Metric]:
        """Give one gauge a figure, with its parts as the label ``state``."""
        for name, (words, parts) in self.figures.items():
            gauge = GaugeMetricFamily(f"revieee_{name}", words, labels=["state"])
            for state, value in parts.items():
                gauge.add_metric([state], value)
            yield gauge


def _asked_by_nginx(request: Request) -> str:
    """Give the host that nginx asks about.

    Raises:
        HTTPException: the question is not nginx's own; there is nothing here for anyone else.
    """
    if request.headers.get(QUESTION_HEADER) != "1":
        raise HTTPException(_NOT_FOUND)
    return request.headers.get("x-original-host", "")


def _bracketed(endpoint: Endpoint) -> str:
    """Write an endpoint as in a URL: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{endpoint.host}]:{endpoint.port}" if ":" in endpoint.host else str(endpoint)
