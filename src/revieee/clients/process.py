"""Child processes that never outlive what they were started for.

A command is a value: an argument list, never a shell's text. Each runs in a session of its own, so that ending it ends
every process it started; a cancelled task ends its command; and the kernel ends the command when this process dies,
``kill -9`` included (``PR_SET_PDEATHSIG``, set by ``setpriv(1)`` between fork and exec because Python code between the
two is not safe in a program with threads).
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Receive = Callable[[bytes], Awaitable[None]]
"""Takes output as it comes."""

_CHUNK = 65536


class TimedOut(Exception):
    """The command was ended because it took longer than its time limit."""


class TooMuchOutput(Exception):
    """The command was ended because it wrote more than its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program to run."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """All that the program sees of the environment; nothing is inherited."""
    folder: Path | None = None
    """Its working folder; None is ours."""
    stdin: bytes = b""
    timeout: float | None = None
    """Seconds."""
    descriptors: tuple[int, ...] = ()
    """Open files of ours that it inherits."""
    grace: float = 1.0
    """Seconds between the request to end (SIGTERM) and the kill of a cancelled command; 0 kills at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended; ``code`` is negative where a signal ended it."""

    code: int
    output: bytes
    errors: bytes

    @property
    def good(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.code == 0


async def run(command: Command, *, limit: int = 64_000_000) -> Ended:
    """Run a command to its end and give what it wrote.

    Args:
        command: what to run.
        limit: the most bytes that it may write to either of its outputs.

    Raises:
        TimedOut: it took longer than ``command.timeout``.
        TooMuchOutput: it wrote more than ``limit``.
        FileNotFoundError: there is no such program.
    """
    async with _started(command, stderr=asyncio.subprocess.PIPE) as process, _within(command.timeout):
        output, errors = await _both_outputs(process, command.stdin, limit)
        return Ended(code=await process.wait(), output=output, errors=errors)


async def stream(command: Command, receive: Receive) -> int:
    """Run a command, hand over what it writes (output and errors in the order they come) and give its exit code.

    Raises:
        TimedOut: it took longer than ``command.timeout``.
        FileNotFoundError: there is no such program.
        Exception: what ``receive`` raised; the command is ended first.
    """
    async with _started(command, stderr=asyncio.subprocess.STDOUT) as process, _within(command.timeout):
        assert process.stdout is not None  # noqa: S101  # asked for above: for the type checker
        feeding = asyncio.create_task(_feed(process, command.stdin))
        try:
            while chunk := await process.stdout.read(_CHUNK):
                await receive(chunk)
            await feeding
        finally:
            feeding.cancel()
        return await process.wait()


@asynccontextmanager
async def _within(seconds: float | None) -> AsyncIterator[None]:
    """Turn a passed deadline into TimedOut."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimedOut(f"took longer than {seconds:g} s") from error


@asynccontextmanager
async def _started(command: Command, *, stderr: int) -> AsyncIterator[asyncio.subprocess.Process]:
    _found(command)
    process = await asyncio.create_subprocess_exec(
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        *command.arguments,
        stdin=asyncio.subprocess.PIPE if command.stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env=dict(command.environment),
        cwd=command.folder,
        start_new_session=True,
        pass_fds=command.descriptors,
        umask=0o022,
    )
    try:
        yield process
    finally:
        await _end(process, command.grace)


def _found(command: Command) -> None:
    """Say at once that a program is missing: through ``setpriv`` it would be an exit code like any other."""
    program = command.arguments[0]
    if shutil.which(program, path=command.environment.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(f"there is no program {program!r}")


async def _end(process: asyncio.subprocess.Process, grace: float) -> None:
    """End every process of the group, and wait for the first one; does nothing where it ended by itself."""
    if process.returncode is not None:
        return
    try:
        if grace:
            _signal(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await _collected(process)
    finally:
        _signal(process.pid, signal.SIGKILL)
        # A second cancellation may come while the killed process is being collected; that takes no time.
        await asyncio.shield(_collected(process))


async def _collected(process: asyncio.subprocess.Process) -> None:
    """Wait for the process: asyncio calls it ended only when its pipes are, so what nobody reads is dropped."""
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    await asyncio.gather(process.wait(), *(_drop(pipe) for pipe in pipes))


async def _drop(reader: asyncio.StreamReader) -> None:
    while await reader.read(_CHUNK):
        pass


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


async def _feed(process: asyncio.subprocess.Process, content: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


async def _both_outputs(process: asyncio.subprocess.Process, stdin: bytes, limit: int) -> tuple[bytes, bytes]:
    """Read output and errors side by side while feeding: a full pipe on any of them would stop the program."""
    assert process.stdout is not None  # noqa: S101  # asked for at the start: for the type checker
    assert process.stderr is not None  # noqa: S101  # as above
    too_much = False
    try:
        async with asyncio.TaskGroup() as tasks:
            output = tasks.create_task(_all_of(process.stdout, limit))
            errors = tasks.create_task(_all_of(process.stderr, limit))
            tasks.create_task(_feed(process, stdin))
    except* TooMuchOutput:
        too_much = True
    if too_much:  # raised here, because inside `except*` it would be wrapped again
        raise TooMuchOutput(f"wrote more than {limit} bytes")
    return output.result(), errors.result()


async def _all_of(reader: asyncio.StreamReader, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := await reader.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise TooMuchOutput
        parts.append(chunk)
    return b"".join(parts)
