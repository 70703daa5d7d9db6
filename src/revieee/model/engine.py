"""What passes between the reconciler and an engine: where an environment is, and how what is there does."""

from dataclasses import dataclass, field
from enum import StrEnum

from revieee.model.route import Endpoint
from revieee.model.stack import Condition, Dependency


class ServiceState(StrEnum):
    """What the engine says of one task or hook."""

    ABSENT = "absent"
    WAITING = "waiting"
    """For what it depends on."""
    STARTING = "starting"
    HEALTHY = "healthy"
    COMPLETED = "completed"
    """Ended with exit code 0."""
    UNHEALTHY = "unhealthy"
    """Runs, and its healthcheck or probe says no. May still turn healthy until the start timeout."""
    FAILED = "failed"
    """Ended with another exit code and will not be started again, or crash-loops, or cannot be started at all."""
    STOPPED = "stopped"
    """Stopped by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One task or hook as it is."""

    key: str
    state: ServiceState
    endpoint: Endpoint | None = None
    exit_code: int | None = None
    words: str = ""
    """Why it is not healthy, for people."""
    cut: bool = False
    """Whether the engine cut the words short: at their end the beginning of a secret may be."""
    age: float = 0.0
    """Seconds since a hook was started, where it still runs."""

    def allows(self, dependency: Dependency) -> bool:
        """Whether one that depends on it so may start."""
        if self.state is ServiceState.FAILED:
            return not dependency.required
        return self.state in _ALLOWS[dependency.condition]


_COMPLETED = frozenset({ServiceState.COMPLETED})
_HEALTHY = _COMPLETED | {ServiceState.HEALTHY}
_ALLOWS = {
    Condition.STARTED: _HEALTHY | {ServiceState.STARTING, ServiceState.UNHEALTHY},
    Condition.HEALTHY: _HEALTHY,
    Condition.COMPLETED: _COMPLETED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where on the engine an environment lives: what its containers, networks and volumes are labelled and named by."""

    instance: str
    environment: int
    """The id in the store."""
    incarnation: int
    """Counts how often it was removed; nothing of a later one is ever removed for an earlier. 0 stands for all."""
    name: str
    """``owner/repo#12``, for people."""
    release: str = ""
    """The commit of the release that is being made: labels the containers it creates."""
    subnet: str | None = None
    """Its own subnet (CIDR), where the engine wants addresses from us."""
    hostnames: tuple[str, ...] = ()
    """Its own public hostnames, which must lead to the router from inside, too."""
    trusted: bool = True
    """Whether the repository's own code runs in it; a stranger's has lower limits and reaches less."""
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name, value) of what its tasks and hooks get as environment variables; the author's own win."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """All that the engine has of one environment."""

    keys: frozenset[str] = frozenset()
    """Tasks and hooks that exist, in any state."""
    running: frozenset[str] = frozenset()
    completed: frozenset[str] = frozenset()
    """Tasks that ended with exit code 0."""
    networks: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    incarnation: int = 0
    """The latest that anything of it is of; an older one removes none of that."""

    @property
    def absent(self) -> bool:
        """Whether nothing is there."""
        return not (self.keys or self.networks or self.volumes or self.images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What engines differ in."""

    keeps_unchanged: bool = True
    """``apply`` leaves a task with the same key untouched."""
    in_place: bool = True
    """A stopped task can be started again as it was, so a failed in-place replacement is put back."""
    shell: bool = True
    subnets: bool = True
    """It wants a subnet and fixed addresses from us."""
