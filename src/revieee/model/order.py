"""Which of a stack's tasks are meant, and in which order they end."""

from collections.abc import Collection, Sequence

from revieee.model.resolve import ResolvedStack, Task


def with_required(stack: ResolvedStack, only: Collection[str] | None) -> Sequence[Task]:
    """Give the tasks of these keys and all that they require, in the stack's order; None means all."""
    if only is None:
        return stack.tasks
    wanted: set[str] = set()
    ahead = [key for key in only if key in stack.keys]
    while ahead:
        key = ahead.pop()
        if key not in wanted:
            wanted.add(key)
            ahead += [one.service for one in stack.task(key).requires]
    return [task for task in stack.tasks if task.key in wanted]


def stop_waves(stack: ResolvedStack, keys: Collection[str]) -> Sequence[Sequence[Task]]:
    """Give the tasks of these keys in waves: each wave may end at once, dependents before what they depend on."""
    waves: list[Sequence[Task]] = []
    left = [task for task in stack.tasks if task.key in keys]
    while left:
        needed = {one.service for task in left for one in task.requires}
        wave = [task for task in left if task.key not in needed] or left
        waves.append(wave)
        left = [task for task in left if task not in wave]
    return waves
