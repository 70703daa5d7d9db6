"""What ``revieee doctor`` says of a Docker engine."""

import os
from collections.abc import Iterator, Sequence

from revieee.clients.docker import DockerAnswered, DockerClient, DockerError, DockerForbidden, Json
from revieee.engines.docker.host import is_lent
from revieee.engines.docker.walls import BUILDS
from revieee.engines.docker.watch import is_here, loadable, parted, planned, standing
from revieee.model.policy import EngineOptions
from revieee.ports import Finding, Severity

_OLDEST = "1.41"
_LIMITS = {"MemoryLimit": "memory", "CpuCfsQuota": "CPU", "PidsLimit": "process"}


async def check(client: DockerClient, options: EngineOptions) -> Sequence[Finding]:
    """Look at the engine and the walls."""
    try:
        version = await client.call("GET", "version")
        info = await client.call("GET", "info")
    except DockerForbidden:
        mend = "run Revieee as root, or add its user to the group docker"
        return [_bad("engine", f"The socket {client.host} is closed to this user.", mend)]
    except DockerAnswered as error:
        return [_bad("engine", f"The Docker engine at {client.host} says: {error}", f"install API {_OLDEST} or newer")]
    except DockerError as error:
        mend = "start it (systemctl start docker), or set REVIEEE_DOCKER_HOST to where it listens"
        return [_bad("engine", f"No Docker engine answers at {client.host} ({error}).", mend)]
    walls = (await _walls(options), *await _neighbours(options), *_address(options))
    return [_version(version, client.host), *_settings(info), *walls]


def _version(version: Json, host: str) -> Finding:
    return _good("engine", f"Docker {version.get('Version')} (API {version.get('ApiVersion')}) answers at {host}.")


def _settings(info: Json) -> Iterator[Finding]:
    """Tell of what the host's kernel and the daemon's settings lack."""
    if info.get("OSType") != "linux":
        yield _bad("engine", f"It runs {info.get('OSType')} containers.", "use an engine that runs Linux containers")
    driver = info.get("Driver")
    if driver == "vfs":
        yield _warning("storage", "The storage driver vfs copies every layer.", "use overlay2, see docker info")
    else:
        yield _good("storage", f"Images and containers are kept by {driver} in {info.get('DockerRootDir')}.")
    missing = [name for key, name in _LIMITS.items() if not info.get(key)]
    if missing:
        mend = "mount the control groups of these kinds (cgroup 2 has them all)"
        yield _bad("limits", f"Limits do not hold here: {', '.join(missing)}.", mend)
    else:
        yield _good("limits", f"Limits hold (control groups version {info.get('CgroupVersion', '1')}).")
    if not any("seccomp" in str(one) for one in info.get("SecurityOptions") or ()):
        yield _warning(
            "seccomp", "System calls of containers are not filtered.", "use a kernel and engine with seccomp"
        )
    if not info.get("IPv4Forwarding", True):
        yield _bad("forwarding", "The kernel forwards no packets.", "sysctl -w net.ipv4.ip_forward=1")


async def _walls(options: EngineOptions) -> Finding:
    if not options.walls:
        return _warning("walls", "The firewall table is turned off in the settings.", "let something else do its work")
    if not is_here(options):
        mend = "run Revieee on the engine's host, or load the rules there (docs/engines.md)"
        return _warning("walls", "The engine is on another host; the firewall table is kept on this one.", mend)
    walls = planned(options)
    if await standing(walls):
        return _good("walls", f"The firewall table {walls.table} stands with {walls.rules} rules.")
    if os.geteuid():
        return _untold("walls", f"the firewall table {walls.table}")
    mend = "start revieee serve as root, with nftables installed: it loads the table and puts it back within 10 s"
    return _bad("walls", f"The firewall table {walls.table} is not there, or not as it should be.", mend)


async def _neighbours(options: EngineOptions) -> Sequence[Finding]:
    """Say whether what builds do on their bridge stays between them and the world."""
    if not options.walls or not is_here(options):
        return ()
    by_name, by_address = (parted(options, named=named) for named in (True, False))
    if await standing(by_name):
        return [_good("neighbours", f"Builds reach nobody else on {BUILDS}: the table bridge {by_name.table} stands.")]
    if await standing(by_address):
        words = f"Builds reach nobody else on {BUILDS}, told by addresses: the table bridge {by_name.table} stands."
        return [_good("neighbours", words)]
    if os.geteuid():
        return [_untold("neighbours", f"the firewall table bridge {by_name.table}")]
    if not await loadable(by_address):
        words = f"The kernel filters no bridged frames: builds reach each other and any container on {BUILDS}."
        mend = f"use a kernel with nftables' bridge family (CONFIG_NF_TABLES_BRIDGE), and keep nothing else on {BUILDS}"
        return [_warning("neighbours", words, mend)]
    words = f"The firewall table bridge {by_name.table} is not there, or not as it should be."
    return [_bad("neighbours", words, "start revieee serve as root: it loads the table and renews it every 10 s")]


def _untold(subject: str, what: str) -> Finding:
    return _warning(subject, f"This user cannot see whether {what} stands.", "run revieee doctor as root")


def _address(options: EngineOptions) -> Iterator[Finding]:
    """Say whether the host has the address at which containers reach the router; without it nginx cannot start."""
    if options.router is None or not options.walls:
        return
    host = options.router.host
    if is_lent(options):
        yield _good("address inside", f"Containers reach their own URLs at {host}.")
    else:
        words = f"The address {host}, at which containers reach their own URLs, is not on this machine."
        yield _bad("address inside", words, "start revieee serve as root: it gives it to `lo`, and back within 10 s")


def _good(subject: str, words: str) -> Finding:
    return Finding(subject=subject, severity=Severity.GOOD, words=words)


def _warning(subject: str, words: str, mend: str) -> Finding:
    return Finding(subject=subject, severity=Severity.WARNING, words=words, mend=mend)


def _bad(subject: str, words: str, mend: str) -> Finding:
    return Finding(subject=subject, severity=Severity.BAD, words=words, mend=mend)
