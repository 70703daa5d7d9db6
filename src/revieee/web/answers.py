"""Answers to nginx's and visitors' questions, out of the store."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from revieee.model.route import Route
from revieee.model.telling import view_of
from revieee.model.view import View
from revieee.ports import RetryLater
from revieee.store import environments, inbox, releases, reports, routes
from revieee.store.database import Database
from revieee.web.questions import Figures


class Answers:
    """:class:`revieee.web.questions.Questions` over the store."""

    def __init__(self, database: Database, *, instance: str, base_url: str) -> None:
        self._database, self._instance, self._base_url = database, instance, base_url

    async def route(self, hostname: str) -> Route | None:
        """Give a host's route."""
        found = await self._database.read(lambda session: routes.find(session, hostname))
        return found[0] if found else None

    async def view(self, hostname: str) -> View | None:
        """Give the environment that a host belongs to."""
        found = await self._database.read(lambda session: routes.find(session, hostname))
        if found is None:
            return None
        environment = await self._database.read(lambda session: releases.load(session, found[1]))
        return view_of(environment, instance=self._instance, base_url=self._base_url)

    async def environments(self) -> int:
        """Count the environments that are there or on their way."""
        return await self._database.read(environments.count)

    async def figures(self) -> Figures:
        """Count what an operator watches."""
        return await self._database.read(_figures)

    async def ready(self) -> Sequence[str]:
        """Tell what keeps us from working."""
        try:
            await self._database.read(environments.count)
        except RetryLater as error:
            return [str(error)]
        return []


def _figures(session: Session) -> Figures:
    return {
        "environments": ("Environments that are there or on their way.", {"present": environments.count(session)}),
        "releases": ("Releases that have not ended, by phase.", releases.phases(session)),
        "deliveries": ("Deliveries that are stored and not handled yet.", {"waiting": inbox.waiting(session)}),
        "reports": ("Reports that did not get through to the forge.", {"late": len(reports.problems(session))}),
    }
