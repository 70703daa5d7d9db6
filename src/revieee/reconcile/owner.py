"""Who works: the name under which a process takes leases, and whether a process of such a name is gone for sure."""

import os
import secrets
import socket
from pathlib import Path

_LONGEST_HOST = 32


def own_name() -> str:
    """Make a name for this process: its host, its number, and what tells it from an earlier one of that number."""
    return f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_dead(owner: str, own: str) -> bool:
    """Tell whether the process of that name ran on this host and is there no more.

    A number that was given again counts as alive, so its leases run out by themselves; our own number under another
    name is that of a container's former life.

    Args:
        owner: whose lease it is.
        own: this process's name.
    """
    host, _, rest = owner.rpartition("-")[0].rpartition("-")
    if owner == own or host != _host() or not rest.isdecimal():
        return False
    return int(rest) == os.getpid() or not Path(f"/proc/{rest}").exists()


def _host() -> str:
    return socket.gethostname()[:_LONGEST_HOST]
