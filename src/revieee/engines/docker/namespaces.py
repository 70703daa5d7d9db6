"""What number this network namespace has for another one: asked of the kernel (rtnetlink(7)), a process at a time.

A list of all namespaces, as lsns(8) makes it, takes a walk through all of /proc, and fails when a process ends on it.
"""

import errno
import os
import socket
import struct

_ASK, _REQUEST, _ERROR = 90, 1, 2
"""RTM_GETNSID, NLM_F_REQUEST and NLMSG_ERROR (linux/rtnetlink.h, linux/netlink.h)."""
_OF_PROCESS = 2
"""NETNSA_PID (linux/net_namespace.h)."""
_HEAD, _GENERAL, _WORD = "=IHHII", "=B3x", "=HHi"
"""A message's head, its general part, and one attribute of four bytes."""
_PATIENCE = 1.0
_MOST = 4096


def number(process: int) -> int | None:
    """Tell by which number links of this network namespace name that of a process.

    None: it has ended, or no link of ours leads there.

    Raises:
        OSError: the kernel does not tell.
    """
    general, asked = struct.pack(_GENERAL, socket.AF_UNSPEC), struct.pack(_WORD, 8, _OF_PROCESS, process)
    size = struct.calcsize(_HEAD) + len(general) + len(asked)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_PATIENCE)
        kernel.send(struct.pack(_HEAD, size, _ASK, _REQUEST, 1, 0) + general + asked)
        answer = kernel.recv(_MOST)
    _, kind, *_ = struct.unpack_from(_HEAD, answer)
    body = answer[struct.calcsize(_HEAD) :]
    if kind == _ERROR:
        problem = -int(struct.unpack_from("=i", body)[0])
        if problem == errno.ESRCH:
            return None
        raise OSError(problem, os.strerror(problem))
    _, _, found = struct.unpack_from(_WORD, body, struct.calcsize(_GENERAL))
    return int(found) if found >= 0 else None
