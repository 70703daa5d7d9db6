"""Which of a stack's tasks are meant, and in which order they end."""

from collections.abc import Sequence

from revieee.model.image import Image
from revieee.model.order import stop_waves, with_required
from revieee.model.resolve import ResolvedStack, Task, resolve
from revieee.model.stack import Dependency, Service, Stack


def chain() -> ResolvedStack:
    """A proxy on a web service on a database, and a cache that nobody needs."""
    services = (
        Service(name="proxy", depends_on=(Dependency(service="web"),)),
        Service(name="cache"),
        Service(name="web", depends_on=(Dependency(service="db"),)),
        Service(name="db"),
    )
    return resolve(Stack(services=services), {one.name: Image(id=one.name, reference="x") for one in services}, ())


STACK = chain()


def keys(*services: str) -> set[str]:
    return {STACK.task_of(one).key for one in services}


def names(wave: Sequence[Task]) -> list[str]:
    return [task.service.name for task in wave]


def test_nothing_said_means_all() -> None:
    assert names(with_required(STACK, None)) == ["proxy", "cache", "web", "db"]


def test_what_is_required_comes_with_it() -> None:
    assert names(with_required(STACK, keys("web"))) == ["web", "db"]
    assert names(with_required(STACK, keys("proxy"))) == ["proxy", "web", "db"]


def test_an_unknown_key_means_nothing() -> None:
    assert names(with_required(STACK, ["nothing"])) == []


def test_dependents_end_before_what_they_depend_on() -> None:
    assert [names(wave) for wave in stop_waves(STACK, STACK.keys)] == [["proxy", "cache"], ["web"], ["db"]]


def test_only_what_is_meant_ends() -> None:
    assert [names(wave) for wave in stop_waves(STACK, keys("web", "db", "cache"))] == [["cache", "web"], ["db"]]
    assert stop_waves(STACK, []) == []
