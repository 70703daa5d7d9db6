"""One CPU and memory limit for all builds together: written to the control group that BuildKit runs its steps in.

``docker build --memory`` does nothing under BuildKit (traps.md). Each ``RUN`` gets a control group of its own below
``<parent>/buildkit``; a limit on that folder holds for all of them together. Where that folder is depends on the
engine, see docs/decisions/0071.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PERIOD = 100_000
"""Microseconds (kernel documentation, ``cpu.max`` and ``cpu.cfs_period_us``)."""
_FIRST_WITH_PARENT = 23
"""The first version of the engine whose BuildKit listens to ``--cgroup-parent`` (moby/buildkit pull request 2430)."""

OUR_PARENT = "/revieee-builds"
"""The control group that builds are put below where the engine lets us choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """What all builds together may use; None is no limit. ``memory`` in bytes."""

    memory: int | None = None
    cpus: float | None = None

    @property
    def none(self) -> bool:
        """Whether there is nothing to hold."""
        return self.memory is None and self.cpus is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the steps of builds run."""

    group: str
    """The control group's path from the root, shared by all steps."""
    option: str | None = None
    """What ``--cgroup-parent`` must be for that; None where the engine chooses."""


def place_of(info: Mapping[str, Any], daemon_parent: str = "") -> Place | None:
    """Tell where an engine runs the steps of builds; None where they share no group of their own.

    Args:
        info: the engine's answer to ``GET /info``.
        daemon_parent: the engine's own ``cgroup-parent`` setting, if it has one.
    """
    version = str(info.get("ServerVersion", "0")).partition(".")[0]
    if version.isdigit() and int(version) >= _FIRST_WITH_PARENT:
        return Place(group=f"{OUR_PARENT}/buildkit", option=OUR_PARENT)
    if info.get("CgroupDriver") == "cgroupfs":
        return Place(group=f"/{(daemon_parent or 'docker').strip('/')}/buildkit")
    return None


def writes(limits: BuildLimits, group: str, *, version: int) -> dict[str, str]:
    """Render the limit as files below the control groups' root and what goes into them, in order.

    Args:
        limits: what to hold.
        group: the control group's path.
        version: of the hierarchy, 1 or 2.
    """
    found: dict[str, str] = {}
    if version == 1:
        if limits.memory is not None:
            found[f"memory{group}/memory.limit_in_bytes"] = str(limits.memory)
        if limits.cpus is not None:
            found[f"cpu{group}/cpu.cfs_period_us"] = str(_PERIOD)
            found[f"cpu{group}/cpu.cfs_quota_us"] = str(round(limits.cpus * _PERIOD))
        return found
    if limits.memory is not None:
        found[f"{group.lstrip('/')}/memory.max"] = str(limits.memory)
        found[f"{group.lstrip('/')}/memory.swap.max"] = "0"
    if limits.cpus is not None:
        found[f"{group.lstrip('/')}/cpu.max"] = f"{round(limits.cpus * _PERIOD)} {_PERIOD}"
    return found


def hold(limits: BuildLimits, group: str, root: Path = Path("/sys/fs/cgroup")) -> None:
    """Write the limit, making the control group where no build has run yet. Idempotent.

    Raises:
        OSError: this process may not, or the kernel has no such limit.
    """
    version = 2 if (root / "cgroup.controllers").exists() else 1
    if version == 2:  # noqa: PLR2004  # the second hierarchy
        _make_unified(root, group)
    for name, value in writes(limits, group, version=version).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.name.startswith("memory.swap") or path.exists():  # a kernel without swap accounting has none
            path.write_text(value)


def _make_unified(root: Path, group: str) -> None:
    """Make a group of the second hierarchy: each folder on the way must hand the controllers down."""
    folder = root
    for part in group.strip("/").split("/"):
        handed = (folder / "cgroup.subtree_control").read_text().split()
        for controller in ("cpu", "memory"):
            if controller not in handed:
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        folder /= part
        folder.mkdir(exist_ok=True)
