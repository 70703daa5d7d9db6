"""Deliveries that could not be stored, kept until they can be: GitHub sends each once and repeats none by itself."""

from collections.abc import Sequence

from revieee.intake.payloads import EVENTS
from revieee.model.delivery import Delivery

MOST = 1000
MOST_BYTES = 32 * 2**20
"""Of all bodies together."""


class Missed:
    """What was refused since the store last worked, up to a bound."""

    def __init__(self) -> None:
        self.lost = False
        """Whether there were others that concern us: what they said has to be asked for."""
        self._kept: dict[str, Delivery] = {}

    def keep(self, delivery: Delivery) -> None:
        """Keep a delivery that concerns us, or note that it is lost because there are too many."""
        if delivery.event not in EVENTS:
            return
        size = len(delivery.body) + sum(len(one.body) for one in self._kept.values())
        if delivery.id in self._kept:
            return
        if len(self._kept) < MOST and size <= MOST_BYTES:
            self._kept[delivery.id] = delivery
        else:
            self.lost = True

    def kept(self) -> Sequence[Delivery]:
        """Give what is kept, oldest first."""
        return list(self._kept.values())

    def put_off(self, delivery: Delivery) -> None:
        """Let all others go before one that the store does not take now: it may take them."""
        self._kept[delivery.id] = self._kept.pop(delivery.id)

    def forget(self, delivery: Delivery) -> None:
        """Let go of one that is stored by now."""
        self._kept.pop(delivery.id, None)
