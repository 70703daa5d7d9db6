"""What is known of an image once it is built or pulled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from revieee.model.registries import registry_of
from revieee.model.stack import MOST_MOUNTS

_NANO = 10**9
_USUAL = re.compile(r"(?:index\.)?docker\.io/")
"""The engine's usual registry, which it leaves out of names."""


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


def bears(body: Mapping[str, Any], reference: str) -> bool:
    """Tell whether an image has this very name; engines find one by the first digits of its id as well.

    Args:
        body: what the engine says of it (``GET /images/{name}/json``).
        reference: a name, as its author wrote it.
    """
    name, _, digest = reference.partition("@")
    name, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
    repository = _familiar(name)
    if digest:
        return f"{repository}@{digest}" in (body.get("RepoDigests") or ())
    return f"{repository}:{tag}" in (body.get("RepoTags") or ())


def _familiar(repository: str) -> str:
    """Give a repository's name as the engine lists it (``reference.FamiliarName`` of distribution)."""
    usual = _USUAL.match(repository)
    if registry_of(repository) and not usual:
        return repository
    path = repository[usual.end() :] if usual else repository
    official = path.removeprefix("library/")
    return path if "/" in official else official


def _port(name: str) -> int | None:
    """Read ``8080/tcp``; ports of other protocols answer no HTTP."""
    number, _, protocol = name.partition("/")
    return int(number) if number.isdecimal() and protocol in {"", "tcp"} else None
