"""From a task to the values that the Engine API takes. Pure: nothing here talks to an engine.

Field names are those of the API's reference, ``POST /containers/create`` and ``POST /networks/create``, version 1.41.
"""

import ipaddress
import posixpath
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from revieee.engines.docker.names import RESERVED, Names
from revieee.model.image import Image
from revieee.model.policy import EngineOptions
from revieee.model.resolve import ResolvedHook, ResolvedStack, Task
from revieee.model.stack import QUICKEST_CHECK, Healthcheck, Restart, TmpfsMount
from revieee.ports import Placement

Value: TypeAlias = dict[str, object]

CAPABILITIES = (
    "CHOWN",  # entrypoints of postgres, mariadb, redis hand their volume to the user they then become
    "DAC_OVERRIDE",  # as root they write into folders of that user
    "FOWNER",  # and change the mode of what is no longer theirs
    "FSETID",  # keeping set-group-id bits when doing so
    "KILL",  # a supervisor that is root ends workers that are not
    "NET_BIND_SERVICE",  # nginx and Apache listen on port 80
    "SETGID",  # becoming that user
    "SETUID",
    "SETPCAP",  # setpriv gives capabilities up with it
)
"""What a container's root may do. Docker's own list has AUDIT_WRITE, MKNOD, NET_RAW, SETFCAP and SYS_CHROOT as well,
which no ordinary web application needs: NET_RAW forges packets, MKNOD and SETFCAP are steps of known escapes."""

_NANO = 10**9
_USUAL_INTERVAL = 30.0
"""Docker's own, in seconds."""
_LEAST_TIME = 0.001
"""Seconds; the API takes none below it."""


def network(placement: Placement, options: EngineOptions) -> Value:
    """Render an environment's network: a bridge of our own name, its subnet, the first address as gateway."""
    names = Names(placement)
    pool: list[Value] = []
    if placement.subnet is not None:
        subnet = ipaddress.ip_network(placement.subnet)
        pool = [{"Subnet": str(subnet), "Gateway": str(subnet[1])}]
    return {
        "Name": names.network,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Options": {"com.docker.network.bridge.name": names.bridge(options.network_prefix)},
        "IPAM": {"Driver": "default", "Config": pool},
        "Labels": names.shared_labels() | {"revieee.name": placement.name},
    }


def container(placement: Placement, stack: ResolvedStack, task: Task, options: EngineOptions) -> Value:
    """Render a task's container."""
    service = task.service
    value = _common(placement, task)
    value |= {
        "Labels": _own(service.labels) | Names(placement).labels(service=service.name, key=task.key, port=task.port),
        "NetworkingConfig": _networking(placement, stack, task.key, (service.name, *service.aliases)),
    }
    if service.entrypoint is not None:
        value["Entrypoint"] = _entrypoint(service.entrypoint)
    if service.command is not None:
        value["Cmd"] = list(service.command)
    if service.healthcheck is not None or task.image.healthcheck:
        value["Healthcheck"] = _healthcheck(service.healthcheck or Healthcheck(test=()), task.image)
    host = _host(placement, task, options)
    host |= {
        "RestartPolicy": _restart(task),
        "ExtraHosts": _hosts(placement, stack, task, options),
        "Mounts": _mounts(placement, task, task.key),
    }
    return value | {"HostConfig": host}


def hook_container(placement: Placement, stack: ResolvedStack, hook: ResolvedHook, options: EngineOptions) -> Value:
    """Render a hook's container: its task's, with another command, run once and watched by nobody."""
    task = hook.task
    value = _common(placement, task)
    value |= {
        "Labels": _own(task.service.labels) | Names(placement).labels(service=task.service.name, key=hook.name),
        "NetworkingConfig": _networking(placement, stack, hook.name, ()),
        "Cmd": list(hook.hook.command),
        "Healthcheck": {"Test": ["NONE"]},
    }
    if task.service.entrypoint is not None:
        value["Entrypoint"] = _entrypoint(task.service.entrypoint)
    host = _host(placement, task, options)
    host |= {
        "RestartPolicy": {"Name": "no"},
        "ExtraHosts": _hosts(placement, stack, task, options, own=False),
        "Mounts": _mounts(placement, task, hook.name),
    }
    return value | {"HostConfig": host}


def _common(placement: Placement, task: Task) -> Value:
    """What does not depend on whether it is a task or a hook."""
    service = task.service
    environment = dict(task.injected) | dict(placement.secrets) | dict(service.environment)
    value: Value = {
        "Image": task.image.id,
        "Env": [f"{name}={text}" for name, text in environment.items()],
        "Tty": service.tty,
        "OpenStdin": service.stdin_open,
        "StopTimeout": max(0, round(service.stop_grace_period)),
    }
    optional = {
        "User": service.user,
        "WorkingDir": service.working_dir,
        "Hostname": service.hostname,
        "StopSignal": service.stop_signal,
    }
    return value | {name: text for name, text in optional.items() if text is not None}


def _host(placement: Placement, task: Task, options: EngineOptions) -> Value:
    service = task.service
    own, usual = service.limits, options.limits.part(1.0 if placement.trusted else options.stranger_share)
    memory = own.memory or usual.memory or 0
    value: Value = {
        "NetworkMode": Names(placement).network,
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": round((own.cpus or usual.cpus or 0) * _NANO),
        "PidsLimit": own.pids or usual.pids or 0,
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "SecurityOpt": ["no-new-privileges:true"],
        "Init": service.init,
        "ReadonlyRootfs": service.read_only,
        "IpcMode": "private",
        "Tmpfs": {mount.target: _tmpfs(mount) for mount in service.tmpfs},
        "Ulimits": [{"Name": one.name, "Soft": one.soft, "Hard": one.hard} for one in service.ulimits],
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(options.log_size), "max-file": str(options.log_files)},
        },
    }
    if service.shm_size is not None:
        value["ShmSize"] = service.shm_size
    if options.resolvers:
        value["Dns"] = list(options.resolvers)
    return value


def _entrypoint(words: Sequence[str]) -> list[str]:
    """An empty list would keep the image's own; one empty word clears it."""
    return list(words) or [""]


def _own(labels: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The author's labels, without those that mean something to us or to Docker."""
    return {name: text for name, text in labels if not name.lower().startswith(RESERVED)}


def _networking(placement: Placement, stack: ResolvedStack, key: str, aliases: Sequence[str]) -> Value:
    endpoint: Value = {"Aliases": list(dict.fromkeys(aliases))}
    address = stack.address(key)
    if address is not None:
        endpoint["IPAMConfig"] = {"IPv4Address": address}
    return {"EndpointsConfig": {Names(placement).network: endpoint}}


def _hosts(
    placement: Placement, stack: ResolvedStack, task: Task, options: EngineOptions, *, own: bool = True
) -> list[str]:
    """The entries of ``/etc/hosts``; the first of a name wins, so its own release comes before everything.

    A task's own names are among them: an alias would be shared with the old release's container while both are there.
    """
    names = {name: stack.address(key) for name, key in task.peers}
    mine = dict.fromkeys((task.service.name, *task.service.aliases), stack.address(task.key)) if own else {}
    entries = {name: address for name, address in (mine | names).items() if address is not None}
    for name, address in task.service.extra_hosts:
        entries.setdefault(name, address)
    if options.router is not None:
        entries |= dict.fromkeys(placement.hostnames, options.router.host)
    return [f"{name}:{address}" for name, address in entries.items()]


def _mounts(placement: Placement, task: Task, key: str) -> list[Value]:
    """The author's volumes, and one of ours for each ``VOLUME`` of the image that nothing of theirs lies on.

    Docker would make an anonymous one instead, without labels, that outlives the container.
    """
    names, service = Names(placement), task.service
    mounts = [
        _mount(names.volume(one.volume), one.target, read_only=one.read_only, labels=names.shared_labels())
        for one in service.volumes
    ]
    targets = [*(one.target for one in service.volumes), *(one.target for one in service.tmpfs)]
    taken = {posixpath.normpath(target) for target in targets}
    labels = names.labels(service=service.name, key=key)
    paths = dict.fromkeys(posixpath.normpath(path) for path in task.image.volumes)
    mounts += (
        _mount(names.private_volume(key, path), path, read_only=False, labels=labels)
        for path in paths
        if path not in taken
    )
    return mounts


def _mount(source: str, target: str, *, read_only: bool, labels: Mapping[str, str]) -> Value:
    return {
        "Type": "volume",
        "Source": source,
        "Target": target,
        "ReadOnly": read_only,
        "VolumeOptions": {"Labels": dict(labels)},
    }


def _tmpfs(mount: TmpfsMount) -> str:
    """Mount options; what lies in it counts as the container's memory."""
    options = ["rw", "nosuid", "nodev"]
    if mount.size is not None:
        options.append(f"size={mount.size}")
    if mount.mode is not None:
        options.append(f"mode={mount.mode:o}")
    return ",".join(options)


def _restart(task: Task) -> Value:
    service = task.service
    value: Value = {"Name": service.restart.value}
    if service.restart is Restart.ON_FAILURE and service.max_retries is not None:
        value["MaximumRetryCount"] = service.max_retries
    return value


def _healthcheck(check: Healthcheck, image: Image) -> Value:
    """An empty test keeps the image's; a time of 0 does as well, so the interval is always told.

    The oldest API has no word for the image's start interval; it has no part in a start period of no length.
    """
    if check.test == ("NONE",):
        return {"Test": ["NONE"]}
    interval = max(QUICKEST_CHECK, check.interval or image.health_interval or _USUAL_INTERVAL)
    start_period = _LEAST_TIME if image.health_rush else check.start_period
    times = {"Interval": interval, "Timeout": check.timeout, "StartPeriod": start_period}
    value: Value = {"Test": list(check.test)}
    value |= {name: round(seconds * _NANO) for name, seconds in times.items() if seconds is not None}
    if check.retries is not None:
        value["Retries"] = check.retries
    return value
