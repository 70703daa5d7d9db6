"""Intake with a store of its own, in front of the practice GitHub."""

import json
from dataclasses import dataclass, field

from revieee.clients.github import GitHub
from revieee.forges.github import GitHubForge
from revieee.intake.inbox import Inbox
from revieee.intake.listing import Listing
from revieee.model.delivery import Delivery
from revieee.model.facts import RepositoryFacts
from revieee.model.policy import AdmissionPolicy
from revieee.reconcile.parts import Bell
from revieee.store import environments, wishes
from revieee.store.database import Database
from revieee.testing.github import PracticeGitHub
from revieee.testing.parts import MovingClock


@dataclass(kw_only=True)
class Desk:
    """Takes in what is handed to it, and asks the forge when told to."""

    github: PracticeGitHub
    database: Database
    inbox: Inbox
    listing: Listing
    time: MovingClock
    _heard: int = field(default=0, init=False)

    def know(self, name: str, *, installation: int | None = None) -> RepositoryFacts:
        """Have a repository in the store, as if a delivery had named it."""
        one = RepositoryFacts(id=self.github.repository(name).id, name=name, installation=installation)
        self.database.run_here(lambda session: wishes.record_repository(session, one, now=self.time.now()))
        return one

    async def view(self, name: str) -> int:
        """Hear the ping of a new webhook; gives the repository's id."""
        id_ = self.github.repository(name).id
        await self.hear("ping", {"zen": "", "hook_id": 1, "hook": {}, "repository": {"id": id_, "full_name": name}})
        return id_

    async def hear(self, event: str, payload: object) -> None:
        """Take in a delivery, under an id that was never heard."""
        self._heard += 1
        body = json.dumps(payload).encode()
        await self.inbox.store(Delivery(id=str(self._heard), event=event, body=body, received_at=self.time.now()))
        assert await self.inbox.handle() == 1

    def wanted(self) -> dict[str, bool]:
        """Tell of every environment whether it is wanted."""
        return {str(one.name): one.wanted for one in self.database.run_here(environments.everything)}


def desk_of(github: PracticeGitHub, database: Database, client: GitHub) -> Desk:
    """Make one that speaks to GitHub through a client."""
    time = MovingClock()
    inbox = Inbox(database, AdmissionPolicy(), time, Bell())
    listing = Listing(database, GitHubForge(client), inbox, time, Bell())
    return Desk(github=github, database=database, inbox=inbox, listing=listing, time=time)
