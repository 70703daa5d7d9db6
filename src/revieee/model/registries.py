"""Registries: which ones the engine may be sent to by what a pull request names.

The engine pulls from the host's own network, behind every wall of ours, and tells in its error what it met there.
"""

import ipaddress
import re
from collections.abc import Collection

_PRIVATE_ENDS = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "private")
"""Last labels that no public registry has (RFC 6761, RFC 6762, and what clouds and offices use)."""
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def registry_of(reference: str) -> str:
    """Give the registry that an image's name leads to, with its port; nothing for the engine's usual one.

    The first part is a host if it has a dot, a colon or capitals, or is ``localhost``
    (https://pkg.go.dev/github.com/distribution/reference).
    """
    first, slash, _ = reference.partition("/")
    named = slash and (any(one in first for one in ".:[") or first == "localhost" or first != first.lower())
    return first if named else ""


def unreachable(reference: str, allowed: Collection[str] = ()) -> str:
    """Tell why an image must not be asked of its registry: it is on this machine, or in a private network.

    A name that leads to a private address without looking like it cannot be told here.

    Args:
        reference: an image's name.
        allowed: registries (``host`` or ``host:port``) that may be asked whatever they are (``REVIEEE_REGISTRIES``).

    Returns:
        Words for people, or nothing.
    """
    registry = registry_of(reference)
    host = registry.rpartition("]")[0].lstrip("[") if "[" in registry else registry.partition(":")[0]
    if not registry or registry.lower() in allowed or host.lower() in allowed or _public(host.lower()):
        return ""
    return (
        f"The image {reference[:200]} is at the registry {registry}, which is this machine or in a private network. "
        "Whoever runs Revieee can allow it with REVIEEE_REGISTRIES."
    )


def _public(host: str) -> bool:
    labels = host.rstrip(".").split(".")
    if ":" in host or _NUMBER.fullmatch(
        labels[-1]
    ):  # an address, in one of the forms that resolvers take (inet_aton(3))
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_global and not address.is_multicast
    return len(labels) > 1 and labels[-1] not in _PRIVATE_ENDS
