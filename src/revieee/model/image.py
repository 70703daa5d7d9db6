"""What is known of an image once it is built or pulled."""

from dataclasses import dataclass


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
    size: int = 0
    """Bytes on disk."""
    pulled: bool = False
    """Whether this call pulled it, so that it is ours to remove when no environment uses it."""
    content: str = ""
    """Hash of what it was built from: the same content is not built again. Empty for a pulled one."""
