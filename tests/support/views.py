"""Views of the practice pull request, for whoever tells it something."""

from revieee.model.view import ServiceView, State, View
from revieee.testing.github import PullRequest

URL = "http://shop-pr-1.localhost:8080"


def seen(pull: PullRequest, state: State, *, commit: str | None = None, headline: str = "") -> View:
    return View(
        environment="acme/shop#1",
        instance="one",
        state=state,
        headline=headline or f"It is {state}.",
        url=URL,
        services=(ServiceView(name="web", url=URL, words=str(state)),),
        commit=commit or pull.head_sha,
        live=state is State.LIVE,
    )


def texts(pull: PullRequest) -> list[str]:
    return [one.body for one in pull.comments]
