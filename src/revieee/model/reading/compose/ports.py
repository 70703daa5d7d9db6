"""``ports`` and ``expose``: where a service listens, and which services get a URL."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from revieee.model.reading.compose.table import PORT, survey
from revieee.model.reading.files import Reading
from revieee.model.reading.findings import Place, quote, words_of
from revieee.model.reading.yaml_nodes import Mapping, Node
from revieee.model.stack import Exposure

NOT_HTTP = {
    22: "SSH",
    25: "SMTP",
    1025: "SMTP",
    1433: "SQL Server",
    1521: "Oracle",
    2181: "ZooKeeper",
    2379: "etcd",
    3306: "MySQL",
    33060: "MySQL",
    4222: "NATS",
    5432: "PostgreSQL",
    5672: "RabbitMQ",
    6379: "Redis",
    6432: "PgBouncer",
    9042: "Cassandra",
    9092: "Kafka",
    9200: "Elasticsearch",
    9300: "Elasticsearch",
    11211: "Memcached",
    27017: "MongoDB",
}
"""Well-known ports of databases and the like: a service with only such ports gets no URL unless nothing else has."""

_RANGE = r"\d{1,5}(?:-\d{1,5})?"
_SHORT = re.compile(
    rf"(?:(?P<host>(?:\[[0-9a-fA-F:.]+\]|[\w.-]*):)?(?P<published>{_RANGE})?:)?(?P<target>{_RANGE})(?:/(?P<protocol>\w+))?",
    re.ASCII,
)
_NUMBER = re.compile(r"[0-9]{1,9}")
_MOST = 65535
_NOT_PUBLISHED = "Ports of the machine are not used: a service is reached by its URL, and by its peers under its name."


@dataclass(frozen=True, slots=True)
class Listening:
    """The TCP ports of a service, in the author's order."""

    service: str
    at: Place
    published: tuple[int, ...]
    """Of ``ports``."""
    exposed: tuple[int, ...]
    """Of ``expose``."""
    builds: bool
    """Whether the repository makes its image."""


def read_ports(reading: Reading, service: Mapping) -> tuple[int, ...]:
    """Read ``ports``: the container's TCP ports."""
    found: list[int] = []
    for node in reading.values.sequence(service.get("ports"), "`ports`"):
        found += _long(reading, node) if isinstance(node, Mapping) else _short(reading, node)
    return tuple(dict.fromkeys(found))


def read_expose(reading: Reading, service: Mapping) -> tuple[int, ...]:
    """Read ``expose``: ports that peers may use; here all of them may be used."""
    found: list[int] = []
    for node in reading.values.sequence(service.get("expose"), "`expose`"):
        text = reading.values.text(node, "A port")
        if text is not None:
            target, _, protocol = text.partition("/")
            found += _range(reading, node.at, target) if protocol in ("", "tcp") else ()
    return tuple(dict.fromkeys(found))


def _short(reading: Reading, node: Node) -> tuple[int, ...]:
    text = reading.values.text(node, "A port")
    if text is None:
        return ()
    parts = _SHORT.fullmatch(text)
    if not parts:
        reading.fault(node.at, f"{quote(text)} is no port. Write `3000`, `8080:80` or `127.0.0.1:8080:80`.")
        return ()
    if parts["published"] or parts["host"]:
        reading.notice(node.at, _NOT_PUBLISHED)
    found = _range(reading, node.at, parts["target"])
    return found if _http(reading, node.at, parts["protocol"]) else ()


def _long(reading: Reading, node: Mapping) -> tuple[int, ...]:
    survey(reading, node, {**PORT, "published": PORT["target"], "host_ip": PORT["target"]}, "A port")
    if node.get("published") or node.get("host_ip"):
        reading.notice(node.at, _NOT_PUBLISHED)
    target = reading.values.port(node.get("target"), "A port's `target`")
    protocol = reading.values.text(node.get("protocol"), "A port's `protocol`")
    if node.get("target") is None:
        reading.fault(node.at, "A port needs a `target`, the port in the container. Add it.")
    return (target,) if target is not None and _http(reading, node.at, protocol) else ()


def _http(reading: Reading, at: Place, protocol: str | None) -> bool:
    if protocol in (None, "tcp"):
        return True
    if protocol in ("udp", "sctp"):
        reading.notice(at, f"A port of `{protocol}` gets no URL: URLs speak HTTP. Peers still reach it.")
    else:
        reading.fault(at, f"{quote(protocol or '')} is no protocol of a port. Write `tcp` or `udp`.")
    return False


def _range(reading: Reading, at: Place, text: str) -> tuple[int, ...]:
    first, dash, last = text.partition("-")
    if not _NUMBER.fullmatch(first) or (dash and not _NUMBER.fullmatch(last)):
        reading.fault(at, f"{quote(text)} is no port. Write a number, or two with `-` between them.")
        return ()
    low, high = int(first), int(last or first)
    if not 0 < low <= high <= _MOST:
        reading.fault(at, f"{quote(text)} is no port: they go from 1 to {_MOST}.")
        return ()
    return tuple(range(low, min(high, low + 100) + 1))


def choose_exposures(reading: Reading, services: Sequence[Listening]) -> tuple[Exposure, ...]:
    """Choose which services get a URL where revieee.yml does not say.

    Those that publish ports, in the author's order, but for databases; else those that ``expose`` some; else the only
    service, or the only one that the repository builds.
    """
    for ports in ({one.service: one.published for one in services}, {one.service: one.exposed for one in services}):
        found = _with_ports(reading, services, ports)
        if found:
            return found
    built = [one for one in services if one.builds]
    for candidates in (services, built):
        if len(candidates) == 1:
            return (Exposure(service=candidates[0].service),)
    return ()


def _with_ports(
    reading: Reading, services: Sequence[Listening], ports: dict[str, tuple[int, ...]]
) -> tuple[Exposure, ...]:
    having = [one for one in services if ports[one.service]]
    chosen = [one for one in having if any(port not in NOT_HTTP for port in ports[one.service])]
    if not chosen:
        return tuple(Exposure(service=one.service, port=ports[one.service][0]) for one in having)
    for one in having:
        if one not in chosen:
            kinds = words_of(dict.fromkeys(NOT_HTTP[port] for port in ports[one.service]))
            words = (
                f"Service {quote(one.service)} gets no URL: its ports are those of {kinds}. Peers reach it by its name."
            )
            reading.notice(one.at, words)
    return tuple(
        Exposure(service=one.service, port=next(port for port in ports[one.service] if port not in NOT_HTTP))
        for one in chosen
    )
