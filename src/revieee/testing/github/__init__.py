r"""The practice GitHub: REST, git over HTTP, signed webhooks, apps and faults on demand, in one process.

    async with PracticeGitHub(folder) as github:
        await github.create_repository(NewRepository("acme/shop", {"Dockerfile": "FROM scratch\n"}))
        await github.commit("acme/shop", "feature", {"index.html": "new"})
        pull = await github.open_pull_request("acme/shop", "feature", "A new page")

It knows nothing of Revieee and behaves as GitHub's documentation says, so that whoever talks to GitHub can be tested
here. `python -m revieee.testing.github` runs it as a command.
"""

from revieee.testing.github.apps import NewApp
from revieee.testing.github.auth import ApiError
from revieee.testing.github.faults import Asked, Fault, FaultKind, Faults
from revieee.testing.github.git import FileContent, GitFailed, GitFile
from revieee.testing.github.hub import DefaultHook
from revieee.testing.github.practice import Opening, PracticeGitHub, Settings
from revieee.testing.github.pulls import Edit
from revieee.testing.github.repositories import NewRepository
from revieee.testing.github.state import (
    App,
    Comment,
    CommitStatus,
    Deployment,
    DeploymentStatus,
    Hook,
    Installation,
    PullRequest,
    Repository,
    User,
)
from revieee.testing.github.webhooks import Delivery, Webhooks

__all__ = [
    "ApiError",
    "App",
    "Asked",
    "Comment",
    "CommitStatus",
    "DefaultHook",
    "Delivery",
    "Deployment",
    "DeploymentStatus",
    "Edit",
    "Fault",
    "FaultKind",
    "Faults",
    "FileContent",
    "GitFailed",
    "GitFile",
    "Hook",
    "Installation",
    "NewApp",
    "NewRepository",
    "Opening",
    "PracticeGitHub",
    "PullRequest",
    "Repository",
    "Settings",
    "User",
    "Webhooks",
]
