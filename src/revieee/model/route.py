"""Routes: which host leads where."""

from dataclasses import dataclass
from enum import StrEnum


class RouteState(StrEnum):
    """What the router does with a request to a host."""

    UP = "up"
    """Passes it to the endpoint."""
    HOLD = "hold"
    """Parks it for some seconds, until the route is up again."""
    BUILDING = "building"
    """Answers with the page that says the first release is on its way."""
    FAILED = "failed"
    """Answers with the page that says why there is nothing to see."""
    ASLEEP = "asleep"
    """Answers with the page that says it wakes up."""
    GONE = "gone"
    """Forgets the host; the version stays known for a while, so a late older push cannot bring it back."""


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Where an exposed service answers, as the router reaches it."""

    host: str
    """An IP address."""
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One host. ``version`` comes from the store; the router never replaces a higher one with a lower."""

    hostname: str
    state: RouteState
    endpoint: Endpoint | None = None
    version: int
