"""The life of a release: one table, from which the reconciler's next step and the docs' diagram both come."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a release is. Every phase but ``ended`` has one step that the reconciler takes in it."""

    FETCHING = "fetching"
    BUILDING = "building"
    REPLACING = "replacing"
    PREPARING = "preparing"
    STARTING = "starting"
    SWITCHING = "switching"
    LIVE = "live"
    DRAINING = "draining"
    UNDOING = "undoing"
    ENDED = "ended"


class Outcome(StrEnum):
    """What a step, or a newer wish, makes of a phase."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """The commit is live already, and nothing of it would change."""
    EXCLUDED = "excluded"
    """The manifest's ``when`` says that this pull request gets no environment."""
    FAILED = "failed"
    SUPERSEDED = "superseded"
    REPLACED = "replaced"
    """A newer release went live."""


class Verdict(StrEnum):
    """How a release ended."""

    UNCHANGED = "unchanged"
    EXCLUDED = "excluded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    REPLACED = "replaced"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table."""

    phase: Phase
    outcome: Outcome
    then: Phase
    words: str


TABLE: tuple[Transition, ...] = (
    Transition(Phase.FETCHING, Outcome.DONE, Phase.BUILDING, "the commit is here and its manifest read"),
    Transition(Phase.FETCHING, Outcome.UNCHANGED, Phase.ENDED, "the commit is live already"),
    Transition(Phase.FETCHING, Outcome.EXCLUDED, Phase.ENDED, "the manifest wants no environment for it"),
    Transition(Phase.FETCHING, Outcome.FAILED, Phase.ENDED, "it cannot be fetched or read"),
    Transition(Phase.FETCHING, Outcome.SUPERSEDED, Phase.ENDED, "a newer one is wanted"),
    Transition(Phase.BUILDING, Outcome.DONE, Phase.REPLACING, "all images are there"),
    Transition(Phase.BUILDING, Outcome.FAILED, Phase.UNDOING, "an image cannot be had"),
    Transition(Phase.BUILDING, Outcome.SUPERSEDED, Phase.UNDOING, "a newer one is wanted"),
    Transition(Phase.REPLACING, Outcome.DONE, Phase.PREPARING, "services to replace in place are held and stopped"),
    Transition(Phase.REPLACING, Outcome.FAILED, Phase.UNDOING, "they could not be"),
    Transition(Phase.REPLACING, Outcome.SUPERSEDED, Phase.UNDOING, "a newer one is wanted"),
    Transition(Phase.PREPARING, Outcome.DONE, Phase.STARTING, "hooks ran"),
    Transition(Phase.PREPARING, Outcome.FAILED, Phase.UNDOING, "a hook failed"),
    Transition(Phase.PREPARING, Outcome.SUPERSEDED, Phase.UNDOING, "a newer one is wanted"),
    Transition(Phase.STARTING, Outcome.DONE, Phase.SWITCHING, "every service is healthy"),
    Transition(Phase.STARTING, Outcome.FAILED, Phase.UNDOING, "a service is not healthy in time"),
    Transition(Phase.STARTING, Outcome.SUPERSEDED, Phase.UNDOING, "a newer one is wanted"),
    Transition(Phase.SWITCHING, Outcome.DONE, Phase.LIVE, "the router acknowledged the new routes"),
    Transition(Phase.LIVE, Outcome.REPLACED, Phase.DRAINING, "a newer release is live"),
    Transition(Phase.LIVE, Outcome.FAILED, Phase.ENDED, "its image is gone, and the release that would have it failed"),
    Transition(Phase.DRAINING, Outcome.DONE, Phase.ENDED, "its open requests finished"),
    Transition(Phase.UNDOING, Outcome.DONE, Phase.ENDED, "what it had started is gone, what it stopped runs again"),
)
"""A close ends every phase: removal takes the whole environment, whatever its releases are in."""

_NEXT = {(row.phase, row.outcome): row.then for row in TABLE}

ON_ITS_WAY = frozenset(
    {Phase.FETCHING, Phase.BUILDING, Phase.REPLACING, Phase.PREPARING, Phase.STARTING, Phase.SWITCHING}
)
"""Phases of a release that is to go live."""
SUPERSEDABLE = frozenset(row.phase for row in TABLE if row.outcome is Outcome.SUPERSEDED)
"""Phases that a newer wish ends at once. A switch, once begun, is finished first."""


def advance(phase: Phase, outcome: Outcome) -> Phase:
    """Look up where an outcome leads.

    Raises:
        KeyError: the table has no such row.
    """
    return _NEXT[phase, outcome]


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for ``docs/architecture.md``."""
    rows = [f"    {row.phase} --> {row.then}: {row.outcome}" for row in TABLE]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Phase.FETCHING}", *rows, f"    {Phase.ENDED} --> [*]"])
