"""Places: who is next where not all can be served at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from revieee.model.policy import AdmissionPolicy

_EXACT = 10
"""Of more who are before it, nobody need be told each time one of them goes."""


@dataclass(frozen=True, slots=True)
class Queued:
    """An environment has no place yet."""

    before: int
    """How many have theirs before it."""
    limit: int
    """How many there may be."""
    of_repository: bool
    """Whether it waits for one of its own repository to go."""

    def __str__(self) -> str:
        """Say it for people."""
        whose = " of this repository" if self.of_repository else ""
        number = str(self.before) if self.before <= _EXACT else f"more than {_EXACT}"
        order = f"{number}{whose} {'is' if self.before == 1 else 'are'} before it" if self.before else "it is the next"
        environments = f"{self.limit} environment{'' if self.limit == 1 else 's'}"
        bound = f"This repository may have {environments}" if self.of_repository else f"There may be {environments}"
        return f"Waits for a place: {order}. {bound} at a time."


def dealt(repositories: Sequence[int], busy: Mapping[int, int]) -> Sequence[int]:
    """Deal turns to repositories: one each in every round, beginning with those that have the fewest.

    Args:
        repositories: whose each of those is that wait, the longest waiting first.
        busy: how many each repository has already.

    Returns:
        In which order they are served, as indices.
    """
    rounds = Counter(busy)
    order: list[tuple[int, int]] = []
    for index, repository in enumerate(repositories):
        order.append((rounds[repository], index))
        rounds[repository] += 1
    return [index for _, index in sorted(order)]


def place_of(
    mine: int, waiting: Sequence[tuple[int, int]], placed: Mapping[int, int], admission: AdmissionPolicy
) -> Queued | None:
    """Tell what an environment waits for, or None where it may begin.

    Args:
        mine: its id.
        waiting: (environment, repository) of all that wait, itself among them, the longest waiting first.
        placed: how many environments each repository has.
        admission: how many there may be.
    """
    free = admission.environments - sum(placed.values())
    most, taken, before = admission.environments_per_repository, Counter(placed), 0
    for index in dealt([repository for _, repository in waiting], placed):
        environment, repository = waiting[index]
        full = taken[repository] >= most
        if environment == mine and full:
            ahead = sum(one == repository for _, one in waiting[:index])
            return Queued(ahead, most, of_repository=True)
        if environment == mine:
            return None if before < free else Queued(before, admission.environments, of_repository=False)
        if not full:
            taken[repository] += 1
            before += 1
    raise LookupError(mine)
