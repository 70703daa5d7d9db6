"""The wall between neighbours on the bridge of builds: one nftables table of the bridge family. Pure.

What goes from one port of a bridge to another is not routed, so the other table does not meet it (where the kernel
shows it all the same, it cannot tell it from what is). The steps of builds may forge addresses, so what may pass is
told by ports, whose names no container chooses: between the foreign containers' all passes, and nothing else does.

Nobody is there to say that a new foreign container came once Revieee has ended; its builds end with it. So the table
lets everything pass when nobody renewed it for :data:`LASTS`; also where Revieee hangs that long and a build runs on.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from revieee.engines.docker.tables import Table
from revieee.engines.docker.walls import BUILDS

LASTS = 120
"""Seconds that the table closes anything after it was loaded."""

WATCHED = "watched"
"""The set that is empty when the table lasted long enough."""

FOREIGN = "foreign"
"""The set of ports that lead to foreign containers."""

_TAGS = ("0x8100", "0x88a8")
"""IEEE 802.1Q and 802.1ad, by number: not every nft has names for both."""
_KINDS = ("ip", "ip6", "arp", *_TAGS)
_TAGGED = f"meta protocol {{ {', '.join(_TAGS)} }} @nh,4,12 0"
"""A second tag, of VLAN 0. The kernel took the first one off, and the receiver would this one, to find anything at all
behind it. What has another VLAN in it is for no container that has no device of that VLAN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridged(Table):
    """What the table says."""

    family: ClassVar[str] = "bridge"

    instance: str
    named: bool = True
    """Whether this kernel tells the bridge of a frame (``NFT_BRIDGE_META``); else its addresses tell."""
    addresses: tuple[str, ...] = ()
    """The host's on the bridge, with the lengths of their networks."""
    foreign: tuple[str, ...] = ()
    """The ports that lead to containers which are not ours."""
    allowed: tuple[str, ...] = ()
    """Addresses and networks of foreign containers that are open to builds all the same."""

    def sets(self) -> Sequence[str]:
        """Give what is so now: until when the table closes anything, the bridge's addresses, and its foreign ports."""
        interfaces = [ipaddress.ip_interface(one) for one in self.addresses]
        four = [one for one in interfaces if isinstance(one, ipaddress.IPv4Interface)]
        six = [one for one in interfaces if isinstance(one, ipaddress.IPv6Interface)]
        inside = {
            "ip": [str(one) for one in ipaddress.collapse_addresses(one.network for one in four)],
            "ip6": [str(one) for one in ipaddress.collapse_addresses(one.network for one in six)],
        }
        host = {"ip": [str(one.ip) for one in four], "ip6": [str(one.ip) for one in six]}
        kinds = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}
        return (
            self._watched(),
            _set(FOREIGN, "ifname", [f'"{port}"' for port in self.foreign]),
            *(_set(f"inside_{family}", f"{kinds[family]}; flags interval", inside[family]) for family in kinds),
            *(_set(f"host_{family}", kinds[family], host[family]) for family in kinds),
        )

    def chains(self, mark: str) -> Mapping[str, Sequence[str]]:
        """Give the rules by chain; what a build sends to the host for another port is closed on its way in."""
        comment, told = f' comment "{mark}"', "meta ibrname" if self.named else "meta protocol"
        unwatched = f"{told} != @{WATCHED} accept"
        ways = (f"{told} @{WATCHED}",) if self.named else (_TAGGED, *self._ends())
        return {
            "neighbours": (f"iifname @{FOREIGN} oifname @{FOREIGN} accept", *self._allowed(), f"drop{comment}"),
            "forward": (*(() if self.named else (unwatched,)), *(f"{one} goto neighbours" for one in ways)),
            "input": (
                unwatched,
                f"iifname @{FOREIGN} accept",
                f"{_TAGGED} drop{comment}",
                *(
                    f"{begin}{family} daddr @inside_{family} {family} daddr != @host_{family} drop{comment}"
                    for family in ("ip", "ip6")
                    for begin in ["" if self.named else f"{family} saddr @inside_{family} "]
                ),
            ),
        }

    def _watched(self) -> str:
        """Write what is watched for as long as it lasts: the bridge, or all kinds of frames that are told apart."""
        kind, held = ("ifname", (f'"{BUILDS}"',)) if self.named else ("ether_type", _KINDS)
        return _set(WATCHED, f"{kind}; flags timeout", [f"{one} timeout {LASTS}s" for one in held])

    def _ends(self) -> Iterable[str]:
        """Tell frames on the bridge of builds from those on others, by who is inside."""
        ends = [(f"{family} {end}", f"inside_{family}") for family in ("ip", "ip6") for end in ("saddr", "daddr")]
        ends += [(f"arp {end} ip", "inside_ip") for end in ("saddr", "daddr")]
        return [f"{end} @{inside}" for end, inside in ends]

    def _allowed(self) -> Iterable[str]:
        """Between builds and foreign containers; what answers, is known by its port as well."""
        four = [one for one in self.allowed if ipaddress.ip_network(one, strict=False).version == 4]  # noqa: PLR2004 - the protocol's
        if not four:
            return ()
        open_ = ", ".join(str(ipaddress.ip_network(one, strict=False)) for one in dict.fromkeys(four))
        return [
            f"{port} @{FOREIGN} {address} {{ {open_} }} accept"
            for kind in ("ip {}", "arp {} ip")
            for port, address in (("oifname", kind.format("daddr")), ("iifname", kind.format("saddr")))
        ]


def _set(name: str, kind: str, elements: Iterable[str]) -> str:
    """Write a set; an empty one has no elements at all."""
    held = ", ".join(elements)
    return f"set {name} {{\ntype {kind};\n{f'elements = {{ {held} }}' if held else ''}\n}}\n"
