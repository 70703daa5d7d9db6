"""What the parts of a report share."""

from dataclasses import dataclass

from revieee.clients.github import Repository
from revieee.model.view import View


@dataclass(frozen=True, slots=True)
class Task:
    """Say this on that pull request."""

    repository: Repository
    me: str
    """The login under which we write: what others wrote is never touched."""
    number: int
    view: View
