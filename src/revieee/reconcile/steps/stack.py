"""The stack that a release's earlier steps settled."""

from revieee.model.environment import Environment, Release
from revieee.model.resolve import ResolvedStack
from revieee.ports import Fault


def settled(release: Release) -> ResolvedStack:
    """Give a release's stack.

    Raises:
        Fault: an earlier step did not write it, which the phase table forbids.
    """
    if release.stack is None:
        raise Fault(f"release {release.id} is {release.phase} and has no stack")
    return release.stack


def named(environment: Environment, *, without: Release | None = None) -> frozenset[str]:
    """Give the keys that releases which have not ended name: what must not be removed."""
    keys: set[str] = set()
    for release in environment.releases:
        if release.ended_at is None and (without is None or release.id != without.id):
            keys |= release.keys
    return frozenset(keys)


def used_images(environment: Environment, *, without: Release | None = None) -> frozenset[str]:
    """Give the image ids that releases which have not ended use."""
    return frozenset(
        task.image.id
        for release in environment.releases
        if release.ended_at is None and (without is None or release.id != without.id) and release.stack
        for task in release.stack.tasks
    )
