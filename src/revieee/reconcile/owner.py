"""Who works: the places from which control planes serve one data folder, and the names under which they take leases.

A place is a lock that the kernel gives back however its process ends. So whoever held a place before is gone for
certain, also where process numbers and host names say nothing: in a container, or after one was made anew.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from revieee.ports import Fault

PLACES = 2
"""Control planes that serve one data folder at once: one, and the one that follows it or stands by."""
_TRIES, _PAUSE = 20, 0.05
"""A look at whether a place is free holds it for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of a data folder, held by this process."""

    data: Path
    number: int
    """Counts from 1."""
    owner: str
    """Our name in leases: ``<folder>-<place>-<process>-<token>``."""

    def is_dead(self, owner: str) -> bool:
        """Tell whether whoever has that name in leases held a place of this folder and is gone for sure."""
        folder, number = _read(owner)
        if owner == self.owner or folder != _read(self.owner)[0] or not 1 <= number <= PLACES:
            return False
        return number == self.number or is_free(self.data, number)

    @property
    def alone(self) -> bool:
        """Whether no other control plane serves this folder at the moment."""
        return all(is_free(self.data, number) for number in range(1, PLACES + 1) if number != self.number)


@contextlib.contextmanager
def take_place(data: Path) -> Iterator[Place]:
    """Hold one of a data folder's places.

    Args:
        data: the folder, which is there.

    Raises:
        Fault: all are taken.
    """
    for left in reversed(range(_TRIES)):
        for number in range(1, PLACES + 1):
            with _lock(data, number) as lock:
                if _taken(lock):
                    _note(lock)
                    yield Place(data=data, number=number, owner=_name(data, number))
                    return
        time.sleep(_PAUSE if left else 0)
    raise Fault(
        f"{PLACES} `revieee serve` work in {data} already, as many as may. Stop one first, or give this one a folder "
        "of its own (REVIEEE_DATA)."
    )


def is_free(data: Path, number: int) -> bool:
    """Tell whether nobody holds a place."""
    with _lock(data, number) as lock:
        return _taken(lock)


def holders(data: Path) -> Sequence[str]:
    """Name the control planes that serve a data folder, each by its process (empty where it did not say).

    Makes no file. Such looks share a lock: two who look take neither for a control plane.
    """
    found = []
    for number in range(1, PLACES + 1):
        with contextlib.suppress(FileNotFoundError), _file(data, number).open() as lock:
            if not _taken(lock, fcntl.LOCK_SH):
                found.append(lock.read().strip())
    return found


def is_of(data: Path, owner: str) -> bool:
    """Tell whether that name in leases is of this data folder, be it alive or not."""
    return (data / "serve.id").exists() and _read(owner)[0] == _folder(data)


def _note(lock: TextIO) -> None:
    """Say whose place it is, for people."""
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()


def _file(data: Path, number: int) -> Path:
    return data / f"serve.{number}.lock"


def _lock(data: Path, number: int) -> TextIO:
    return _file(data, number).open("a")


def _taken(lock: TextIO, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _name(data: Path, number: int) -> str:
    return f"{_folder(data)}-{number}-{os.getpid()}-{secrets.token_hex(4)}"


def _folder(data: Path) -> str:
    """Give the id of a data folder, made at the first call: hosts may share a database, never a folder."""
    file = data / "serve.id"
    if not file.exists():
        new = data / f"serve.id.{secrets.token_hex(4)}"
        new.write_text(secrets.token_hex(4))
        with contextlib.suppress(FileExistsError):
            os.link(new, file)  # of two that begin at once one wins, and both read the same
        new.unlink()
    return file.read_text(encoding="ascii")


def _read(owner: str) -> tuple[str, int]:
    """Give folder and place out of a name; no place where it is of another form."""
    parts = owner.split("-")
    if len(parts) != 4 or not parts[1].isdecimal():  # noqa: PLR2004 -- as _name writes them
        return "", 0
    return parts[0], int(parts[1])
