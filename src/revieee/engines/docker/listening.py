"""Where the processes of a container listen, for people whose port nothing listens on."""

from collections.abc import Iterable
from pathlib import Path

_LISTEN = "0A"
_LOOPBACKS = frozenset({"0100007F", "00000000000000000000000001000000"})
_DOCKER_DNS = "0B00007F"  # 127.0.0.11: the engine's own name server in every container
_ADDRESS, _STATE = 1, 3
_MOST = 8


def listening_words(pid: int, container: str, *, proc: Path = Path("/proc")) -> str:
    """Say which ports are open, to follow "nothing listens on port …"; empty where that cannot be seen.

    Args:
        pid: of the container's first process, as this host counts.
        container: its id, which must stand in the process's control group: the engine may be on another host.
        proc: the process file system.
    """
    if pid <= 0:
        return ""
    folder = proc / str(pid)
    try:
        if container not in (folder / "cgroup").read_text():
            return ""
        lines = [line for name in ("tcp", "tcp6") for line in (folder / "net" / name).read_text().splitlines()[1:]]
    except OSError:
        return ""
    return _words(open_ports(lines))


def open_ports(lines: Iterable[str]) -> tuple[frozenset[int], frozenset[int]]:
    """Read lines of ``/proc/net/tcp`` (proc(5)): ports open to all, and those open only inside the container."""
    everywhere: set[int] = set()
    inside: set[int] = set()
    for line in lines:
        fields = line.split()
        if len(fields) > _STATE and fields[_STATE] == _LISTEN:
            address, _, port = fields[_ADDRESS].partition(":")
            if address != _DOCKER_DNS:
                (inside if address in _LOOPBACKS else everywhere).add(int(port, 16))
    return frozenset(everywhere), frozenset(inside - everywhere)


def _words(ports: tuple[frozenset[int], frozenset[int]]) -> str:
    everywhere, inside = ports
    if everywhere:
        return f"; open ports: {', '.join(map(str, sorted(everywhere)[:_MOST]))}"
    if inside:
        listed = ", ".join(map(str, sorted(inside)[:_MOST]))
        return f"; ports open only on the container's own 127.0.0.1: {listed} (listen on 0.0.0.0 instead)"
    return "; no port is open"
