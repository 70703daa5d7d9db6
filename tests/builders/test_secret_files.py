"""Secrets of builds on the real engine: there for the step that asks, and nowhere else."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from builders.conftest import Yard
from revieee.builders.secret_files import secret_files
from support.docker import docker

VALUE = 'hunter22, with = " and $HOME\nand a second line'
STEP = "FROM FRESH\nRUN --mount=type=secret,id=TOKEN sha256sum < /run/secrets/TOKEN; sleep 1\n"


def all_processes() -> Iterator[bytes]:
    """Give the arguments and variables of every process."""
    for place in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                yield (place / name).read_bytes()


async def test_a_step_that_asks_gets_it_and_nothing_keeps_it(yard: Yard) -> None:
    seen: set[bytes] = set()

    async def write(chunk: bytes) -> None:
        await yard.write(chunk)
        seen.update(all_processes())

    request = replace(yard.request(STEP), secrets=(("TOKEN", VALUE), ("OTHER", "unused value")))
    image = await yard.builder().build(request, write)
    assert hashlib.sha256(VALUE.encode()).hexdigest().encode() in yard.output
    assert any(b"--secret=id=TOKEN" in one for one in seen), "the client was looked at while it built"
    assert not any(b"hunter22" in one for one in seen)
    for told in (docker("history", "--no-trunc", image.id), docker("image", "inspect", image.id)):
        assert "hunter22" not in told
    assert not [one for one in yard.folder.parent.rglob("*") if one.is_file() and b"hunter22" in one.read_bytes()]


async def test_a_step_finds_nothing_where_nothing_was_given(yard: Yard) -> None:
    await yard.build("FROM FRESH\nRUN --mount=type=secret,id=TOKEN ls -a /run/secrets 2>&1; echo looked\n")
    assert b"looked" in yard.output
    assert b"TOKEN\n" not in yard.output.replace(b"id=TOKEN", b"")


def test_the_files_go_with_the_block() -> None:
    with secret_files([("A", "hunter22")]) as ((name, descriptor),):
        assert name == "A"
        assert Path(f"/proc/self/fd/{descriptor}").read_text() == "hunter22"
        assert not os.get_inheritable(descriptor)
    assert not Path(f"/proc/self/fd/{descriptor}").exists() or "secret" not in str(
        Path(f"/proc/self/fd/{descriptor}").readlink()
    )
