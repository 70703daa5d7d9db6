import json
from typing import Any

from revieee.intake.inbox import Inbox
from revieee.model.delivery import Delivery
from revieee.model.policy import AdmissionPolicy
from revieee.reconcile.parts import Bell
from revieee.store import environments
from revieee.store.database import Database
from revieee.testing.parts import MovingClock


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
