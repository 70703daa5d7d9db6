"""What becomes of each key of the Compose specification. One that is not here is refused as unknown.

The manifest page shows these tables; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from revieee.model.reading.files import Reading
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Mapping as MappingNode
from revieee.model.reading.yaml_nodes import Node, Scalar, Sequence


class Treatment(StrEnum):
    """What happens to a key."""

    SUPPORTED = "supported"
    REWRITTEN = "rewritten"
    """Means something else here; a notice says so."""
    LEFT_OUT = "left out"
    """Changes nothing that a review needs; a notice says so."""
    REFUSED = "refused"
    """Could escape, or would silently run something else than the author means."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The treatment of one key, the reason as a sentence, and values that mean nothing and pass."""

    treatment: Treatment
    words: str = ""
    harmless: frozenset[str] = frozenset()


Table = Mapping[str, Rule]

_YES = Rule(Treatment.SUPPORTED)
_OFF = frozenset({"false", "no", "off", ""})


def _supported(names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), _YES)


def _rewritten(words: str, *harmless: str) -> Rule:
    return Rule(Treatment.REWRITTEN, words, frozenset(harmless))


def _left_out(words: str, *harmless: str) -> Rule:
    return Rule(Treatment.LEFT_OUT, words, frozenset(harmless))


def _refused(words: str, *harmless: str) -> Rule:
    return Rule(Treatment.REFUSED, words, frozenset(harmless) | _OFF)


_OWN_NETWORK = "every environment has its own network"
_HOST = "it reaches out of the container to the machine that runs it"
_TUNING = "the limits of the environment apply"
_CLUSTER = "it steers a cluster; a review runs one container of each service"
_BUILD_CACHE = "images are built with a cache of the repository's own"

TOP: Table = {
    **_supported("services volumes secrets configs networks include version name"),
    "models": _refused("language models are not provided here; run one as a service"),
}

SERVICE: Table = {
    **_supported("""
        build command configs cpus depends_on deploy entrypoint env_file environment expose extends extra_hosts
        healthcheck hostname image init label_file labels links mem_limit networks pids_limit platform ports profiles
        read_only restart secrets shm_size stdin_open stop_grace_period stop_signal tmpfs tty ulimits user volumes
        volumes_from working_dir
    """),
    "container_name": _rewritten(f"{_OWN_NETWORK}, and containers are named after service and content"),
    "mac_address": _rewritten(f"{_OWN_NETWORK} with addresses of its own"),
    "scale": _rewritten("a review runs one container of each service", "1"),
    "annotations": _left_out("nothing here reads annotations"),
    "attach": _left_out("the output of every service is kept"),
    "blkio_config": _left_out(_TUNING),
    "cap_drop": _left_out("all capabilities that an ordinary web app does not need are dropped anyway"),
    "cpu_count": _left_out(_TUNING),
    "cpu_percent": _left_out(_TUNING),
    "cpu_period": _left_out(_TUNING),
    "cpu_quota": _left_out(f"{_TUNING}; write `cpus`"),
    "cpu_shares": _left_out(_TUNING),
    "cpuset": _left_out(_TUNING),
    "develop": _left_out("a review runs what is committed, so there is nothing to watch"),
    "dns": _left_out("names are resolved by the environment's own resolver"),
    "dns_opt": _left_out("names are resolved by the environment's own resolver"),
    "dns_search": _left_out("names are resolved by the environment's own resolver"),
    "domainname": _left_out(f"{_OWN_NETWORK}; peers are reached by service name"),
    "group_add": _left_out("processes keep the groups of their image"),
    "logging": _left_out("the output of every service is kept by Revieee, within its limits"),
    "mem_reservation": _left_out(_TUNING),
    "mem_swappiness": _left_out(_TUNING),
    "memswap_limit": _left_out(_TUNING),
    "pull_policy": _left_out("images are refreshed on the schedule of this Revieee"),
    "pull_refresh_after": _left_out("images are refreshed on the schedule of this Revieee"),
    "cap_add": _refused("added capabilities could take over the machine"),
    "cgroup": _refused(_HOST, "private"),
    "cgroup_parent": _refused("it would leave the limits that hold for reviews"),
    "cpu_rt_period": _refused("real-time scheduling can starve the machine"),
    "cpu_rt_runtime": _refused("real-time scheduling can starve the machine"),
    "credential_spec": _refused(_HOST),
    "device_cgroup_rules": _refused("devices belong to the machine"),
    "devices": _refused("devices belong to the machine"),
    "external_links": _refused("it links to containers of others; run what is needed as a service of this file"),
    "gpus": _refused("devices belong to the machine"),
    "ipc": _refused("it shares memory with the machine or another container", "private", "shareable"),
    "isolation": _refused("it is for Windows containers", "default"),
    "models": _refused("language models are not provided here; run one as a service"),
    "network_mode": _refused(f"{_OWN_NETWORK}, which all its services share", "bridge", "default"),
    "oom_kill_disable": _refused("a service over its memory limit must be able to end"),
    "oom_score_adj": _refused("a service over its memory limit must be able to end", "0"),
    "pid": _refused("it shows the processes of the machine or of another container"),
    "post_start": _refused("commands in a started container do not exist here; use `hooks` in revieee.yml"),
    "pre_stop": _refused("commands in a container that stops do not exist here; use `hooks` in revieee.yml"),
    "privileged": _refused("a privileged container can take over the machine"),
    "provider": _refused("it would run a program on the machine"),
    "runtime": _refused("the runtime is chosen by whoever runs this Revieee", "runc"),
    "security_opt": _refused(
        "it weakens the walls around the container",
        "no-new-privileges:true",
        "no-new-privileges=true",
        "no-new-privileges",
    ),
    "storage_opt": _refused("disk limits are set by whoever runs this Revieee"),
    "sysctls": _refused("it changes settings of the kernel"),
    "use_api_socket": _refused("the engine's socket gives power over the machine"),
    "userns_mode": _refused(_HOST),
    "uts": _refused(_HOST),
}

BUILD: Table = {
    **_supported("context dockerfile dockerfile_inline target args"),
    "cache_from": _left_out(_BUILD_CACHE),
    "cache_to": _left_out(_BUILD_CACHE),
    "extra_hosts": _left_out("builds resolve names as the machine does"),
    "isolation": _left_out("it is for Windows containers"),
    "labels": _left_out("images carry the labels that their Dockerfile sets"),
    "network": _refused("a build may not choose its network", "default", "none"),
    "no_cache": _left_out(_BUILD_CACHE, *_OFF),
    "platforms": _left_out("images are built for the machine that runs them"),
    "provenance": _left_out("images stay on this machine"),
    "pull": _left_out("base images are refreshed on the schedule of this Revieee", *_OFF),
    "sbom": _left_out("images stay on this machine"),
    "shm_size": _left_out("all builds share one limit"),
    "tags": _left_out("images are tagged by repository, branch and commit"),
    "ulimits": _left_out("all builds share one limit"),
    "additional_contexts": _refused("a build has one context; copy what it needs into that folder"),
    "entitlements": _refused("a build gets no privileges"),
    "privileged": _refused("a build gets no privileges"),
    "secrets": _refused("builds get no secrets from the compose file"),
    "ssh": _refused("builds get no keys"),
}

DEPLOY: Table = {
    **_supported("resources restart_policy"),
    "replicas": _rewritten("a review runs one container of each service", "1"),
    "endpoint_mode": _left_out(_CLUSTER),
    "labels": _left_out(_CLUSTER),
    "mode": _left_out(_CLUSTER, "replicated"),
    "placement": _left_out(_CLUSTER),
    "rollback_config": _left_out(_CLUSTER),
    "update_config": _left_out(_CLUSTER),
}

RESOURCES: Table = _supported("limits reservations")

RESOURCE_LIMITS: Table = _supported("cpus memory pids")

RESERVATIONS: Table = {
    "cpus": _left_out(_TUNING),
    "memory": _left_out(_TUNING),
    "devices": _refused("devices belong to the machine"),
    "generic_resources": _refused("devices belong to the machine"),
}

RESTART_POLICY: Table = {
    **_supported("condition max_attempts"),
    "delay": _left_out("the engine chooses its pauses"),
    "window": _left_out("the engine chooses its pauses"),
}

HEALTHCHECK: Table = {
    **_supported("test interval timeout retries start_period disable"),
    "start_interval": _left_out("`interval` holds from the start"),
}

VOLUME_MOUNT: Table = {
    **_supported("type source target read_only bind volume tmpfs"),
    "consistency": _left_out("it is for Docker Desktop"),
    "image": _refused("images are not mounted into services; copy what is needed with a build"),
}

MOUNT_BIND: Table = {
    **_supported("create_host_path"),
    "propagation": _refused("files of the repository are copied in, not mounted from the machine", "rprivate"),
    "recursive": _left_out("files of the repository are copied in"),
    "selinux": _left_out("files of the repository are copied in"),
}

MOUNT_VOLUME: Table = {
    "labels": _left_out("volumes carry Revieee's labels"),
    "nocopy": _left_out("a new volume starts with what the image has there", *_OFF),
    "subpath": _refused("a volume is mounted as a whole; use a volume of its own"),
}

MOUNT_TMPFS: Table = _supported("size mode")

NETWORK_OF_SERVICE: Table = {
    **_supported("aliases"),
    "driver_opts": _refused("options of a network driver change the machine's network"),
    "gw_priority": _left_out(_OWN_NETWORK),
    "interface_name": _left_out(_OWN_NETWORK),
    "ipv4_address": _rewritten(f"{_OWN_NETWORK} with addresses of its own; peers are reached by service name"),
    "ipv6_address": _rewritten(f"{_OWN_NETWORK} with addresses of its own; peers are reached by service name"),
    "link_local_ips": _rewritten(f"{_OWN_NETWORK} with addresses of its own; peers are reached by service name"),
    "mac_address": _rewritten(f"{_OWN_NETWORK} with addresses of its own"),
    "priority": _left_out(_OWN_NETWORK),
}

NETWORK: Table = {
    "attachable": _left_out(_OWN_NETWORK),
    "driver": _rewritten(_OWN_NETWORK, "bridge", "default"),
    "driver_opts": _rewritten(_OWN_NETWORK),
    "enable_ipv4": _left_out(_OWN_NETWORK),
    "enable_ipv6": _left_out(_OWN_NETWORK),
    "external": _rewritten(f"{_OWN_NETWORK}, and what others run is not in it", *_OFF),
    "internal": _rewritten(f"{_OWN_NETWORK}, which all its services share", *_OFF),
    "ipam": _rewritten(f"{_OWN_NETWORK} with addresses of its own"),
    "labels": _left_out("networks carry Revieee's labels"),
    "name": _rewritten(_OWN_NETWORK),
}

VOLUME: Table = {
    "driver": _refused("volumes are local to the environment", "local", "default"),
    "driver_opts": _refused("options of a volume driver can mount any folder of the machine"),
    "external": _refused("every environment has volumes of its own; declare it without `external`"),
    "labels": _left_out("volumes carry Revieee's labels"),
    "name": _rewritten("every environment has volumes of its own"),
}

SECRET: Table = {
    **_supported("file environment content"),
    "driver": _refused("secrets come from files of the repository or from variables"),
    "driver_opts": _refused("secrets come from files of the repository or from variables"),
    "external": _refused("it is kept elsewhere; use `file`, `environment` or `content`"),
    "labels": _left_out("it becomes a file in the container, which has no labels"),
    "name": _left_out("it becomes a file in the container"),
    "template_driver": _refused("contents are taken as they are"),
}
"""Of ``secrets`` and ``configs``."""

FILE_MOUNT: Table = _supported("source target uid gid mode")

ENV_FILE: Table = _supported("path required format")

DEPENDENCY: Table = {
    **_supported("condition required"),
    "restart": _left_out("a service is replaced when one it depends on changes", *_OFF, "true"),
}

EXTENDS: Table = _supported("service file")

INCLUDE: Table = _supported("path project_directory env_file")

PORT: Table = {
    **_supported("target protocol"),
    "published": _rewritten("ports of the machine are not used: a service is reached by its URL and by its peers"),
    "host_ip": _rewritten("ports of the machine are not used: a service is reached by its URL and by its peers"),
    "app_protocol": _left_out("URLs speak HTTP"),
    "mode": _left_out(_CLUSTER),
    "name": _left_out("ports go by their number"),
}

ULIMIT: Table = _supported("soft hard")

TABLES: Mapping[str, tuple[str, Table]] = {
    "top level": ("", TOP),
    "service": ("services.*", SERVICE),
    "build": ("services.*.build", BUILD),
    "deploy": ("services.*.deploy", DEPLOY),
    "resources": ("services.*.deploy.resources", RESOURCES),
    "limits": ("services.*.deploy.resources.limits", RESOURCE_LIMITS),
    "reservations": ("services.*.deploy.resources.reservations", RESERVATIONS),
    "restart policy": ("services.*.deploy.restart_policy", RESTART_POLICY),
    "healthcheck": ("services.*.healthcheck", HEALTHCHECK),
    "mount": ("services.*.volumes.*", VOLUME_MOUNT),
    "mount of a folder": ("services.*.volumes.*.bind", MOUNT_BIND),
    "mount of a volume": ("services.*.volumes.*.volume", MOUNT_VOLUME),
    "mount in memory": ("services.*.volumes.*.tmpfs", MOUNT_TMPFS),
    "service's network": ("services.*.networks.*", NETWORK_OF_SERVICE),
    "network": ("networks.*", NETWORK),
    "volume": ("volumes.*", VOLUME),
    "secret or config": ("secrets.*, configs.*", SECRET),
    "service's secret or config": ("services.*.secrets.*, services.*.configs.*", FILE_MOUNT),
    "env file": ("services.*.env_file.*", ENV_FILE),
    "dependency": ("services.*.depends_on.*", DEPENDENCY),
    "extends": ("services.*.extends", EXTENDS),
    "include": ("include.*", INCLUDE),
    "port": ("services.*.ports.*", PORT),
    "ulimit": ("services.*.ulimits.*", ULIMIT),
}
"""All tables: what they are of, and the path in the compose file."""


def survey(reading: Reading, node: MappingNode | None, table: Table, what: str) -> None:
    """Go through the keys of a mapping: unknown and refused ones are faults, others that change are notices.

    Args:
        reading: takes what is found.
        node: the mapping.
        table: what becomes of its keys.
        what: its name for a message, like ``service `web` ``.
    """
    for key, entry in node.entries.items() if node else ():
        if key.startswith("x-"):
            continue
        rule = table.get(key)
        if rule is None:
            hint = reading.nearest(key, table)
            reading.fault(entry.at, f"{what}: the key {quote(key)} is unknown.{hint} Remove or mend it.")
        elif rule.treatment is not Treatment.SUPPORTED and not _harmless(entry.value, rule):
            _tell(reading, entry.at, rule, key, what)


def _tell(reading: Reading, at: Place, rule: Rule, key: str, what: str) -> None:
    if rule.treatment is Treatment.REFUSED:
        reading.fault(at, f"{what}: `{key}` is refused: {rule.words}. Remove it.")
    elif rule.treatment is Treatment.REWRITTEN:
        reading.notice(at, f"`{key}` is rewritten: {rule.words}.")
    else:
        reading.notice(at, f"`{key}` is left out: {rule.words}.")


def _harmless(value: Node, rule: Rule) -> bool:
    if isinstance(value, Scalar):
        return value.null or value.text.strip().lower() in rule.harmless
    if isinstance(value, Sequence):
        return all(isinstance(item, Scalar) and item.text.strip().lower() in rule.harmless for item in value.items)
    return not value.entries
