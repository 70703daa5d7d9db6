"""What the router is set up with. Everything that reaches nginx's configuration is checked here."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PATH = re.compile(r"[\w./@+ -]+")
_PAGE = re.compile(r"[a-z]+\.(html|json|txt)")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate for the domain and all hosts under it, in PEM, as nginx reads them."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """Where containers reach the router, for the hosts of their own environment and no others."""

    host: str
    """An IPv4 address that nobody else uses."""
    port: int
    subnet_prefix: int
    """How long the prefix of every environment's subnet is: who shares it with an endpoint is of its environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterOptions:
    """The router's settings.

    Raises:
        ValueError: a value that may not stand in a configuration; the words say which.
    """

    data: Path
    """The data folder; the router keeps everything of its own in ``router`` below it."""
    domain: str = "localhost"
    """The dashboard's own host; environments are one label below."""
    listen: tuple[str, int] = ("127.0.0.1", 8080)
    inside: Inside | None = None
    """A second address, for containers."""
    tls: Tls | None = None
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) of load balancers whose ``X-Forwarded-*`` are true."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """State pages for when the control plane does not answer, by name: ``building.html``, ``.json``, ``.txt`` …"""
    workers: int | None = None
    """Worker processes; None takes one per processor, at most 8."""
    hold_seconds: float = 20
    """How long a request to a held route waits before it is told to come again."""
    parked_requests: int = 2000
    """How many requests one worker holds at once."""
    tombstone_seconds: int = 3600
    """How long the version of a host that is gone is remembered."""
    worker_user: str | None = None
    """Whose rights workers have when we are root; None takes the distribution's (``www-data``)."""
    program: str = "nginx"

    def __post_init__(self) -> None:
        if not _DOMAIN.fullmatch(self.domain):
            raise ValueError(f"{self.domain!r} is not a domain. Write it in lower case, without a port: example.com.")
        _check_listen(*self.listen)
        if self.inside:
            self._check_inside(self.inside)
        for network in self.trusted_proxies:
            ipaddress.ip_network(network)
        for path in (self.tls.certificate, self.tls.key) if self.tls else ():
            if not path.is_absolute() or not _PATH.fullmatch(str(path)):
                raise ValueError(f"{str(path)!r} cannot be used as a path of a certificate: write a full, plain path.")
        for name in self.pages:
            if not _PAGE.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a state page.")

    def _check_inside(self, inside: Inside) -> None:
        _check_listen(inside.host, inside.port)
        ipaddress.IPv4Interface(f"{inside.host}/{inside.subnet_prefix}")
        if (inside.host, inside.port) == self.listen:
            raise ValueError(f"{inside.host} is the address that containers use: let nginx listen on another one.")

    @property
    def folder(self) -> Path:
        """The router's own folder: nginx's working directory, links followed, as the kernel tells it of a process."""
        return (self.data / "router").resolve()

    @property
    def control_sockets(self) -> tuple[Path, ...]:
        """Where the web apps of control planes listen, one each. Workers reach them below their working directory."""
        return tuple(self.folder / f"control.{place}.sock" for place in (1, 2))

    @property
    def router_socket(self) -> Path:
        """Where nginx takes pushes."""
        return self.folder / "private" / "router.sock"

    @property
    def snapshot(self) -> Path:
        """The routes for an nginx that starts without us."""
        return self.folder / "routes.snapshot"


def _check_listen(host: str, port: int) -> None:
    if host != "*":
        ipaddress.ip_address(host)
    if not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"{port} is not a port: it is between 1 and {_HIGHEST_PORT}.")
