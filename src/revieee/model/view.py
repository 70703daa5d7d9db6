"""The view: an environment in the words that comment, pages, command line and API share."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How an environment is, for people."""

    WAITING = "waiting"
    BUILDING = "building"
    STARTING = "starting"
    LIVE = "live"
    UPDATING = "updating"
    """Live, and a newer release is on its way."""
    FAILED = "failed"
    """The newest release failed; an older one may still be live."""
    NONE = "none"
    """This pull request gets no environment, and ``reason`` says why."""
    REMOVING = "removing"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One service of the live release, or of the one that is on its way."""

    name: str
    url: str | None = None
    words: str = ""
    """``live``, ``starting``, ``kept`` …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that is told about an environment."""

    environment: str
    """``owner/repo#12``"""
    instance: str
    state: State
    headline: str
    """One sentence."""
    reason: str = ""
    """Why it is so, where that is not plain."""
    next_act: str = ""
    """What the reader can do about it."""
    answer: str = ""
    """What became of the last command in a comment."""
    url: str | None = None
    """The main service's."""
    services: tuple[ServiceView, ...] = ()
    commit: str
    """The commit this is about: the newest that was asked for."""
    waiting_commit: str | None = None
    """A newer commit, which waits for approval while this one stays."""
    waiting_for: str = ""
    """Why it waits."""
    live_commit: str | None = None
    """The commit that answers at the URL."""
    live: bool = False
    """Whether something answers at the URL now."""
    duration: float | None = None
    """Seconds from the delivery to live, or to failure."""
    notices: tuple[str, ...] = ()
    """What was rewritten or left out in the author's files."""
    log: str = ""
    """The last lines of output, where something failed."""
