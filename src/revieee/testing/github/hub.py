"""The middle of the practice GitHub: what all acts and answers share, passed to them as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from revieee.testing.github.auth import ApiError
from revieee.testing.github.faults import Faults
from revieee.testing.github.git import GitStore
from revieee.testing.github.shapes import Address
from revieee.testing.github.state import Clock, State
from revieee.testing.github.webhooks import Webhooks


def real_time() -> datetime:
    """Give the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class DefaultHook:
    """The webhook that every new repository gets, as an organization's would; events as in a hook."""

    url: str
    secret: str
    content_type: str = "json"
    events: tuple[str, ...] = ("*",)


@dataclass(eq=False)
class Hub:
    """State, git, webhooks, faults and the clock, at one address."""

    state: State
    git: GitStore
    webhooks: Webhooks
    faults: Faults
    clock: Clock
    at: Address
    default_hook: DefaultHook | None = None
    cut: Callable[[tuple[str, int] | None], None] = lambda _: None
    """Drops the connection of a client (host, port); given by the server."""

    def new_id(self) -> int:
        """Give a number never given before."""
        return next(self.state.ids)


def invalid(resource: str, field: str, message: str, code: str = "custom") -> ApiError:
    """What GitHub says of a value that will not do: 422 with the field that is to blame."""
    return ApiError(
        422, "Validation Failed", [{"resource": resource, "field": field, "code": code, "message": message}]
    )
