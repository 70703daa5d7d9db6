"""Policies: what the operator's settings allow, as frozen values that the rooms are given."""

from dataclasses import dataclass, field
from enum import StrEnum

from revieee.model.manifest import Limits
from revieee.model.route import Endpoint
from revieee.model.stack import ServiceLimits


class ForkPolicy(StrEnum):
    """Whether a pull request from another repository gets an environment."""

    REFUSE = "refuse"
    ASK = "ask"
    """It waits until somebody with write access vouches for its commit."""
    ALLOW = "allow"
    """It gets one at once, as a stranger's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionPolicy:
    """Which pull requests may have an environment at all; the manifest's ``when`` comes after it."""

    forks: ForkPolicy = ForkPolicy.ASK
    repositories: tuple[str, ...] = ("*",)
    """Patterns of ``owner/repository``; one of them must match."""
    environments_per_repository: int = 50
    environments: int = 500


_AT_ONCE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient the reconciler is. All in seconds."""

    tick: float = 10.0
    """Between two looks at everything."""
    poll: float = 1.0
    """Between two looks for rows that another process wrote."""
    lease: float = 30.0
    drain_limit: float = 60.0
    stop_grace: float = 1.0
    """At close: between stop signal and kill."""
    first_retry: float = 2.0
    last_retry: float = 300.0
    steady: float = 300.0
    """How long what is live must have run for its crashes to be forgotten."""
    subnet_rest: float = 300.0
    """How long a freed subnet is not given out again."""
    image_refresh: float = 7 * 86_400.0
    """After how long base and pulled images are asked for again."""
    environment_age: float = 30 * 86_400.0
    """How long an environment stays that nobody pushes to, deploys or visits; 0 is for ever."""
    resync: float = 900.0
    """Between two listings of open pull requests from the forge."""

    def backoff(self, attempts: int) -> float:
        """Give the seconds to wait after so many failures in a row: doubling, up to ``last_retry``."""
        return float(min(self.first_retry * 2 ** min(attempts, 16), self.last_retry))

    def pause(self, crashes: int) -> float:
        """Give the seconds until what ended so many times in a row is started again: the first time nearly at once."""
        return _AT_ONCE if crashes <= 1 else self.backoff(crashes - 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPolicy:
    """How full disks may get. All in bytes."""

    clean_below: int = 10 * 2**30
    """With less room on a disk, what can be made again goes: unused build cache, old logs."""
    keep_free: int = 2 * 2**30
    """With less room on a disk, no new release is begun."""
    environment: int = 10 * 2**30
    """The most that an environment's containers and volumes may have written; 0 is no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that the reconciler is told by settings."""

    admission: AdmissionPolicy = field(default_factory=AdmissionPolicy)
    limits: Limits = field(default_factory=Limits)
    stranger_share: float = 0.5
    """What part of every limit a stranger's environment has."""
    stranger_builds_online: bool = False
    """Whether the steps of strangers' builds have a network."""
    pace: Pace = field(default_factory=Pace)
    disk: DiskPolicy = field(default_factory=DiskPolicy)
    base_url: str = "http://localhost:8080"
    network_pool: str = "10.208.0.0/14"
    subnet_prefix: int = 26
    turns: int = 20
    """Environments worked on at once by one process."""

    def limits_of(self, *, trusted: bool) -> Limits:
        """Give the limits of the repository's own code, or of a stranger's."""
        return self.limits if trusted else self.limits.part(self.stranger_share)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine is made with: ``create(options)`` of the entry point takes it."""

    instance: str
    """Our id: the value of the label ``revieee.instance``."""
    host: str = "unix:///var/run/docker.sock"
    """Where the engine listens; for the in-memory engine the path of its file, or empty."""
    limits: ServiceLimits = field(default_factory=lambda: ServiceLimits(memory=512 * 2**20, cpus=1.0, pids=512))
    """What a service may use where its author does not say; what authors may ask for is the manifest's affair."""
    stranger_share: float = 0.5
    """What part of these limits a service has in a stranger's environment."""
    log_size: int = 10 * 2**20
    """Bytes of output kept per log file of a container."""
    log_files: int = 2
    network_prefix: str = "rv"
    """The names of our bridges begin with it; at most five characters."""
    walls: bool = True
    """Whether the firewall table is kept up; off only where something else does it."""
    resolvers: tuple[str, ...] = ()
    """Addresses of the name servers that containers may ask; empty: those of the host."""
    internet: bool = True
    """Whether containers and builds may reach public addresses."""
    stranger_internet: bool = False
    """Whether strangers' containers may as well; private addresses they never reach."""
    allow_addresses: tuple[str, ...] = ()
    """Private addresses and networks (CIDR) that containers and builds may reach all the same."""
    registries: tuple[str, ...] = ()
    """Registries that images may come from although they are on this machine or in a private network."""
    router: Endpoint | None = None
    """The router's public address as containers reach it, for their own hostnames."""
    settle: float = 2.0
    """Seconds that a service without healthcheck and URL must have run to count as healthy."""
    timeout: float = 30.0
    """Seconds that one call to the engine may take."""
