"""What the web asks of whoever has the data: wiring gives an implementation over the store."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from revieee.model.route import Route
from revieee.model.view import View

Figures = Mapping[str, tuple[str, Mapping[str, float]]]
"""(description, value by state) by name."""


class Questions(Protocol):
    """Reads, each quick: a visitor waits for it."""

    async def route(self, hostname: str) -> Route | None:
        """Give the route of a host, or None where no environment has it. The hostname is a visitor's: hostile."""

    async def view(self, hostname: str) -> View | None:
        """Give the environment that a host belongs to, in words, or None where there is none."""

    async def environments(self) -> int:
        """Count the environments that are live or on their way."""

    async def figures(self) -> Figures:
        """Give what is counted for an operator."""

    async def ready(self) -> Sequence[str]:
        """Tell what keeps us from working, each a sentence; nothing when all is well."""
