"""The walls: one nftables table of our own that keeps containers and build steps in. Pure.

Where it looks, and why there (traps.md, "Engine"): traffic of a container to the host's own addresses takes the input
hook, which Docker's chains do not cover; traffic to anything else is forwarded. Both are met before Docker's rules.
Interfaces are matched by the prefix of our bridges' names, and ``docker0``, on which the steps of builds run; so no
rule names an environment, and none is left when one goes. The bridges of strangers' environments have a longer prefix,
and chains of their own: no private address is open to them, and without internet no name server either, because one
that answers about names out there carries anything. What the host itself sends (the router's requests to
endpoints) takes the output hook and is not touched.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from revieee.engines.docker.names import STRANGER
from revieee.engines.docker.tables import Table

BUILDS = "docker0"
"""The bridge that ``RUN`` steps sit on."""

PRIVATE = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # carrier-grade NAT; some clouds keep services there
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local: cloud metadata
    "172.16.0.0/12",  # private; Docker's own networks
    "192.0.0.0/24",  # protocol assignments
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarks, often used inside
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
)
"""What is not the internet, out of https://www.iana.org/assignments/iana-ipv4-special-registry. The three networks for
documentation are left out: they lead nowhere, except where somebody plays the internet with them."""

PRIVATE_6 = (
    "::/127",  # unspecified, loopback
    "::ffff:0:0/96",  # IPv4 in IPv6
    "64:ff9b::/96",  # IPv4 behind a translator
    "64:ff9b:1::/48",  # the same, inside
    "2002::/16",  # 6to4: IPv4 in IPv6, private addresses too
    "fc00::/7",  # private
    "fe80::/10",  # link-local
    "ff00::/8",  # multicast
)

_ANSWERS = "ct state established,related accept"
_NAMES = "meta l4proto { tcp, udp } th dport 53"
_NO = "reject with icmpx admin-prohibited"
"""An answer of the host's own, so that whoever tries knows at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls(Table):
    """What the table says."""

    family: ClassVar[str] = "inet"

    instance: str
    bridges: str
    """What the names of our bridges begin with."""
    resolvers: tuple[str, ...] = ()
    internet: bool = True
    stranger_internet: bool = False
    allowed: tuple[str, ...] = ()
    """Private addresses and networks that are open all the same."""
    router: tuple[str, int] | None = None
    """The one address and port of the host that containers may reach."""

    def chains(self, mark: str) -> Mapping[str, Sequence[str]]:
        """Give the rules by chain."""
        ours, comment = f'"{self.bridges}*"', f' comment "{mark}"'
        strangers = f'"{self.bridges}{STRANGER}*"'
        online = self.internet and self.stranger_internet
        return {
            "host": self._host(comment, names=self._questions()),
            "away": self._away(comment, names=self._questions(), allowed=self.allowed, internet=self.internet),
            "stranger_host": self._host(comment, names=self._questions() if online else ()),
            "stranger_away": self._away(
                comment, names=self._questions() if online else (), allowed=(), internet=online
            ),
            "input": (
                f"iifname {strangers} goto stranger_host",
                f"iifname {ours} goto host",
                f'iifname "{BUILDS}" goto host',
            ),
            "forward": (
                f"iifname {strangers} goto stranger_away",
                f"iifname {ours} goto away",
                f'iifname "{BUILDS}" goto away',
                f"oifname {ours} ct state != {{ established, related }} {_NO}",
            ),
        }

    def _host(self, comment: str, *, names: Sequence[str]) -> Sequence[str]:
        """From containers to the host itself."""
        rules = [_ANSWERS]
        if self.router is not None:
            host, port = self.router
            rules.append(f"{_family(host)} daddr {host} tcp dport {port} accept")
        return (*rules, *names, f"{_NO}{comment}")

    def _away(self, comment: str, *, names: Sequence[str], allowed: Sequence[str], internet: bool) -> Sequence[str]:
        """From containers to anywhere else."""
        return (
            _ANSWERS,
            # Back out of the bridge it came in by, where the kernel shows us bridged traffic (br_netfilter): containers
            # of one environment, and foreign ones on the bridge of builds, who may there being the other table's.
            "fib daddr . iif oif exists accept",
            f'oifname "{self.bridges}*" {_NO}',
            f'oifname "{BUILDS}" {_NO}',
            *names,
            f"{_NAMES} {_NO}",
            *(f"{family} daddr {{ {listed} }} accept" for family, listed in _by_family(allowed)),
            *(f"{family} daddr {{ {listed} }} {_NO}" for family, listed in _by_family((*PRIVATE, *PRIVATE_6))),
            f"{'accept' if internet else _NO}{comment}",
        )

    def _questions(self) -> Sequence[str]:
        """Names are asked of the listed servers only; Docker's own forwards from inside the container."""
        return [f"{family} daddr {{ {listed} }} {_NAMES} accept" for family, listed in _by_family(self.resolvers)]


def resolvers_of(text: str) -> tuple[str, ...]:
    """Read a ``resolv.conf`` (resolv.conf(5)): the servers that Docker hands to containers.

    Loopback ones are the host's own affair; where there are no others, Docker takes 8.8.8.8 and 8.8.4.4.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                address = ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            if not address.is_loopback:
                found.append(str(address))
    return tuple(dict.fromkeys(found)) or ("8.8.8.8", "8.8.4.4")


def _by_family(networks: Iterable[str]) -> Sequence[tuple[str, str]]:
    """Group addresses and networks the way a set of nftables wants them; names of hosts are no addresses."""
    grouped: dict[str, list[str]] = {}
    for network in networks:
        grouped.setdefault(_family(network), []).append(str(ipaddress.ip_network(network, strict=False)))
    return [(family, ", ".join(dict.fromkeys(listed))) for family, listed in grouped.items()]


def _family(address: str) -> str:
    return "ip" if ipaddress.ip_network(address, strict=False).version == 4 else "ip6"  # noqa: PLR2004 - the protocol's
