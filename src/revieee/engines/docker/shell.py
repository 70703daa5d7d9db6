"""A command in a running container, with this process's terminal.

The Engine API's exec is started over a connection that is upgraded to a plain stream of bytes
(``POST /exec/{id}/start``); with a terminal on both ends nothing is framed.
"""

import asyncio
import os
import shutil
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from revieee.clients.docker import DockerClient, Upgraded
from revieee.engines.docker.output import Frames

_CHUNK = 65536


async def run(client: DockerClient, container: str, command: Sequence[str]) -> int:
    """Run it and give its exit code; keys go to it, what it writes comes here."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    body = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": terminal, "Cmd": list(command)}
    made = await client.call("POST", "containers", container, "exec", body=body)
    name = str(made["Id"])
    async with client.upgrade("exec", name, "start", body={"Detach": False, "Tty": terminal}) as connection:
        with _raw(terminal):
            if terminal:
                size = shutil.get_terminal_size()
                await client.call("POST", "exec", name, "resize", query={"h": size.lines, "w": size.columns})
            await _relay(connection, framed=not terminal)
    return int((await client.call("GET", "exec", name, "json"))["ExitCode"] or 0)


async def _relay(connection: Upgraded, *, framed: bool) -> None:
    """Pass bytes both ways until the command ends."""
    sending = asyncio.create_task(_send(connection))
    frames = Frames()
    try:
        while piece := await connection.read():
            for part in frames.feed(piece) if framed else (piece,):
                sys.stdout.buffer.write(part)
            sys.stdout.flush()
    finally:
        sending.cancel()


async def _send(connection: Upgraded) -> None:
    """Pass on what is typed. Reading blocks, so a thread does it, which ends with the process."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        piece = b"-"
        while piece:
            piece = os.read(sys.stdin.fileno(), _CHUNK)
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

    threading.Thread(target=read, daemon=True).start()
    while piece := await pieces.get():
        await connection.write(piece)
    connection.end()


@contextmanager
def _raw(terminal: bool) -> Iterator[None]:  # noqa: FBT001 - the one thing it is about
    """Let keys through as they are, Ctrl-C included, and give the terminal back as it was."""
    if not terminal:
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
