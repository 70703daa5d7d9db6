"""Deliveries: what GitHub sent, as it is kept until it is handled."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook request from GitHub whose signature was right."""

    id: str
    """Its ``X-GitHub-Delivery``: the same for every attempt to deliver it."""
    event: str
    """Its ``X-GitHub-Event``."""
    body: bytes = field(repr=False)
    """The JSON document (also where it came as a form); empty for an event that nobody here reads."""
    received_at: float
    """Unix time, seconds."""
