"""What is known of an image once it is built or pulled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from revieee.model.stack import MOST_MOUNTS

_NANO = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image on the engine."""

    id: str
    """The engine's content address (``sha256:…``)."""
    reference: str
    """The tag or name it was built or pulled as."""
    ports: tuple[int, ...] = ()
    """TCP ports of its ``EXPOSE``, ascending."""
    volumes: tuple[str, ...] = ()
    """Paths of its ``VOLUME``."""
    healthcheck: bool = False
    """Whether it brings a healthcheck of its own."""
    health_interval: float | None = None
    """Seconds between two runs of that, where it says so."""
    health_rush: bool = False
    """Whether it wants several runs a second while the service starts (``--start-interval``)."""
    size: int = 0
    """Bytes on disk."""
    pulled: bool = False
    """Whether this call pulled it, so that it is ours to remove when no environment uses it."""
    content: str = ""
    """Hash of what it was built from: the same content is not built again. Empty for a pulled one."""

    @property
    def unfit(self) -> str:
        """Why no service may run it, in words; empty where one may."""
        if len(self.volumes) <= MOST_MOUNTS:
            return ""
        return f"The image {self.reference} declares {len(self.volumes)} volumes (VOLUME), and {MOST_MOUNTS} may be."


def read_image(body: Mapping[str, Any], reference: str, *, pulled: bool = False) -> Image:
    """Read an image's description: its ``Config`` is that of the image format (moby/docker-image-spec).

    Args:
        body: what the engine says of it (``GET /images/{name}/json``).
        reference: the tag or name it was built or pulled as.
        pulled: whether it was pulled just now.
    """
    settings = body.get("Config") or {}
    ports = {_port(name) for name in settings.get("ExposedPorts") or {}}
    check = settings.get("Healthcheck") or {}
    test = check.get("Test") or ["NONE"]
    return Image(
        id=str(body["Id"]),
        reference=reference,
        ports=tuple(sorted(port for port in ports if port)),
        volumes=tuple(sorted(settings.get("Volumes") or {})),
        healthcheck=test[0] != "NONE",
        health_interval=(check.get("Interval") or 0) / _NANO or None,
        health_rush=0 < (check.get("StartInterval") or _NANO) < _NANO,
        size=int(body.get("Size") or 0),
        pulled=pulled,
    )


def _port(name: str) -> int | None:
    """Read ``8080/tcp``; ports of other protocols answer no HTTP."""
    number, _, protocol = name.partition("/")
    return int(number) if number.isdecimal() and protocol in {"", "tcp"} else None
