"""From a stack and its images to services under content-addressed keys."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.model.image import Image
from revieee.model.resolve import DEFAULT_PORT, RESOLVED, ResolvedStack, in_dependency_order, resolve
from revieee.model.stack import (
    Build,
    Condition,
    Dependency,
    Exposure,
    Healthcheck,
    MountedFile,
    Probe,
    Restart,
    Service,
    ServiceLimits,
    Stack,
    TmpfsMount,
    Ulimit,
    VolumeMount,
)

DB = Service(name="db", image="postgres", aliases=("database",))
WEB = Service(name="web", image="web", depends_on=(Dependency(service="db", condition=Condition.HEALTHY),))
PROXY = Service(name="proxy", image="nginx", depends_on=(Dependency(service="web"),))
STACK = Stack(services=(PROXY, WEB, DB), exposures=(Exposure(service="proxy"),))


def resolved(stack: Stack = STACK, *, salt: str = "", ids: Mapping[str, str] = MappingProxyType({})) -> ResolvedStack:
    images = {one.name: Image(id=ids.get(one.name, f"sha256:{one.name}"), reference=one.name) for one in stack.services}
    return resolve(stack, images, (("BRANCH", "main"),), salt=salt)


def key(stack: ResolvedStack, service: str) -> str:
    return stack.task_of(service).key


def with_db(**changes: object) -> ResolvedStack:
    changed = replace(DB, **changes)  # type: ignore[arg-type] # each test names fields of its own
    return resolved(replace(STACK, services=(PROXY, WEB, changed)))


OTHER_VALUES = {
    "entrypoint": ("other",),
    "command": ("other",),
    "environment": (("A", "b"),),
    "labels": (("a", "b"),),
    "user": "other",
    "working_dir": "/other",
    "hostname": "other",
    "stop_signal": "SIGINT",
    "stop_grace_period": 1.0,
    "init": True,
    "read_only": True,
    "tty": True,
    "stdin_open": True,
    "shm_size": 1,
    "restart": Restart.ON_FAILURE,
    "max_retries": 1,
    "healthcheck": Healthcheck(test=("NONE",)),
    "probe": Probe(path="/other"),
    "volumes": (VolumeMount(volume="v", target="/v"),),
    "tmpfs": (TmpfsMount(target="/t"),),
    "files": (MountedFile(target="/f", content=b"f"),),
    "ulimits": (Ulimit(name="nofile", soft=1, hard=1),),
    "limits": ServiceLimits(memory=1),
    "aliases": ("other",),
    "extra_hosts": (("a", "192.0.2.1"),),
    "platform": "linux/arm64",
}
NOT_IN_THE_KEY = {"name", "image", "build", "depends_on"}
"""The name is in front of the hash; image and dependencies count by what they turned out to be."""


@pytest.mark.parametrize("field", [one.name for one in fields(Service) if one.name not in NOT_IN_THE_KEY])
def test_whatever_the_author_changes_makes_another_key(field: str) -> None:
    assert key(with_db(**{field: OTHER_VALUES[field]}), "db") != key(resolved(), "db")


def test_a_file_that_changes_inside_makes_another_key() -> None:
    first = with_db(files=(MountedFile(target="/f", content=b"one"),))
    second = with_db(files=(MountedFile(target="/f", content=b"two"),))
    assert key(first, "db") != key(second, "db")


def test_the_same_content_has_the_same_key_whatever_is_injected() -> None:
    other = resolve(STACK, {one.name: Image(id=f"sha256:{one.name}", reference="x") for one in STACK.services}, ())
    assert other.keys == resolved().keys


def test_how_an_image_came_to_be_does_not_matter_only_which_it_is() -> None:
    built = with_db(image=None, build=Build(context="db"))
    assert built.keys == resolved().keys


@pytest.mark.parametrize(
    ("changed", "others"), [("db", {"web", "proxy"}), ("web", {"proxy"}), ("proxy", set())], ids=["db", "web", "proxy"]
)
def test_what_depends_on_a_changed_service_changes_with_it_and_nothing_else(changed: str, others: set[str]) -> None:
    before, after = resolved(), resolved(ids={changed: "sha256:other"})
    differ = {one for one in ("db", "web", "proxy") if key(before, one) != key(after, one)}
    assert differ == {changed, *others}


def test_the_salt_makes_every_key_another() -> None:
    assert not resolved(salt="commit").keys & resolved().keys


def test_peers_are_all_it_depends_on_by_every_name() -> None:
    stack = resolved()
    db, web = key(stack, "db"), key(stack, "web")
    assert dict(stack.task_of("proxy").peers) == {"web": web, "db": db, "database": db}
    assert dict(stack.task_of("web").peers) == {"db": db, "database": db}
    assert stack.task_of("db").peers == ()
    assert stack.task_of("web").requires == (Dependency(service=db, condition=Condition.HEALTHY),)


@pytest.mark.parametrize(
    ("declared", "exposed", "port"),
    [(3000, (80, 443), 3000), (None, (80, 443), 80), (None, (), DEFAULT_PORT)],
    ids=["declared", "the image's", "nobody says"],
)
def test_the_port_is_the_one_declared_else_the_images_else_the_usual(
    declared: int | None, exposed: tuple[int, ...], port: int
) -> None:
    stack = Stack(services=(DB,), exposures=(Exposure(service="db", port=declared),))
    task = resolve(stack, {"db": Image(id="x", reference="x", ports=exposed)}, ()).task_of("db")
    assert task.port == port
    assert dict(task.injected)["PORT"] == str(port)


def test_a_service_without_a_url_has_no_port_to_probe() -> None:
    task = resolved().task_of("db")
    assert task.port is None
    assert dict(task.injected) == {"BRANCH": "main", "PORT": str(DEFAULT_PORT)}


def test_the_authors_order_is_kept_and_dependencies_come_first_where_it_matters() -> None:
    assert [task.service.name for task in resolved().tasks] == ["proxy", "web", "db"]
    assert [one.name for one in in_dependency_order(STACK.services)] == ["db", "web", "proxy"]


def test_a_circle_is_named() -> None:
    services = (
        Service(name="a", depends_on=(Dependency(service="b"),)),
        Service(name="b", depends_on=(Dependency(service="c"),)),
        Service(name="c", depends_on=(Dependency(service="b"),)),
    )
    with pytest.raises(ValueError, match="circle: b → c → b"):
        in_dependency_order(services)


def test_a_dependency_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="'web' depends on 'db', which is not there"):
        in_dependency_order((WEB,))


def test_a_long_chain_is_no_trouble() -> None:
    chain = tuple(
        Service(name=f"s{number}", depends_on=(Dependency(service=f"s{number + 1}"),)) for number in range(3000)
    )
    ordered = in_dependency_order((*chain, Service(name="s3000")))
    assert [one.name for one in ordered] == [f"s{number}" for number in range(3000, -1, -1)]


@given(st.lists(st.sets(st.integers(0, 12)), max_size=13).flatmap(lambda on: st.permutations(list(enumerate(on)))))
def test_each_comes_after_all_it_depends_on(graph: list[tuple[int, set[int]]]) -> None:
    services = tuple(
        Service(name=str(one), depends_on=tuple(Dependency(service=str(each)) for each in on if each < one))
        for one, on in graph
    )
    ordered = in_dependency_order(services)
    places = {one.name: place for place, one in enumerate(ordered)}
    assert len(ordered) == len(services)
    assert all(places[other.service] < places[one.name] for one in services for other in one.depends_on)


@given(st.text(min_size=1, max_size=80))
def test_keys_of_whatever_name_are_names_on_any_engine(name: str) -> None:
    stack = Stack(services=(replace(DB, name=name),))
    (task,) = resolve(stack, {name: Image(id="x", reference="x")}, ()).tasks
    assert len(task.key) <= 63
    assert task.key.replace("-", "").isalnum()
    assert task.key.isascii()


def test_a_resolved_stack_is_stored_as_it_is() -> None:
    stack = with_db(files=(MountedFile(target="/f", content=bytes(range(256))),))
    assert RESOLVED.validate_json(RESOLVED.dump_json(stack)) == stack


def test_tasks_are_found_by_key_and_by_service() -> None:
    stack = resolved()
    task = stack.task_of("db")
    assert stack.task(task.key) == task
    for missing in (stack.task, stack.task_of):
        with pytest.raises(KeyError):
            missing("nothing")
    assert stack.address(task.key) is None
    assert replace(stack, addresses=((task.key, "10.0.0.2"),)).address(task.key) == "10.0.0.2"
