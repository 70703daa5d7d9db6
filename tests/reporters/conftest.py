"""The practice GitHub, clients of it, and a reporter."""

import pytest

from revieee.clients.github import GitHub
from revieee.reporters.github import GitHubReporter
from support.practice import Clock, app_mode, client, clock, connected, practice, pull


@pytest.fixture
def reporter(client: GitHub, clock: Clock) -> GitHubReporter:
    """Tells as `revieee-bot`, in token mode."""
    return GitHubReporter(client, clock)


__all__ = ["app_mode", "client", "clock", "connected", "practice", "pull", "reporter"]
