"""What things of ours are called on a Docker engine, and the labels they carry. Pure."""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from revieee.model.names import label
from revieee.model.tags import image_prefix
from revieee.ports import Placement

INSTANCE = "revieee.instance"
ENVIRONMENT = "revieee.environment"
INCARNATION = "revieee.incarnation"
NAME = "revieee.name"
SERVICE = "revieee.service"
KEY = "revieee.key"
RELEASE = "revieee.release"
PORT = "revieee.port"
"""The port that a task is routed to; empty for one without a URL."""

RESERVED = ("revieee.", "com.docker.")
"""Labels that begin so are not the author's to set."""

STRANGER = "x"
"""Goes on the names of strangers' bridges after the prefix; no hash of another's begins with it."""
STOPPED = ".stopped"
"""Ends the name of a container that we stopped: the engine itself does not remember who did."""

_PLAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_BRIDGE_LENGTH = 15
"""IFNAMSIZ without its zero byte (``if.h``)."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of everything of one environment's incarnation."""

    placement: Placement

    @property
    def stem(self) -> str:
        """What every name begins with."""
        place = self.placement
        return f"rv-{part(place.instance)}-{place.environment}-{place.incarnation}"

    @property
    def network(self) -> str:
        """The environment's network."""
        return self.stem

    def bridge(self, prefix: str) -> str:
        """The network's interface on the host: the instance's prefix, then a hash of the environment and its subnet.

        An engine that is killed as it makes a network may keep the interface's name for itself for ever (moby's bridge
        driver stores it before the network is stored); with another subnet the environment has another name as well.
        """
        head = bridge_prefix(prefix, self.placement.instance) + ("" if self.placement.trusted else STRANGER)
        return head + _hash(f"{self.stem} {self.placement.subnet}", _BRIDGE_LENGTH - len(head))

    def container(self, key: str) -> str:
        """A task's or hook's container."""
        return f"{self.stem}-{part(key)}"

    def stopped(self, key: str) -> str:
        """The same, after we stopped it."""
        return self.container(key) + STOPPED

    def volume(self, name: str) -> str:
        """A named volume of the environment."""
        return f"{self.stem}-v-{part(name)}"

    def private_volume(self, key: str, path: str) -> str:
        """The volume behind a ``VOLUME`` of the image that the author named no volume for."""
        return f"{self.container(key)}-{_hash(posixpath.normpath(path), 8)}"

    def filled_image(self, key: str) -> str:
        """The image with a read-only task's files in it; named so that no other environment may start from it."""
        return f"{image_prefix(self.placement.instance)}/{self.stem}:{part(key)}"

    def labels(self, *, service: str = "", key: str = "", port: int | None = None) -> dict[str, str]:
        """The labels of a container or of what belongs to one; all of them, so that no image's own shine through."""
        place = self.placement
        return self.shared_labels() | {
            NAME: place.name,
            SERVICE: service,
            KEY: key,
            RELEASE: place.release,
            PORT: "" if port is None else str(port),
        }

    def shared_labels(self) -> dict[str, str]:
        """The labels of what belongs to the whole environment."""
        place = self.placement
        return {
            INSTANCE: place.instance,
            ENVIRONMENT: str(place.environment),
            INCARNATION: str(place.incarnation),
        }


def bridge_prefix(prefix: str, instance: str) -> str:
    """What all bridges of this instance begin with: the firewall rules match it."""
    return prefix[:5] + _hash(instance, 4)


def part(text: str) -> str:
    """Make one part of a name out of anything; different texts give different parts."""
    return text if _PLAIN.fullmatch(text) else label(text, unique=text)


def environment_of(labels: Mapping[str, str] | None) -> int | None:
    """Read whose a thing is; None where the label is missing or not a number of ours."""
    return _number((labels or {}).get(ENVIRONMENT, ""))


def incarnation_of(labels: Mapping[str, str] | None) -> int:
    """Read of which incarnation a thing is; 0 where the label is missing or not a number of ours.

    Not to be asked of images: what a Dockerfile says there is the author's.
    """
    return _number((labels or {}).get(INCARNATION, "")) or 0


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else None  # noqa: PLR2004 - 64 bits


def _hash(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
