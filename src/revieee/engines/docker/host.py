"""The one address of the host that containers may reach: where the router answers for their own public URLs."""

import socket

from revieee.clients.process import Command, TimedOut, run
from revieee.model.policy import EngineOptions
from revieee.ports import Fault

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_TIMEOUT = 10.0
_DEVICE = "lo"
"""An address of the loopback interface is the host's own on every bridge, and leaves with the machine's restart."""


async def lend_address(options: EngineOptions) -> None:
    """Give the host the address at which containers reach the router; again and again changes nothing.

    Raises:
        Fault: it cannot be given, mostly for want of rights.
    """
    if options.router is None or not options.walls:
        return
    address = f"{options.router.host}/32"
    command = Command(
        arguments=("ip", "address", "replace", address, "dev", _DEVICE), environment={"PATH": _PATH}, timeout=_TIMEOUT
    )
    try:
        ended = await run(command)
    except (TimedOut, OSError) as error:
        raise Fault(f"The address {address} could not be given to this host: {error}. Is `ip` installed?") from error
    if not ended.good:
        words = ended.errors.decode(errors="replace").strip()
        raise Fault(
            f"The address {address}, at which containers reach their own URLs, could not be given to this host: "
            f"{words}. Run Revieee as root, or set REVIEEE_WALLS=false where something else keeps containers in."
        )


def is_lent(options: EngineOptions) -> bool:
    """Whether the host has the address, where it is to have one."""
    if options.router is None or not options.walls:
        return True
    with socket.socket() as probe:
        try:
            probe.bind((options.router.host, 0))
        except OSError:
            return False
    return True


async def take_address_back(options: EngineOptions) -> None:
    """Take the address away again, if it is there."""
    if options.router is not None and options.walls:
        address = f"{options.router.host}/32"
        arguments = ("ip", "address", "del", address, "dev", _DEVICE)
        await run(Command(arguments=arguments, environment={"PATH": _PATH}, timeout=_TIMEOUT))
