"""Why nginx does not start, in words that say what to do."""

import re
from pathlib import Path

PACKAGES = "nginx libnginx-mod-http-lua lua-resty-core"
NOT_INSTALLED = f"Install it: apt-get install {PACKAGES} (or run bin/setup)."
_KNOWN = (
    (
        r"bind\(\) to (\S+) failed \(13",
        "{0} is not ours to listen on: ports below 1024 need root. Set REVIEEE_LISTEN to a higher port.",
    ),
    (
        r"bind\(\) to (\S+) failed \(99",
        "{0} is not an address of this machine. Set REVIEEE_LISTEN to one that is.",
    ),
    (r"dlopen\(\) \"(?:\S*/)?(\S+)\" failed", f"The module {{0}} is missing or of another nginx. {NOT_INSTALLED}"),
    (r"resty\.core", f"Lua's library lua-resty-core is missing. {NOT_INSTALLED}"),
    (
        r"cannot load certificate|SSL_CTX|PEM_read",
        "The TLS certificate or its key is not good: check both files, and that they belong together.",
    ),
)
"""What nginx says, and what to do about it."""
_INSIDE_GONE = (
    "{0}, at which containers reach their own URLs, was taken off this machine's `lo`. A running `revieee serve` puts "
    "it back within 10 s and tries again; if it goes again, find out what removes it."
)
_LISTENING = "0A"
"""TCP_LISTEN as /proc/net/tcp writes it (proc(5))."""


def explain(words: str, *, inside: str | None = None) -> str:
    """Turn what nginx says into what happened and what to do; its own words stay below.

    Args:
        words: nginx's own.
        inside: the address for containers, which is ours to put on this machine and not the operator's.
    """
    advice = _advice(words, inside)
    complaints = [
        entry for entry in words.splitlines() if "[emerg]" in entry or "[error]" in entry
    ] or words.splitlines()
    own = "\n".join(dict.fromkeys(complaints[-5:]))
    return f"nginx cannot start. {advice}\n{own}" if advice else f"nginx cannot start.\n{own}"


def _advice(words: str, inside: str | None) -> str:
    if inside and re.search(rf"bind\(\) to {re.escape(inside)}:\d+ failed \(99", words):
        return _INSIDE_GONE.format(inside)
    if taken := re.search(r"bind\(\) to (\S+?):(\d+) failed \(98", words):
        holder = who_listens(int(taken[2]))
        by = f" by {holder}" if holder else ""
        return f"Port {taken[2]} of {taken[1]} is taken{by}. Stop that, or set REVIEEE_LISTEN to another address."
    for pattern, advice in _KNOWN:
        if found := re.search(pattern, words):
            return advice.format(*found.groups())
    return ""


def who_listens(port: int) -> str:
    """Name the program that listens on a TCP port, as far as we may know."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{columns[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and sockets and _holds(process, sockets):
            name = (process / "comm").read_text().strip()
            return f"{name} (process {process.name})"
    return ""


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(entry.readlink()) in sockets for entry in (process / "fd").iterdir())
    except OSError:
        return False
