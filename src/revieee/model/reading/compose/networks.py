"""``networks``, ``links`` and ``extra_hosts``: under which names services reach each other."""

import ipaddress
import re
from collections.abc import Iterator

from revieee.model.reading.compose.table import NETWORK, NETWORK_OF_SERVICE, survey
from revieee.model.reading.files import Reading
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Mapping

HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")

_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""RFC 1918 and RFC 4193; the engine's own bridges are in them."""


def read_networks(reading: Reading, root: Mapping) -> frozenset[str]:
    """Read the networks of the top level: all become one, the environment's own."""
    networks = reading.values.mapping(root.get("networks"), "`networks`")
    entries = networks.entries if networks else {}
    for name, entry in entries.items():
        survey(
            reading, reading.values.mapping(entry.value, f"Network {quote(name)}"), NETWORK, f"Network {quote(name)}"
        )
    if networks and len(entries) > 1:
        words = "All `networks` become one: every environment has its own network, which all its services share."
        reading.notice(networks.at, words)
    return frozenset({"default", *entries})


def read_aliases(reading: Reading, service: Mapping, declared: frozenset[str]) -> tuple[str, ...]:
    """Read the further names of a service in its networks."""
    networks = reading.values.mapping(service.get("networks"), "`networks` of a service")
    found: list[str] = []
    for name, entry in networks.entries.items() if networks else ():
        if name not in declared:
            words = (
                f"The network {quote(name)} is not declared.{reading.nearest(name, declared)} Add it under `networks:`."
            )
            reading.fault(entry.at, words)
        options = reading.values.mapping(entry.value, f"Network {quote(name)}")
        survey(reading, options, NETWORK_OF_SERVICE, f"Network {quote(name)}")
        for node in reading.values.sequence(options.get("aliases") if options else None, "`aliases`"):
            alias = reading.values.text(node, "An alias")
            if alias is not None and host_name(reading, node.at, alias, "An alias"):
                found.append(alias)
    return tuple(dict.fromkeys(found))


def read_links(reading: Reading, service: Mapping) -> tuple[tuple[str, str, Place], ...]:
    """Read ``links``: (service, alias, place) of each."""
    found: list[tuple[str, str, Place]] = []
    for node in reading.values.sequence(service.get("links"), "`links`"):
        text = reading.values.text(node, "A link")
        if text is not None:
            target, _, alias = text.partition(":")
            if host_name(reading, node.at, alias or target, "A link"):
                found.append((target, alias or target, node.at))
    return tuple(found)


def read_extra_hosts(reading: Reading, service: Mapping) -> tuple[tuple[str, str], ...]:
    """Read names with fixed addresses; those that mean the machine are refused."""
    found: list[tuple[str, str]] = []
    for name, address, at in _hosts(reading, service):
        if host_name(reading, at, name, "`extra_hosts`") and _address(reading, at, name, address):
            found.append((name, address.strip("[]")))
    return tuple(dict.fromkeys(found))


def _hosts(reading: Reading, service: Mapping) -> Iterator[tuple[str, str, Place]]:
    node = service.get("extra_hosts")
    if isinstance(node, Mapping):
        for name, entry in node.entries.items():
            for value in reading.values.one_or_more(entry.value, "`extra_hosts`"):
                yield name, reading.values.text(value, "`extra_hosts`") or "", value.at
    else:
        for item in reading.values.sequence(node, "`extra_hosts`"):
            text = reading.values.text(item, "`extra_hosts`") or ""
            name, equals, address = text.partition("=")
            if not equals:
                name, _, address = text.partition(":")
            yield name.strip(), address.strip(), item.at


def _address(reading: Reading, at: Place, name: str, text: str) -> bool:
    if text == "host-gateway":
        words = f"`extra_hosts`: {quote(name)} points at the machine, which is closed to reviews. Remove it."
        reading.fault(at, words)
        return False
    try:
        address = ipaddress.ip_address("" if "%" in text else text.strip("[]"))  # any text is taken for a zone
    except ValueError:
        reading.fault(at, f"`extra_hosts`: {quote(text)} is no address. Write `name:10.0.0.1`.")
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_unspecified or address.is_multicast:
        reading.fault(at, f"`extra_hosts`: {quote(text)} is closed to reviews. Remove it.")
        return False
    if address.is_loopback:
        reading.notice(at, f"`extra_hosts`: {quote(text)} is the container itself, not the machine.")
    elif any(address in network for network in _PRIVATE if network.version == address.version):
        words = f"`extra_hosts`: {quote(text)} is on the machine or in a private network, which is closed to reviews "
        reading.notice(at, f"{words}unless whoever runs this Revieee opened that address.")
    return True


def host_name(reading: Reading, at: Place, name: str, what: str) -> bool:
    """Check a name that goes into a container's hosts file."""
    if HOST_NAME.fullmatch(name):
        return True
    reading.fault(at, f"{what}: {quote(name)} is no host name. Use letters, digits, `-`, `_` and `.`.")
    return False
