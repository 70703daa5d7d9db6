"""What an environment needs next: one pure function from what is wanted and what is there."""

from enum import StrEnum

from revieee.model.environment import Environment, Release
from revieee.model.phases import SUPERSEDABLE, Phase


class Act(StrEnum):
    """The next thing to do for an environment. Acts named like a phase are that phase's step."""

    REMOVE = "remove"
    BEGIN = "begin"
    SUPERSEDE = "supersede"
    FETCH = Phase.FETCHING.value
    BUILD = Phase.BUILDING.value
    REPLACE = Phase.REPLACING.value
    PREPARE = Phase.PREPARING.value
    START = Phase.STARTING.value
    SWITCH = Phase.SWITCHING.value
    UNDO = Phase.UNDOING.value
    DRAIN = Phase.DRAINING.value
    KEEP = Phase.LIVE.value
    """Nothing is to change: see that what should run runs."""
    REST = "rest"


def next_act(environment: Environment) -> Act:
    """Decide what to do next. A close wins over everything; a newer wish over all but a switch under way."""
    if environment.removing or not environment.wanted or environment.excluded or environment.distrusted:
        return Act.REMOVE if environment.placed else Act.REST
    release = environment.next
    if release is not None:
        if release.phase in SUPERSEDABLE and superseded(environment, release):
            return Act.SUPERSEDE
        return Act(release.phase.value)
    newest = environment.newest
    if newest is None or newest.incarnation != environment.incarnation or newest.inputs != environment.inputs:
        return Act.BEGIN
    if environment.draining:
        return Act.DRAIN
    return Act.KEEP if environment.live else Act.REST


def superseded(environment: Environment, release: Release) -> bool:
    """Tell whether another commit, branch name, trust or ``deploy`` is wanted by now.

    A label, title or draft change alone ends no build under way: once it is live, one more look at the manifest's
    ``when`` finds it unchanged or excluded.
    """
    wanted = (environment.commit, environment.nonce, environment.trusted)
    return release.inputs != environment.inputs and (release.commit, release.nonce, release.trusted) != wanted


def obsolete(act: Act, environment: Environment) -> bool:
    """Tell whether a step under way is no longer wanted, so that it is cancelled at once."""
    then = next_act(environment)
    if act is Act.REMOVE or then is act:
        return False
    return then in {Act.REMOVE, Act.SUPERSEDE} or act in {Act.KEEP, Act.DRAIN}
