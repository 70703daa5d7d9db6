"""What is beyond this host, played by a network namespace: metadata, private ranges and the internet.

Nothing is sent to an address that is not the test's own: the host has routes to the namespace for as long as it stands.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

METADATA, PRIVATE, CARRIER, INTERNET = "169.254.169.254", "10.99.99.99", "100.64.9.9", "198.51.100.7"
LINK = ("192.168.254.1", "192.168.254.2")
_NAMESPACE = f"rvtest{os.getpid()}"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def serving(folder: Path, port: int, *inside: str) -> Iterator[None]:
    """A web server on all addresses, of the host or (with a command in front) of a namespace."""
    server = subprocess.Popen([*inside, "busybox", "httpd", "-f", "-p", str(port), "-h", str(folder)])
    try:
        yield
    finally:
        server.kill()
        server.wait()


@contextmanager
def played(folder: Path, host: str = "") -> Iterator[None]:
    """A namespace beyond the host that has all the stand-ins' addresses, and servers there on ports 80 and 53.

    Args:
        folder: for what they serve.
        host: the namespace that is the host; empty: this machine.
    """
    (folder / "index.html").write_text("reached")
    veth = f"rvt{os.getpid() % 100_000}"
    here = ("-n", host) if host else ()
    with ExitStack() as stack:
        ip("netns", "add", _NAMESPACE)
        stack.callback(ip, "netns", "del", _NAMESPACE)
        ip(*here, "link", "add", veth, "type", "veth", "peer", "name", "out", "netns", _NAMESPACE)
        stack.callback(ip, *here, "link", "del", veth)  # at once; with its namespace it goes some time later
        ip(*here, "addr", "add", f"{LINK[0]}/30", "dev", veth)
        ip(*here, "link", "set", veth, "up")
        for address in (f"{LINK[1]}/30", *(f"{one}/32" for one in (METADATA, PRIVATE, CARRIER, INTERNET))):
            ip("-n", _NAMESPACE, "addr", "add", address, "dev", "out")
        ip("-n", _NAMESPACE, "link", "set", "out", "up")
        ip("-n", _NAMESPACE, "route", "add", "default", "via", LINK[0])
        for address in (METADATA, PRIVATE, CARRIER, INTERNET):
            ip(*here, "route", "add", f"{address}/32", "via", LINK[1])
            stack.callback(ip, *here, "route", "del", f"{address}/32")
        for port in (80, 53):
            stack.enter_context(serving(folder, port, "ip", "netns", "exec", _NAMESPACE))
        yield


def request(address: str) -> str:
    """Render a request as a line of shell; busybox's own wget cannot be given a time limit where it is static."""
    host, _, port = address.partition(":")
    return f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {host} {port or 80}"
