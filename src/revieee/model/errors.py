"""The errors of the ports: the class of each says what the caller does next."""


class PortError(Exception):
    """What an adapter could not do. The words are for people: what happened, where, what to do next."""


class Refused(PortError):
    """Final for this commit: tell the pull request. ``log`` holds the last lines of output, if there are any."""

    def __init__(self, words: str, *, log: str = "") -> None:
        super().__init__(words)
        self.log = log


class ImageGone(Refused):
    """An image that the release was settled on is there no more: a new release of the same commit has it again."""


class Superseded(PortError):
    """The commit is no longer there (a force-push): a newer one is on its way."""


class RetryLater(PortError):
    """Passing: try again after ``delay`` seconds (None: the caller's own backoff)."""

    def __init__(self, words: str, *, delay: float | None = None) -> None:
        super().__init__(words)
        self.delay = delay


class RetryWithinTime(RetryLater):
    """Passing, or the author's doing, nobody can tell: tried again for as long as a start may take, then final."""


class NotPulled(RetryLater):
    """An image cannot be pulled now, and nothing of it is there: its registry is away, busy or slow."""


class AddressTaken(RetryLater):
    """Something else on the engine has the subnet that the environment was given: another one will do."""


class Fault(PortError):
    """Ours or the operator's to mend: a wrong token, a missing program. Tried again with backoff."""
