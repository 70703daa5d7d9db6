"""One service of a compose file as a service of the stack."""

import re
from dataclasses import dataclass, replace

from revieee.model.reading.compose.build import read_build, read_image, read_platform
from revieee.model.reading.compose.environment import read_environment, read_labels
from revieee.model.reading.compose.limits import read_limits, read_restart, read_ulimits
from revieee.model.reading.compose.mounts import read_mounts
from revieee.model.reading.compose.networks import host_name, read_aliases, read_extra_hosts, read_links
from revieee.model.reading.compose.ports import Listening, read_expose, read_ports
from revieee.model.reading.compose.secrets import Store
from revieee.model.reading.compose.table import DEPENDENCY, HEALTHCHECK, SERVICE, survey
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Mapping, Node
from revieee.model.stack import QUICKEST_CHECK, Condition, Dependency, Healthcheck, Service

_SIGNAL = re.compile(r"(?:SIG)?[A-Z][A-Z0-9+-]{1,12}|[0-9]{1,2}")
_CHECKS = ("NONE", "CMD", "CMD-SHELL")
_USUAL_GRACE = 10.0
_LONGEST_GRACE = 60.0
"""Seconds. A stop holds one of the engine's few connections all that time."""


@dataclass(frozen=True, slots=True)
class Project:
    """What the services of a compose file share."""

    reading: Reading
    scope: Scope
    volumes: frozenset[str]
    networks: frozenset[str]
    stores: tuple[Store, ...]
    without_mounts: frozenset[str]
    """Services whose mounts of the checkout are left out."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A service as its own lines say; what they say of others is still open."""

    at: Place
    service: Service
    listening: Listening
    image_name: str | None
    """``image``, also where the service is built: others may run it too."""
    depends_on: tuple[tuple[Dependency, Place], ...]
    links: tuple[tuple[str, str, Place], ...]
    """(service, alias, place)"""
    volumes_from: tuple[tuple[str, bool, Place], ...]
    """(service, read-only, place)"""


def read_service(project: Project, name: str, at: Place, node: Mapping) -> Draft:
    """Read a service in long form, merged and interpolated."""
    reading = project.reading
    survey(reading, node, SERVICE, f"Service {quote(name)}")
    build = read_build(reading, node.get("build"), project.scope)
    image = read_image(reading, node.get("image"))
    if node.get("build") is None and node.get("image") is None:
        reading.fault(at, f"Service {quote(name)} has neither `image` nor `build`. Say what it runs.")
    mounts = read_mounts(reading, node, project.volumes, copy=name not in project.without_mounts)
    for store in project.stores:
        store.mount(reading, node, project.scope, mounts)
    service = Service(
        name=name,
        image=None if build else image,
        build=build,
        environment=tuple(read_environment(reading, node, project.scope).items()),
        labels=tuple(read_labels(reading, node, project.scope).items()),
        healthcheck=read_healthcheck(reading, node.get("healthcheck")),
        volumes=tuple(mounts.volumes),
        tmpfs=tuple(mounts.tmpfs),
        files=tuple({file.target: file for file in mounts.files}.values()),
        ulimits=read_ulimits(reading, node),
        limits=read_limits(reading, node),
        aliases=read_aliases(reading, node, project.networks),
        extra_hosts=read_extra_hosts(reading, node),
        platform=read_platform(reading, node.get("platform")),
    )
    return Draft(
        at=at,
        service=_with_process(reading, node, service),
        listening=Listening(name, at, read_ports(reading, node), read_expose(reading, node), build is not None),
        image_name=image,
        depends_on=_depends_on(reading, node),
        links=read_links(reading, node),
        volumes_from=_volumes_from(reading, node),
    )


def _with_process(reading: Reading, node: Mapping, service: Service) -> Service:
    """Add how the process runs."""
    values = reading.values
    restart, tries = read_restart(reading, node)
    shm_size = values.size(node.get("shm_size"), "`shm_size`")
    return replace(
        service,
        entrypoint=values.command(node.get("entrypoint"), "`entrypoint`"),
        command=values.command(node.get("command"), "`command`"),
        user=values.text(node.get("user"), "`user`"),
        working_dir=values.text(node.get("working_dir"), "`working_dir`"),
        hostname=_hostname(reading, node.get("hostname")),
        stop_signal=_signal(reading, node.get("stop_signal")),
        stop_grace_period=_grace(reading, node.get("stop_grace_period")),
        init=bool(values.flag(node.get("init"), "`init`")),
        read_only=bool(values.flag(node.get("read_only"), "`read_only`")),
        tty=bool(values.flag(node.get("tty"), "`tty`")),
        stdin_open=bool(values.flag(node.get("stdin_open"), "`stdin_open`")),
        shm_size=None if shm_size is None else min(shm_size, reading.limits.memory),
        restart=restart,
        max_retries=tries,
    )


def _grace(reading: Reading, node: Node | None) -> float:
    """Read how long a service may take to stop; what is longer than the most is lowered to it."""
    seconds = reading.values.duration(node, "`stop_grace_period`")
    if node is None or seconds is None:
        return _USUAL_GRACE
    if seconds > _LONGEST_GRACE:
        reading.notice(node.at, f"`stop_grace_period` is lowered to {_LONGEST_GRACE:g} s, the most there is.")
    return min(seconds, _LONGEST_GRACE)


def read_healthcheck(reading: Reading, node: Node | None) -> Healthcheck | None:
    """Read ``healthcheck``."""
    check = reading.values.mapping(node, "`healthcheck`")
    if check is None:
        return None
    survey(reading, check, HEALTHCHECK, "`healthcheck`")
    values = reading.values
    if values.flag(check.get("disable"), "`disable`"):
        return Healthcheck(test=("NONE",))
    return Healthcheck(
        test=_test(reading, check.get("test")),
        interval=_interval(reading, check.get("interval")),
        timeout=values.duration(check.get("timeout"), "`timeout`"),
        retries=values.whole(check.get("retries"), "`retries`", most=1000),
        start_period=values.duration(check.get("start_period"), "`start_period`"),
    )


def _interval(reading: Reading, node: Node | None) -> float | None:
    """Read how often it runs; less than the least between two runs is raised to it, and 0 is the image's own."""
    seconds = reading.values.duration(node, "`interval`")
    if node is None or not seconds or seconds >= QUICKEST_CHECK:
        return seconds
    reading.notice(node.at, f"`interval` is raised to {QUICKEST_CHECK:g} s, the least there is.")
    return QUICKEST_CHECK


def _test(reading: Reading, node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    if isinstance(node, Mapping):
        reading.values.texts(node, "`test`")
        return ()
    found = reading.values.texts(node, "`test`")
    if hasattr(node, "text"):
        return ("CMD-SHELL", *found) if found else ()
    if not found or found[0] not in _CHECKS:
        reading.fault(node.at, "`test` as a list begins with CMD, CMD-SHELL or NONE. Write `[CMD, program, argument]`.")
        return ()
    return found


def _hostname(reading: Reading, node: Node | None) -> str | None:
    name = reading.values.text(node, "`hostname`")
    return name if node is not None and name and host_name(reading, node.at, name, "`hostname`") else None


def _signal(reading: Reading, node: Node | None) -> str | None:
    name = reading.values.text(node, "`stop_signal`")
    if node is None or name is None or _SIGNAL.fullmatch(name):
        return name
    reading.fault(node.at, f"`stop_signal`: {quote(name)} is no signal. Write it like `SIGINT`.")
    return None


def _depends_on(reading: Reading, node: Mapping) -> tuple[tuple[Dependency, Place], ...]:
    dependencies = reading.values.mapping(node.get("depends_on"), "`depends_on`")
    found: list[tuple[Dependency, Place]] = []
    for name, entry in dependencies.entries.items() if dependencies else ():
        options = reading.values.mapping(entry.value, f"`depends_on`: {quote(name)}")
        survey(reading, options, DEPENDENCY, "`depends_on`")
        values = reading.values
        condition = values.choice(options.get("condition"), "`condition`", tuple(Condition)) if options else None
        required = values.flag(options.get("required"), "`required`") if options else None
        found.append((
            Dependency(
                service=name,
                condition=Condition(condition) if condition else Condition.STARTED,
                required=required is not False,
            ),
            entry.at,
        ))  # fmt: skip
    return tuple(found)


def _volumes_from(reading: Reading, node: Mapping) -> tuple[tuple[str, bool, Place], ...]:
    found: list[tuple[str, bool, Place]] = []
    for item in reading.values.sequence(node.get("volumes_from"), "`volumes_from`"):
        text = reading.values.text(item, "`volumes_from`")
        if text is None:
            continue
        name, _, mode = text.partition(":")
        if name == "container":
            reading.fault(item.at, f"`volumes_from`: {quote(text)} is a container of others. Name a service.")
        else:
            found.append((name, mode == "ro", item.at))
    return tuple(found)
