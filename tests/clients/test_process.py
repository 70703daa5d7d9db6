import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from revieee.clients.process import Command, TimedOut, TooMuchOutput, run, stream
from support.waiting import eventually

SEEN = {"PATH": os.environ["PATH"]}


def shell(script: str, **more: object) -> Command:
    return Command(arguments=("sh", "-c", script), environment=SEEN, **more)  # type: ignore[arg-type]  # as given


def alive(process: int) -> bool:
    """Whether it runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_output_errors_and_exit_code() -> None:
    ended = await run(shell("echo out; echo err >&2; exit 3"))

    assert (ended.output, ended.errors, ended.code, ended.good) == (b"out\n", b"err\n", 3, False)


async def test_input_larger_than_a_pipe() -> None:
    ended = await run(Command(arguments=("cat",), environment=SEEN, stdin=b"x" * 1_000_000))

    assert len(ended.output) == 1_000_000


async def test_a_program_that_does_not_read_its_input() -> None:
    assert (await run(Command(arguments=("true",), environment=SEEN, stdin=b"x" * 1_000_000))).good


async def test_nothing_of_our_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")

    assert b"SECRET" not in (await run(Command(arguments=("env",), environment=SEEN))).output


async def test_an_argument_is_never_a_shells() -> None:
    ended = await run(Command(arguments=("printf", "%s", "$(id); `id` 'x' \n"), environment=SEEN))

    assert ended.output == b"$(id); `id` 'x' \n"


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        await run(Command(arguments=("no-such-program",), environment=SEEN))


async def test_output_comes_as_it_is_written() -> None:
    first = asyncio.Event()

    async def receive(chunk: bytes) -> None:
        assert chunk == b"first\n"
        first.set()

    streaming = asyncio.create_task(stream(shell("echo first; exec sleep 60"), receive))
    await asyncio.wait_for(first.wait(), 10)
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming


async def test_a_receiver_that_fails_ends_the_program() -> None:
    async def receive(chunk: bytes) -> None:
        raise ValueError(chunk.decode())

    with pytest.raises(ValueError, match="x") as caught:
        await stream(shell("echo $$ x; exec sleep 60"), receive)

    assert not alive(int(str(caught.value).split()[0]))


async def test_the_time_limit() -> None:
    with pytest.raises(TimedOut, match=r"longer than 0\.1 s"):
        await run(shell("sleep 60", timeout=0.1))


async def test_the_output_limit() -> None:
    with pytest.raises(TooMuchOutput, match="1000 bytes"):
        await run(Command(arguments=("yes",), environment=SEEN), limit=1000)


async def test_output_that_nobody_reads_any_more_keeps_nobody_waiting() -> None:
    async def enough(_: bytes) -> None:
        await asyncio.sleep(0.3)  # the pipe and the reader fill up meanwhile
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await asyncio.wait_for(stream(Command(arguments=("yes",), environment=SEEN), enough), 10)


@pytest.mark.parametrize("grace", [0.0, 0.1])
async def test_cancelling_ends_every_process_of_the_command(grace: float) -> None:
    """Also those that ignore being asked."""
    started: asyncio.Queue[bytes] = asyncio.Queue()
    command = shell("trap '' TERM; sleep 60 & echo $$ $!; wait", grace=grace)
    streaming = asyncio.create_task(stream(command, started.put))
    processes = [int(number) for number in (await started.get()).split()]

    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming

    assert eventually(lambda: not any(alive(one) for one in processes))


async def test_a_program_may_tidy_up_when_it_is_cancelled(tmp_path: Path) -> None:
    started: asyncio.Queue[bytes] = asyncio.Queue()
    command = shell(f"trap 'touch {tmp_path}/tidy; exit' TERM; echo up; while :; do sleep 0.02; done", grace=5)
    streaming = asyncio.create_task(stream(command, started.put))
    await started.get()

    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming

    assert (tmp_path / "tidy").exists()


PARENT = """
import asyncio, os
from revieee.clients.process import Command, stream

async def receive(chunk):
    print(chunk.decode(), end="", flush=True)

command = Command(arguments=("sh", "-c", "echo $$; exec sleep 60"), environment={"PATH": os.environ["PATH"]})
asyncio.run(stream(command, receive))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_we_die_the_command_dies(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)

        parent.send_signal(number)

        assert eventually(lambda: not alive(child))
