"""The drain limit holds whatever a newer release waits for: what drains has the very room that is missing."""

import asyncio
from pathlib import Path

import pytest

from revieee.model.policy import Policy
from revieee.ports import RetryLater
from support.outside import Outside, Process, commit, files, pull_request
from support.settling import first_live
from support.stage import on_stage


def push(around: Outside, process: Process, head: int) -> None:
    around.source.commits[commit(head)] = files(head)
    around.hear(pull_request(head=head, after=head))
    process.bell.hint()


@pytest.mark.parametrize("reason", ["disk is full", "forge fails", "forge hangs"])
def test_the_drain_limit_holds_while(tmp_path: Path, reason: str) -> None:
    async def main(around: Outside) -> None:
        around.policy = Policy()
        process = await first_live(around)
        live = around.everything()[1].live
        assert live is not None
        around.router.requests = {endpoint: 1 for _, endpoint in live.endpoints}
        push(around, process, 2)
        await asyncio.sleep(10)
        assert around.everything()[1].draining
        match reason:
            case "disk is full":
                around.world.free = 10**6
            case "forge fails":
                around.source.fault = RetryLater("The forge did not answer.")
            case _:
                around.source.gate = asyncio.Event()
        await asyncio.sleep(around.policy.pace.tick + 1)
        push(around, process, 3)
        await asyncio.sleep(around.policy.pace.drain_limit)
        environment = around.everything()[1]
        assert not environment.draining
        assert environment.live is not None
        assert environment.live.commit == commit(2)
        assert live.keys.isdisjoint(
            {str(row["key"]) for row in around.world.read("SELECT key FROM containers")} - environment.live.keys
        )

        around.world.free, around.source.fault, around.source.gate = 10**12, None, None
        await asyncio.sleep(around.policy.pace.last_retry)
        await process.stop()

    on_stage(tmp_path, main)
