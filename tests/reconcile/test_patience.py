"""Time that passed counts, whatever the clock on the wall is set to."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from revieee.engines.memory import Behaviour
from revieee.model.phases import Phase
from support.outside import Outside, Process, commit, files, pull_request
from support.stage import on_stage

HOUR = 3600.0


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("slow", [{"deploy": "'slow hook'"}, {"db": "slower"}], ids=["hook", "start"])
def test_a_clock_that_is_set_ends_no_start_and_no_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: Mapping[str, str], hours: int
) -> None:
    async def main(around: Outside) -> None:
        around.world.script("slow hook", Behaviour(exits=0, exits_after=12.0))
        around.source.commits[commit(1)] = files(1, **slow)
        around.hear(pull_request())
        process = Process(around)
        process.start()

        def there() -> bool:
            release = around.everything()[1].next
            return release is not None and release.phase is Phase.PREPARING

        for _ in range(600):
            if there():
                break
            await asyncio.sleep(0.1)
        assert there()
        await asyncio.sleep(1)
        unix = around.loop.unix
        monkeypatch.setattr(around.loop, "unix", lambda: unix() + hours * HOUR)
        await asyncio.sleep(20)
        assert around.everything()[1].live is not None
        await process.stop()

    on_stage(tmp_path, main)
