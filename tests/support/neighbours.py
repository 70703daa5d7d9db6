"""A bridge of builds that is played: a network namespace as the host, others as what sits on its ``docker0``."""

import asyncio
import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

NETWORK, NETWORK_6 = "192.0.2", "2001:db8:1:"
"""Documentation's addresses (RFC 5737, RFC 3849)."""

_HELPER = Path(__file__).with_name("neighbour.py")
_NETWORK_NAMESPACE = 0x40000000
"""CLONE_NEWNET (setns(2))."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Host:
    """The played host."""

    name: str
    bridge: str
    processes: Mapping[int, int]
    """Of members, one each, by their numbers."""

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command on it, and give what it wrote."""
        return _run("ip", "netns", "exec", self.name, *command, stdin=stdin)

    def port(self, number: int) -> str:
        """The port of the bridge that a member has."""
        return f"port{number}"

    def asked(self, number: int, *questions: str) -> list[str]:
        """Have a member ask; gives the questions that were answered.

        A question is ``tcp`` or ``udp``, and who is asked: ``tcp 192.0.2.3``.
        """
        return _inside(_member(self.name, number), "ask", *questions).splitlines()

    def forges(self, number: int, claimed: str, *tags: str) -> None:
        """Have a member tell everyone on the bridge that an address is its own, behind these tags."""
        _inside(_member(self.name, number), "forge", claimed, *tags)

    def deceived(self, number: int, by: int, claimed: int) -> bool:
        """Tell whether a member takes another one for who has a third address."""
        known = _run("ip", "-n", _member(self.name, number), "neigh", "show", address(claimed))
        return self._hardware(by) in known

    def forget(self, number: int) -> None:
        """Have a member, or the host, forget who has which address."""
        name, device = (self.name, self.bridge) if number == 1 else (_member(self.name, number), "eth0")
        _run("ip", "-n", name, "neigh", "flush", "dev", device)

    def gets(self, number: int, sender: int, words: bytes, *tags: str) -> bool:
        """Tell whether a member gets a datagram that another one sends it, behind these tags."""
        return self._gets(self._hardware(number), number, sender, words, tags)

    def gets_by_the_host(self, number: int, sender: int, words: bytes, *tags: str) -> bool:
        """Tell whether a member gets a datagram, behind these tags, that another one hands the host for it."""
        bridge = self.run("cat", f"/sys/class/net/{self.bridge}/address").strip()
        return self._gets(bridge, number, sender, words, tags)

    def _gets(self, receiver: str, number: int, sender: int, words: bytes, tags: Sequence[str]) -> bool:
        given = (receiver, address(sender), address(number), words.decode(), *tags)
        _inside(_member(self.name, sender), "send", *given)
        return _inside(_member(self.name, number), "last") == words.decode()

    def _hardware(self, number: int) -> str:
        """Give a member's hardware address."""
        return _run("ip", "netns", "exec", _member(self.name, number), "cat", "/sys/class/net/eth0/address").strip()


class Inside:
    """An event loop in the network namespace of a played host: whatever it starts is there as well."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[object, object, _T]) -> _T:
        """Have something done in there, and give what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _work(self) -> None:
        with Path(f"/run/netns/{self._host.name}").open() as namespace:
            assert ctypes.CDLL(None).setns(namespace.fileno(), _NETWORK_NAMESPACE) == 0
        self._loop.run_forever()


@contextmanager
def neighbours(*numbers: int, bridge: str = "docker0") -> Iterator[Host]:
    """Play a bridge with these members: each has the address that ends in its number, and answers; so does the host."""
    processes: dict[int, int] = {}
    host = Host(f"rv{bridge}{os.getpid()}", bridge, processes)
    with ExitStack() as stack:
        for name in (host.name, *(_member(host.name, one) for one in numbers)):
            _run("ip", "netns", "add", name)
            stack.callback(_run, "ip", "netns", "del", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        host.run("ip", "link", "add", bridge, "type", "bridge")
        _addressed(host.name, bridge, 1)
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        stack.enter_context(_answering(host.name))
        for one in numbers:
            member = _member(host.name, one)
            link = ("link", "add", host.port(one), "type", "veth", "peer", "name", "eth0", "netns", member)
            host.run("ip", *link)
            host.run("ip", "link", "set", host.port(one), "master", bridge, "up")
            _addressed(member, "eth0", one)
            processes[one] = stack.enter_context(_answering(member))
        yield host


def address(number: int) -> str:
    """Give a member's address; 1 is the host."""
    return f"{NETWORK}.{number}"


def _member(host: str, number: int) -> str:
    return f"{host}n{number}"


def _addressed(namespace: str, device: str, number: int) -> None:
    _run("ip", "-n", namespace, "address", "add", f"{address(number)}/24", "dev", device)
    _run("ip", "-n", namespace, "address", "add", f"{NETWORK_6}:{number}/64", "dev", device, "nodad")
    _run("ip", "-n", namespace, "link", "set", device, "up")


@contextmanager
def _answering(namespace: str) -> Iterator[int]:
    command = ["ip", "netns", "exec", namespace, sys.executable, str(_HELPER), "answer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process.pid
        finally:
            process.kill()


def _inside(namespace: str, *arguments: str) -> str:
    return _run("ip", "netns", "exec", namespace, sys.executable, str(_HELPER), *arguments)


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
