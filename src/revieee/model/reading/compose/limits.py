"""Limits, in compose files and in revieee.yml: they may be lower than the policy's, never higher."""

from collections.abc import Mapping as AnyMapping
from typing import TypeVar

from revieee.model.reading.compose.table import (
    DEPLOY,
    RESERVATIONS,
    RESOURCE_LIMITS,
    RESOURCES,
    RESTART_POLICY,
    ULIMIT,
    survey,
)
from revieee.model.reading.files import Reading
from revieee.model.reading.findings import quote
from revieee.model.reading.yaml_nodes import Mapping, Node, Scalar
from revieee.model.stack import Restart, ServiceLimits, Ulimit

_Number = TypeVar("_Number", int, float)

ULIMITS = frozenset({
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nofile", "nproc", "rss", "sigpending", "stack",
})  # fmt: skip
"""Those of ``setrlimit(2)`` that take nothing from others (``nice``, ``rtprio`` and ``rttime`` would)."""

_RESTARTS: AnyMapping[str, Restart] = {
    "no": Restart.NO,
    "none": Restart.NO,
    "always": Restart.UNLESS_STOPPED,
    "any": Restart.UNLESS_STOPPED,
    "unless-stopped": Restart.UNLESS_STOPPED,
    "on-failure": Restart.ON_FAILURE,
}


_LEAST_CPUS = 0.01
"""The kernel's least share; what rounds to nothing would be no limit at all."""


def lowered(
    reading: Reading, node: Node, value: _Number | None, most: _Number, what: str, unit: str = ""
) -> _Number | None:
    """Give a limit, lowered to the policy's where it is higher; a notice says so."""
    if value is None or value <= most:
        return value
    number = f"{most:,}".removesuffix(".0")
    reading.notice(node.at, f"{what} is lowered to {number}{unit}, the most that this Revieee allows.")
    return most


def limits_of(reading: Reading, node: Mapping) -> ServiceLimits:
    """Read ``memory``, ``cpus`` and ``pids``."""
    values, most = reading.values, reading.limits
    memory, cpus, pids = node.get("memory"), node.get("cpus"), node.get("pids")
    bytes_value, pids_value = values.size(memory, "`memory`"), values.whole(pids, "`pids`", least=-1)
    pids_value = pids_value if pids_value and pids_value > 0 else None
    cpus_value = values.decimal(cpus, "`cpus`", least=_LEAST_CPUS)
    return ServiceLimits(
        memory=lowered(reading, node, bytes_value or None, most.memory, "The limit of memory", " bytes"),
        cpus=lowered(reading, node, cpus_value, most.cpus, "The limit of CPUs"),
        pids=lowered(reading, node, pids_value, most.pids, "The limit of processes"),
    )


def read_limits(reading: Reading, service: Mapping) -> ServiceLimits:
    """Read a service's limits: ``deploy.resources.limits``, else the older keys."""
    deploy = reading.values.mapping(service.get("deploy"), "`deploy`")
    survey(reading, deploy, DEPLOY, "`deploy`")
    resources = reading.values.mapping(deploy.get("resources") if deploy else None, "`resources`")
    survey(reading, resources, RESOURCES, "`deploy.resources`")
    reservations = reading.values.mapping(resources.get("reservations") if resources else None, "`reservations`")
    survey(reading, reservations, RESERVATIONS, "`deploy.resources.reservations`")
    limits = reading.values.mapping(resources.get("limits") if resources else None, "`limits`")
    survey(reading, limits, RESOURCE_LIMITS, "`deploy.resources.limits`")
    older = {"memory": "mem_limit", "cpus": "cpus", "pids": "pids_limit"}
    entries = {name: service.entries[key] for name, key in older.items() if key in service.entries}
    entries |= limits.entries if limits else {}
    return limits_of(reading, Mapping(limits.at if limits else service.at, entries, 1)) if entries else ServiceLimits()


def read_restart(reading: Reading, service: Mapping) -> tuple[Restart, int | None]:
    """Read ``restart``, else ``deploy.restart_policy``: the policy and how often it tries."""
    node = service.get("restart")
    text = reading.values.text(node, "`restart`")
    if node is not None and text is not None:
        name, _, tries = text.partition(":")
        if name in _RESTARTS and name not in ("none", "any") and (not tries or name == "on-failure"):
            count = reading.values.whole(Scalar(node.at, tries), "`restart`", most=1000) if tries else None
            return _RESTARTS[name], count
        words = f"`restart`: {quote(text)} is none of no, always, on-failure[:N], unless-stopped."
        reading.fault(node.at, words)
        return Restart.NO, None
    deploy = service.get("deploy")
    found = deploy.get("restart_policy") if isinstance(deploy, Mapping) else None
    policy = reading.values.mapping(found, "`restart_policy`")
    if policy is None:
        return Restart.NO, None
    survey(reading, policy, RESTART_POLICY, "`deploy.restart_policy`")
    condition = reading.values.choice(policy.get("condition"), "`condition`", ("none", "on-failure", "any")) or "any"
    tries_node = policy.get("max_attempts")
    attempts = reading.values.whole(tries_node, "`max_attempts`", most=1000)
    return _RESTARTS[condition], attempts if condition == "on-failure" else None


def read_ulimits(reading: Reading, service: Mapping) -> tuple[Ulimit, ...]:
    """Read ``ulimits``."""
    ulimits = reading.values.mapping(service.get("ulimits"), "`ulimits`")
    found: list[Ulimit] = []
    for name, entry in ulimits.entries.items() if ulimits else ():
        if name not in ULIMITS:
            words = f"`ulimits`: {quote(name)} is not allowed here.{reading.nearest(name, ULIMITS)} Remove it."
            reading.fault(entry.at, words)
        elif isinstance(entry.value, Mapping):
            survey(reading, entry.value, ULIMIT, "`ulimits`")
            soft = reading.values.whole(entry.value.get("soft"), "`soft`", least=-1)
            hard = reading.values.whole(entry.value.get("hard"), "`hard`", least=-1)
            if soft is None or hard is None:
                reading.fault(entry.at, f"`ulimits`: {quote(name)} needs `soft` and `hard`.")
            else:
                found.append(Ulimit(name=name, soft=soft, hard=hard))
        elif (both := reading.values.whole(entry.value, f"`ulimits`: {quote(name)}", least=-1)) is not None:
            found.append(Ulimit(name=name, soft=both, hard=both))
    return tuple(found)
