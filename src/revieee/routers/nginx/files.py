"""What the router keeps in its folder: rights, the configuration, the snapshot, one lock."""

import errno
import grp
import os
import pwd
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from revieee.clients.lock import holding
from revieee.ports import RetryLater
from revieee.routers.nginx.config import Rendered, worker_user
from revieee.routers.nginx.options import RouterOptions
from revieee.routers.nginx.process import CONFIGURATION, LOG

_LARGEST_LOG = 16 * 1024 * 1024
_PATIENCE, _WRITING = 20.0, 2.0
"""Seconds that another process is waited for: when it sets nginx up, when it writes routes."""
_SETTER = "setter"


def prepare_folder(options: RouterOptions) -> None:
    """Make the router's folder with rights such that workers reach the control socket and nobody else does.

    Raises:
        Fault: we are root and there is no user for the workers.
        OSError: the data folder cannot be written.
    """
    user = worker_user(options)
    folder = options.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (folder, folder / "tmp"):
        path.mkdir(mode=0o700, exist_ok=True)
        if user:
            os.chown(path, -1, grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_gid)
        path.chmod(0o710 if user else 0o700)
    private = options.router_socket.parent
    private.mkdir(mode=0o700, exist_ok=True)
    private.chmod(0o700)


def write_configuration(options: RouterOptions, rendered: Rendered, name: str = CONFIGURATION) -> None:
    """Write the configuration's files, then the file that names them."""
    for path, text in rendered.files.items():
        file = options.folder / path
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(text)
    replace(options.folder / name, rendered.configuration)


def drop_old_configurations(options: RouterOptions, rendered: Rendered) -> None:
    """Remove what no running nginx reads any more."""
    for path in options.folder.glob("configuration-*"):
        if path.name != rendered.folder:
            shutil.rmtree(path, ignore_errors=True)


def drop_stale_sockets(options: RouterOptions) -> None:
    """Remove the socket that a killed nginx left; a new one could not bind to it."""
    options.router_socket.unlink(missing_ok=True)


def replace(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old text or the new one."""
    new = path.with_name(f"{path.name}.new-{os.getpid()}")
    new.write_text(text)
    new.replace(path)


def append(path: Path, text: str) -> None:
    """Add lines to a file; one write, so lines of two writers do not mix. Where the disk is full, half a line is none.

    Raises:
        OSError: nothing was added.
    """
    with path.open("ab", buffering=0) as file:
        begin, data = file.tell(), text.encode()
        if file.write(data) != len(data):  # a full disk takes a part
            file.truncate(begin)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def rotate_log(options: RouterOptions) -> bool:
    """Put a large error log aside; gives whether nginx has to open a new one."""
    log = options.folder / LOG
    if not log.exists() or log.stat().st_size < _LARGEST_LOG:
        return False
    log.replace(log.with_name(f"{LOG}.1"))
    return True


@asynccontextmanager
async def only_one(options: RouterOptions) -> AsyncIterator[None]:
    """Keep two control planes from starting nginx in the same folder at once; the second one waits for its turn.

    Raises:
        RetryLater: another one is at it for long.
    """
    async with holding(options.folder / "lock", patience=_PATIENCE) as (lock, _):
        if lock is None:
            raise RetryLater(f"Another process is setting up nginx in {options.folder}.", delay=1)
        yield


@asynccontextmanager
async def writing(options: RouterOptions) -> AsyncIterator[None]:
    """Be the only one who gives nginx and the snapshot the same; one that hangs at it is not waited for.

    What it leaves in the snapshot is put right by the next comparison.
    """
    if not options.folder.is_dir():
        yield  # there is no nginx, which whoever asks is told
        return
    async with holding(options.folder / "routes.lock", patience=_WRITING):
        yield


def is_setter(options: RouterOptions, owner: str) -> bool:
    """Tell whether the nginx that runs is configured by that process: the one that was started last."""
    try:
        return (options.folder / _SETTER).read_text() == owner
    except OSError:
        return False


def become_setter(options: RouterOptions, owner: str) -> None:
    """Write down who configures nginx."""
    replace(options.folder / _SETTER, owner)
