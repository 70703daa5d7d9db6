"""The proof that nothing is left: what an environment has on the engine, in the firewall, in nginx; counted twice."""

import asyncio
import ipaddress
import re
from dataclasses import dataclass

from revieee.testing.serving import ControlPlane, call, docker

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_ADDRESS = re.compile(rf"(?<![\d.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\d.])")


@dataclass(frozen=True, slots=True)
class Marks:
    """By what the environment is known where labels do not reach."""

    subnet: str
    bridge: str


async def marks(plane: ControlPlane) -> Marks:
    """Read the subnet and the bridge of the one environment that is there."""
    networks = (await plane.left())["networks"]
    form = '{{(index .IPAM.Config 0).Subnet}} {{index .Options "com.docker.network.bridge.name"}}'
    (line,) = await docker("network", "inspect", f"--format={form}", "--", *networks[:1])
    subnet, _, bridge = line.partition(" ")
    return Marks(subnet, bridge)


async def count(plane: ControlPlane, known: Marks) -> dict[str, int]:
    """Count what there is, by words for people."""
    left, routes, rules, bridges = await asyncio.gather(
        plane.left(), plane.routes(), _rules(known), call("ip", "-brief", "link", "show")
    )
    counted = {kind.capitalize(): len(names) for kind, names in left.items()}
    counted["Bridges of the host"] = sum(line.startswith(known.bridge) for line in bridges.out.splitlines())
    counted["Firewall rules that name it"] = rules
    counted["Routes in nginx"] = len(routes)
    return counted


async def _rules(known: Marks) -> int:
    """Count the lines of all tables in which the environment's bridge or an address of its subnet stands."""
    asked = (("nft", "list", "ruleset"), ("iptables-save",), ("iptables-legacy-save",))
    ended = await asyncio.gather(*(call(*command) for command in asked))
    lines = {line.strip() for one in ended for line in one.out.splitlines()}
    return sum(names(line, known) for line in lines)


def names(line: str, known: Marks) -> bool:
    """Tell whether a rule is about the environment."""
    network = ipaddress.ip_network(known.subnet)
    return known.bridge in line or any(ipaddress.ip_address(one) in network for one in _ADDRESS.findall(line))
