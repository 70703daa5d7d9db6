import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from revieee.intake.inbox import Inbox
from revieee.model.delivery import Delivery
from revieee.model.policy import AdmissionPolicy
from revieee.ports import RetryLater
from revieee.reconcile.parts import Bell
from revieee.store import environments
from revieee.store.database import Database
from revieee.testing.parts import MovingClock
from support.storing import opened


class Lost(Database):
    """Its connection is lost at the next commit, which happens all the same."""

    lost = False

    def run_here(self, work: Callable[[Session], Any]) -> Any:  # noqa: ANN401 -- handed through
        result = super().run_here(work)
        if self.lost:
            self.lost = False
            raise RetryLater("The database did not answer: the connection was lost.")
        return result


async def test_a_webhook_that_was_set_up_has_its_open_pull_requests_listed(
    database: Database,
    payload: Any,  # noqa: ANN401 - conftest.py says what it is
) -> None:
    inbox = Inbox(database, AdmissionPolicy(), MovingClock(), Bell())
    document = payload("ping")
    delivery = Delivery(id="1", event="ping", body=json.dumps(document).encode(), received_at=0.0)
    assert await inbox.store(delivery)
    assert await inbox.handle() == 1
    assert inbox.to_list == {document["repository"]["id"]}
    (known,) = await database.run(environments.repositories)
    assert known.name == document["repository"]["full_name"]


async def test_what_is_to_be_listed_outlives_a_connection_that_was_lost_at_the_commit(
    tmp_path: Path,
    payload: Any,  # noqa: ANN401 - conftest.py says what it is
) -> None:
    database = opened(tmp_path, Lost)
    inbox = Inbox(database, AdmissionPolicy(), MovingClock(), Bell())
    document = payload("ping")
    await inbox.store(Delivery(id="1", event="ping", body=json.dumps(document).encode(), received_at=0.0))
    database.lost = True
    with pytest.raises(RetryLater):
        await inbox.handle()
    assert await inbox.handle() == 0, "it was handled"
    assert inbox.to_list == {document["repository"]["id"]}
    database.close()
