"""An environment and its releases as they were in one moment: what the reconciler plans from and people are told of."""

from dataclasses import dataclass, field

from revieee.model.crashes import Crashes
from revieee.model.facts import PullRequestFacts
from revieee.model.manifest import Manifest
from revieee.model.names import EnvironmentName
from revieee.model.phases import ON_ITS_WAY, Phase, Verdict
from revieee.model.resolve import ResolvedStack
from revieee.model.route import Endpoint
from revieee.model.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release. Times are Unix seconds."""

    id: int
    incarnation: int
    commit: str
    trusted: bool = True
    """Whether it was begun as the repository's own code, not as a stranger's."""
    inputs: str
    """Hash of all facts that can change a release."""
    nonce: int = 0
    """Which ``deploy`` command asked for it."""
    phase: Phase
    verdict: Verdict | None = None
    reason: str = ""
    log_tail: str = ""
    manifest: Manifest | None = None
    stack: ResolvedStack | None = None
    endpoints: tuple[tuple[str, Endpoint], ...] = ()
    """(service, endpoint) as they were routed to."""
    wanted_at: float
    phase_since: float
    live_at: float | None = None
    ended_at: float | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The keys of its tasks."""
        return self.stack.keys if self.stack else frozenset()

    @property
    def hook_names(self) -> frozenset[str]:
        """The names of its hooks."""
        return frozenset(hook.name for hook in self.stack.hooks) if self.stack else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment with the releases that matter."""

    id: int
    name: EnvironmentName
    facts: PullRequestFacts
    repository_slug: str
    repository_removed: bool = False
    label: str
    incarnation: int
    slot: int | None
    wanted: bool
    wanted_reason: str
    wanted_at: float
    commit: str
    """The commit that is wanted: the head, or an older one while the head waits for approval."""
    trusted: bool = True
    """Whether that commit runs as the repository's own code does."""
    waits: bool = False
    """The head waits for approval, and ``wanted_reason`` says why."""
    trust: Trust = field(default_factory=Trust)
    inputs: str
    nonce: int
    revision: int
    version: int
    removing: bool
    created_hook: bool
    placed: bool
    attempts: int
    waiting_for: str
    crashes: Crashes = field(default_factory=Crashes)
    """Of what is live."""
    releases: tuple[Release, ...] = ()
    """Those that have not ended, and the newest one whatever it is; oldest first."""

    @property
    def next(self) -> Release | None:
        """The release on its way, or the one being undone."""
        for release in reversed(self.releases):
            if release.phase in ON_ITS_WAY or release.phase is Phase.UNDOING:
                return release
        return None

    @property
    def live(self) -> Release | None:
        """The release that answers."""
        for release in reversed(self.releases):
            if release.phase is Phase.LIVE:
                return release
        return None

    @property
    def draining(self) -> tuple[Release, ...]:
        """Releases that finish their open requests."""
        return tuple(release for release in self.releases if release.phase is Phase.DRAINING)

    @property
    def newest(self) -> Release | None:
        """The newest release, also when it ended."""
        return self.releases[-1] if self.releases else None

    @property
    def distrusted(self) -> bool:
        """Whether what is there was begun with another trust than is had now: the two share no volume, no network."""
        newest = self.newest
        here = self.placed and newest is not None and newest.incarnation == self.incarnation
        return here and self.wanted and newest is not None and newest.trusted != self.trusted

    @property
    def excluded(self) -> bool:
        """Whether the manifest said, of just these facts, that there is to be no environment."""
        newest = self.newest
        return newest is not None and newest.verdict is Verdict.EXCLUDED and newest.inputs == self.inputs
