"""One member of a played bridge, a program of its own: answers, asks and forges. Takes what to do as arguments."""

import contextlib
import select
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

PORT = 8000
_PATIENCE = 0.7
"""Seconds that an answer may take: what is dropped is told by silence."""
_IP, _ARP = 0x0800, 0x0806
_EVERYONE = b"\xff" * 6


def answer() -> None:
    """Answer TCP and UDP, both families, with the last datagram that came."""
    listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    datagrams.bind(("::", PORT))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    got = b"nothing"
    while True:
        for one in select.select([listener, datagrams], [], [])[0]:
            if one is listener:
                connection = listener.accept()[0]
                connection.sendall(got)
                connection.close()
            else:
                got, sender = datagrams.recvfrom(100)
                datagrams.sendto(got, sender)


def ask(question: str, answered: list[str]) -> None:
    """Ask one question, and note it if there is an answer."""
    how, address = question.split()
    with contextlib.suppress(OSError):
        if how == "tcp":
            with socket.create_connection((address, PORT), timeout=_PATIENCE) as connection:
                connection.recv(100)
        elif how == "udp":
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as asking:
                asking.settimeout(_PATIENCE)
                asking.connect((address, PORT))
                asking.send(b"hello")
                asking.recv(100)
        answered.append(question)


def forge(claimed: str, *tags: str) -> None:
    """Claim an address: to all, unasked (ARP, RFC 826)."""
    own, address = _own(), socket.inet_aton(claimed)
    body = struct.pack("!HHBBH", 1, _IP, 6, 4, 2) + own + address + own + address
    _send(_EVERYONE, _ARP, body, tags)


def send(receiver: str, sender: str, address: str, words: str, *tags: str) -> None:
    """Send a datagram for an address to a hardware address, the host's for it to be routed back (RFC 791, RFC 768)."""
    udp = struct.pack("!HHHH", 9, PORT, 8 + len(words), 0) + words.encode()
    ends = socket.inet_aton(sender) + socket.inet_aton(address)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    _send(bytes.fromhex(receiver.replace(":", "")), _IP, head + udp, tags)


def _own() -> bytes:
    return bytes.fromhex(Path("/sys/class/net/eth0/address").read_text().strip().replace(":", ""))


def _send(receiver: bytes, kind: int, body: bytes, tags: Sequence[str]) -> None:
    """Send a frame, behind these tags (IEEE 802.1Q): each its type and its VLAN in hexadecimal, the outermost first."""
    tagged = bytes.fromhex("".join(tags))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        raw.send(receiver + _own() + tagged + struct.pack("!H", kind) + body)


def _checksum(head: bytes) -> int:
    total = sum(int(word) for word in struct.unpack("!10H", head))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def main(what: str, *rest: str) -> None:
    """Do what the arguments say."""
    if what == "answer":
        answer()
    elif what == "forge":
        forge(*rest)
    elif what == "send":
        send(*rest)
    elif what == "last":
        with socket.create_connection(("127.0.0.1", PORT)) as own:
            sys.stdout.write(own.recv(100).decode())
    else:
        answered: list[str] = []
        threads = [threading.Thread(target=ask, args=(one, answered)) for one in rest]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        sys.stdout.write("".join(f"{one}\n" for one in rest if one in answered))


if __name__ == "__main__":
    main(*sys.argv[1:])
