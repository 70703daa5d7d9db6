"""The manifest: what a repository says about its environments, read from the files of one commit."""

from dataclasses import dataclass, field, replace

from revieee.model.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing in the author's files that was rewritten or left out."""

    file: str
    line: int | None
    words: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.words}"


class ManifestError(ValueError):
    """The author's files cannot become a stack; one notice per fault, each with its place."""

    def __init__(self, faults: tuple[Notice, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which pull requests get an environment. Empty means: all."""

    labels: tuple[str, ...] = ()
    """At least one of these."""
    without_labels: tuple[str, ...] = ()
    """None of these."""
    base_branches: tuple[str, ...] = ()
    """Patterns (``*`` within a part, ``**`` across); the base branch matches one."""
    paths: tuple[str, ...] = ()
    """Patterns; at least one changed path matches one."""
    ignore_paths: tuple[str, ...] = ()
    """Patterns; a change of nothing but these gets none."""
    drafts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the reader knows about the environment, for variables and hostnames."""

    repository: str
    """``owner/repository``"""
    number: int
    branch: str
    commit: str
    environment_label: str
    """The main service's DNS label: ``<repo>-pr-<n>``."""
    base_url: str = "http://localhost:8080"
    """Scheme, domain and public port of the router; hosts are labels below that domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most a manifest may ask for; it may lower a limit, never raise it. Memory in bytes."""

    services: int = 20
    memory: int = 2 * 1024**3
    cpus: float = 2.0
    pids: int = 1024
    start_timeout: float = 600.0
    hook_timeout: float = 1800.0
    farewell: float = 120.0
    """Seconds that a ``destroy`` hook may take, and what it needs to start: a close wins."""
    mounted_bytes: int = 10_000_000
    """All mounted files of a stack together."""

    def part(self, share: float) -> "Limits":
        """Give a part of each limit on services and what they use; at least one of each."""
        return replace(
            self,
            services=max(1, int(self.services * share)),
            memory=max(1, int(self.memory * share)),
            cpus=self.cpus * share,
            pids=max(1, int(self.pids * share)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the files of a commit say."""

    file: str
    """Which file it was read from."""
    stack: Stack
    when: When = field(default_factory=When)
    hostnames: tuple[tuple[str, str], ...] = ()
    """(service, DNS label) of every exposed service, the main one first."""
    injected: tuple[tuple[str, str], ...] = ()
    """The environment variables that every service gets, ``PORT`` aside."""
    notices: tuple[Notice, ...] = ()
