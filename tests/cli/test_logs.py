"""``revieee logs``: the last lines, and no part of a secret that the cut left without its beginning."""

import base64
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from revieee.cli.logs import _Form, _services, _stored
from revieee.ports import Engine, Placement
from revieee.store import logs
from support.reconciling import facts, plane

SECRET = "a short secret, not to be shown"
LONG = "\n".join(base64.b64encode(bytes([n] * 48)).decode() for n in range(50))


class Printed:
    """An engine of one container that printed this."""

    def __init__(self, text: str) -> None:
        self.lines = [f"{line}\n".encode() for line in text.split("\n")]

    async def logs(self, _placement: Placement, _key: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
        for line in self.lines[-tail:]:
            yield line
        if follow:
            yield b"and goes on\n"

    async def close(self) -> None:
        pass


async def printed(text: str, capsys: pytest.CaptureFixture[str], *, tail: int, follow: bool = False) -> list[str]:
    engine = cast("Engine", Printed(text))
    placement = Placement(instance="i", environment=1, incarnation=1, name="acme/shop#1")
    form = _Form(tail=tail, follow=follow, as_json=False, secrets=(SECRET, LONG))
    await _services(engine, placement, {"web-1": "web"}, form)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("follow", [False, True])
async def test_the_last_lines_are_printed(capsys: pytest.CaptureFixture[str], *, follow: bool) -> None:
    found = await printed("one\ntwo\nthree\nfour", capsys, tail=2, follow=follow)
    assert found == ["three", "four", *(["and goes on"] if follow else [])]
    assert await printed("one\ntwo", capsys, tail=5) == ["one", "two"]


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("tail", [1, 2, 30])
async def test_a_secret_that_began_before_the_last_lines_is_masked(
    capsys: pytest.CaptureFixture[str], tail: int, *, follow: bool
) -> None:
    found = "\n".join(await printed(f"x\n{SECRET[:9]}\n{SECRET[9:]}\nlast", capsys, tail=tail, follow=follow))
    assert SECRET[9:] not in found
    encoded = base64.encodebytes(LONG.encode()).decode().strip()
    found = "\n".join(await printed(f"x\n{encoded}", capsys, tail=tail, follow=follow))
    assert encoded.split("\n")[-1][:8] not in found
    assert "***" in found


async def test_what_was_stored_in_pieces_is_masked_and_cut_into_lines_as_a_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = plane(tmp_path)
    release = (await made.settle(facts())).live
    assert release is not None
    pieces = [("build a", f"one {SECRET[:9]}"), ("build b", "other\n"), ("build a", f"{SECRET[9:]} end")]
    for stage, text in pieces:
        made.database.run_here(partial(logs.append, release_id=release.id, stage=stage, data=text.encode(), now=1))
    _stored(made.database, release, _Form(tail=50, follow=False, as_json=False, secrets=(SECRET,)))
    made.database.close()
    assert capsys.readouterr().out.splitlines()[-2:] == ["build b | other", "build a | one *** end"]
