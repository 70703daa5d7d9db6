"""Real servers for tests: each private, in a folder of its own, ended by its process id."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 20.0


class StartError(Exception):
    """A real part did not start; the words hold the end of its log."""


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def as_user(user: str) -> list[str]:
    """The beginning of a command that runs as `user`, for programs that refuse to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]


def owned_folder(folder: Path, user: str) -> Path:
    """Makes `folder` and gives it to `user`."""
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def program(name: str) -> str:
    """The path of a program that bin/setup --dev installs."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        message = f"there is no {name} on this machine: run bin/setup --dev"
        raise StartError(message)
    return found


@contextmanager
def running(command: Sequence[str], *, ready: Callable[[], bool], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends; begins the block when `ready` says so."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + _START_TIMEOUT
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                message = f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}"
                raise StartError(message)
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
