"""Routes as lines: what goes over nginx's socket, and what lies in its snapshot."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from revieee.model.route import Endpoint, Route, RouteState
from revieee.ports import Refused

_HOSTNAME = re.compile(r"[a-z0-9.-]{1,253}")
_NOWHERE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the router knows of one host."""

    state: str
    version: int


def line(route: Route) -> str:
    """Write a route as ``<host> <state> <endpoint or -> <version>`` and a newline.

    Raises:
        Refused: a hostname or address that may not stand in a line; both can come from a pull request.
    """
    if not _HOSTNAME.fullmatch(route.hostname):
        raise Refused(f"{route.hostname!r} cannot be a hostname: only a-z, 0-9, - and dots.")
    if route.state is RouteState.UP and route.endpoint is None:
        raise Refused(f"The route of {route.hostname} is up, but has no endpoint.")
    if route.version < 0:
        raise Refused(f"The route of {route.hostname} has the version {route.version}; they begin at 0.")
    endpoint = _endpoint(route.endpoint) if route.endpoint else _NOWHERE
    return f"{route.hostname} {route.state.value} {endpoint} {route.version}\n"


def forget_line(hostname: str, version: int) -> str:
    """Write the line that makes the router forget a host, if it still has this version."""
    return f"{hostname} forget {_NOWHERE} {version}\n"


def _endpoint(endpoint: Endpoint) -> str:
    try:
        address = ipaddress.ip_address(endpoint.host)
    except ValueError as error:
        raise Refused(f"{endpoint} is not an endpoint: the host has to be an IP address.") from error
    if not 0 < endpoint.port < 2**16:
        raise Refused(f"{endpoint} is not an endpoint: there is no port {endpoint.port}.")
    return f"[{address}]:{endpoint.port}" if address.version == 6 else f"{address}:{endpoint.port}"  # noqa: PLR2004 - the protocol's name


def read_table(text: str) -> Mapping[str, Known]:
    """Read the router's whole table."""
    table = {}
    for entry in text.splitlines():
        host, state, _, version = entry.split(" ")
        table[host] = Known(state=state, version=int(version))
    return table


def read_open(text: str) -> Mapping[Endpoint, int]:
    """Read open requests per endpoint."""
    counts = {}
    for entry in text.splitlines():
        endpoint, count = entry.split(" ")
        host, _, port = endpoint.rpartition(":")
        counts[Endpoint(host.strip("[]"), int(port))] = int(count)
    return counts


def read_seen(text: str) -> Mapping[str, float]:
    """Read when each host was last requested, in Unix time."""
    return {host: float(when) for host, _, when in (entry.partition(" ") for entry in text.splitlines())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How the router's table differs from the store's."""

    push: tuple[Route, ...]
    """Routes that the router lacks or has in an older version."""
    ahead: Mapping[str, int]
    """Hosts that the router has in a newer version, or the store does not know at all."""


def compare(routes: Iterable[Route], known: Mapping[str, Known]) -> Difference:
    """Compare the store's routes with what the router knows.

    A newer version in the router is an ordinary race (a push after the table was read), or the store was set back:
    the caller knows which when it meets the same one again.
    """
    push = []
    ahead = {}
    wanted = set()
    for route in routes:
        wanted.add(route.hostname)
        there = known.get(route.hostname)
        if there is None:
            if route.state is not RouteState.GONE:
                push.append(route)
        elif there.version < route.version:
            push.append(route)
        elif there.version > route.version:
            ahead[route.hostname] = there.version
    ahead |= {
        host: there.version
        for host, there in known.items()
        if host not in wanted and there.state != RouteState.GONE.value
    }
    return Difference(push=tuple(push), ahead=ahead)
