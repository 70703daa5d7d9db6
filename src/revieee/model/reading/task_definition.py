"""``task_definition.yml``: the form of 2017, an ECS task definition in YAML.

Keys are those of the ECS API in its own spelling (``containerDefinitions``) or with underscores, as Ruby writes them
(``container_definitions``). Each container is written as a service of a compose file and read as such, so the same
walls hold. No variables are filled in: ECS knows none, and ``$BRANCH`` is for the container's shell.
"""

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping

from revieee.model.reading.compose import Compose, read_project
from revieee.model.reading.compose.table import Rule, Treatment
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.yaml_nodes import Entry, Mapping, Node, Scalar, mapping, sequence

_MIB = "m"
_CONDITIONS = {
    "START": "service_started",
    "HEALTHY": "service_healthy",
    "SUCCESS": "service_completed_successfully",
    "COMPLETE": "service_completed_successfully",
}
_MACHINE = "docker.sock"


def _left_out(words: str) -> Rule:
    return Rule(Treatment.LEFT_OUT, words)


def _refused(words: str) -> Rule:
    return Rule(Treatment.REFUSED, words, frozenset({"false", ""}))


def _supported(names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), Rule(Treatment.SUPPORTED))


_AWS = "it is of AWS, which has no part in a review"

_OF_AWS = """
    cpu enableFaultInjection ephemeralStorage executionRoleArn inferenceAccelerators memory networkMode
    placementConstraints proxyConfiguration requiresCompatibilities runtimePlatform tags taskRoleArn
"""

TASK: AnyMapping[str, Rule] = {
    **_supported("family containerDefinitions volumes"),
    **dict.fromkeys(_OF_AWS.split(), _left_out(_AWS)),
    "ipcMode": _refused("it shares memory with the machine"),
    "pidMode": _refused("it shows the processes of the machine"),
}

CONTAINER: AnyMapping[str, Rule] = {
    **_supported("""
        name image memory command entryPoint environment essential links portMappings mountPoints volumesFrom dependsOn
        healthCheck ulimits user workingDirectory hostname dockerLabels extraHosts stopTimeout readonlyRootFilesystem
        interactive pseudoTerminal linuxParameters
    """),
    "cpu": _left_out("in ECS it is a share, no limit; the limits of the environment apply"),
    "memoryReservation": _left_out("the limits of the environment apply"),
    "logConfiguration": _left_out("the output of every container is kept by Revieee"),
    "firelensConfiguration": _left_out("the output of every container is kept by Revieee"),
    "startTimeout": _left_out("`start_timeout` in revieee.yml says how long a release may take"),
    "restartPolicy": _left_out("essential containers are started again, others are not"),
    "repositoryCredentials": _left_out(_AWS),
    "versionConsistency": _left_out(_AWS),
    "dnsServers": _left_out("names are resolved by the environment's own resolver"),
    "dnsSearchDomains": _left_out("names are resolved by the environment's own resolver"),
    "privileged": _refused("a privileged container can take over the machine"),
    "disableNetworking": _refused("every container is in the environment's network"),
    "dockerSecurityOptions": _refused("it weakens the walls around the container"),
    "systemControls": _refused("it changes settings of the kernel"),
    "resourceRequirements": _refused("devices belong to the machine"),
    "credentialSpecs": _refused("it reaches out of the container to the machine that runs it"),
    "secrets": _refused("they are kept at AWS, which has no part in a review"),
    "environmentFiles": _refused("they are kept at AWS, which has no part in a review"),
}


def read_task_definition(reading: Reading, path: str, scope: Scope) -> Compose | None:
    """Read a task definition; None (and faults) where there is nothing to run."""
    node = reading.yaml(Place(path), path, "", "The task definition")
    task = reading.values.mapping(node, "The task definition")
    if task is None:
        return None
    task = _known(reading, task, TASK, "The task definition")
    containers = reading.values.sequence(task.get("containerDefinitions"), "`containerDefinitions`")
    if not containers:
        reading.fault(Place(path), "There are no `containerDefinitions`. Add one with a `name` and an `image`.")
        return None
    services: dict[str, Entry] = {}
    for item in containers:
        container = reading.values.mapping(item, "A container")
        if container is None:
            continue
        known = _known(reading, container, CONTAINER, "A container")
        name = reading.values.text(known.get("name"), "`name` of a container")
        if name is None or name in services:
            reading.fault(item.at, "A container needs a `name` of its own. Add it.")
        else:
            services[name] = Entry(item.at, _Container(reading, known).service())
    root = {
        "services": Entry(task.at, mapping(task.at, services)),
        "volumes": Entry(task.at, _volumes(reading, task)),
    }
    return read_project(reading, mapping(task.at, root), scope)


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _known(reading: Reading, node: Mapping, table: AnyMapping[str, Rule], what: str) -> Mapping:
    """Give a mapping with its keys in ECS's own spelling; unknown and refused ones are faults."""
    spelling = {_plain(key): key for key in table}
    entries: dict[str, Entry] = {}
    for written, entry in node.entries.items():
        key = spelling.get(_plain(written))
        if key is None:
            hint = reading.nearest(written, table)
            reading.fault(entry.at, f"{what}: the key {quote(written)} is unknown.{hint} Remove or mend it.")
            continue
        entries[key] = entry
        rule = table[key]
        if rule.treatment is Treatment.SUPPORTED or _nothing(entry.value, rule):
            continue
        if rule.treatment is Treatment.REFUSED:
            reading.fault(entry.at, f"{what}: `{written}` is refused: {rule.words}. Remove it.")
        else:
            reading.notice(entry.at, f"`{written}` is left out: {rule.words}.")
    return mapping(node.at, entries)


def _nothing(value: Node, rule: Rule) -> bool:
    if isinstance(value, Scalar):
        return value.null or value.text.lower() in rule.harmless
    return value.size == 1


def _fields(reading: Reading, node: Node, names: str, what: str) -> Mapping | None:
    """Read a mapping with keys in either spelling."""
    found = reading.values.mapping(node, what)
    return None if found is None else _known(reading, found, _supported(names), what)


def _volumes(reading: Reading, task: Mapping) -> Mapping:
    entries: dict[str, Entry] = {}
    for item in reading.values.sequence(task.get("volumes"), "`volumes`"):
        volume = _fields(reading, item, "name host", "A volume")
        name = reading.values.text(volume.get("name"), "`name` of a volume") if volume else None
        if volume is None or name is None:
            reading.fault(item.at, "A volume needs a `name`. Add it.")
            continue
        entries[name] = Entry(item.at, mapping(item.at, {}))
        host_node = volume.get("host")
        host = None if host_node is None else _fields(reading, host_node, "sourcePath", "`host` of a volume")
        source = reading.values.text(host.get("sourcePath"), "`sourcePath`") if host else None
        if source and _MACHINE in source:
            words = "The engine's socket gives power over the machine, so it is refused. Drop this volume."
            reading.fault(item.at, words)
        elif source:
            words = f"The volume {quote(name)} is the environment's own, not the machine's folder {quote(source)}."
            reading.notice(item.at, words)
    return mapping(task.at, entries)


class _Container:
    """Writes one container as a service of a compose file."""

    def __init__(self, reading: Reading, container: Mapping) -> None:
        self._reading = reading
        self._container = container
        self._entries: dict[str, Entry] = {}

    def service(self) -> Mapping:
        same = {
            "image": "image",
            "command": "command",
            "entryPoint": "entrypoint",
            "links": "links",
            "user": "user",
            "workingDirectory": "working_dir",
            "hostname": "hostname",
            "dockerLabels": "labels",
            "readonlyRootFilesystem": "read_only",
            "interactive": "stdin_open",
            "pseudoTerminal": "tty",
        }
        for theirs, ours in same.items():
            if theirs in self._container.entries:
                self._entries[ours] = self._container.entries[theirs]
        self._restart()
        self._with_unit("memory", "mem_limit", _MIB)
        self._with_unit("stopTimeout", "stop_grace_period", "s")
        self._environment()
        self._list("portMappings", "ports", "containerPort hostPort protocol name appProtocol", _port)
        self._list("mountPoints", "volumes", "sourceVolume containerPath readOnly", _mount)
        self._list("volumesFrom", "volumes_from", "sourceContainer readOnly", _volumes_from)
        self._list("extraHosts", "extra_hosts", "hostname ipAddress", _extra_host)
        self._depends_on()
        self._health_check()
        self._ulimits()
        self._linux()
        return mapping(self._container.at, self._entries)

    def _add(self, key: str, at: Place, value: Node) -> None:
        self._entries[key] = Entry(at, value)

    def _restart(self) -> None:
        essential = self._reading.values.flag(self._container.get("essential"), "`essential`") is not False
        at = self._container.at
        self._add("restart", at, Scalar(at, "unless-stopped" if essential else "no"))

    def _with_unit(self, theirs: str, ours: str, unit: str) -> None:
        number = self._reading.values.whole(self._container.get(theirs), f"`{theirs}`", most=10**9)
        if number is not None:
            at = self._container.entries[theirs].at
            self._add(ours, at, Scalar(at, f"{number}{unit}"))

    def _environment(self) -> None:
        node = self._container.get("environment")
        if isinstance(node, Mapping):
            self._add("environment", node.at, node)
            return
        entries: dict[str, Entry] = {}
        for item in self._reading.values.sequence(node, "`environment`"):
            pair = _fields(self._reading, item, "name value", "A variable")
            name = self._reading.values.text(pair.get("name"), "`name` of a variable") if pair else None
            if pair is not None and name is not None:
                text = self._reading.values.text(pair.get("value"), "`value` of a variable")
                entries[name] = Entry(item.at, Scalar(item.at, text or ""))
        self._add("environment", self._container.at, mapping(self._container.at, entries))

    def _list(self, theirs: str, ours: str, names: str, write: Callable[[Mapping], Node | None]) -> None:
        items: list[Node] = []
        for item in self._reading.values.sequence(self._container.get(theirs), f"`{theirs}`"):
            found = _fields(self._reading, item, names, f"`{theirs}`")
            written = write(found) if found else None
            if written is None:
                self._reading.fault(item.at, f"`{theirs}`: something is missing; it has {', '.join(names.split())}.")
            else:
                items.append(written)
        if items:
            self._add(ours, self._container.entries[theirs].at, sequence(self._container.at, tuple(items)))

    def _depends_on(self) -> None:
        entries: dict[str, Entry] = {}
        for item in self._reading.values.sequence(self._container.get("dependsOn"), "`dependsOn`"):
            found = _fields(self._reading, item, "containerName condition", "`dependsOn`")
            name = self._reading.values.text(found.get("containerName"), "`containerName`") if found else None
            choices = tuple(_CONDITIONS)
            condition = self._reading.values.choice(found.get("condition"), "`condition`", choices) if found else None
            if name is None:
                self._reading.fault(item.at, "`dependsOn` needs a `containerName`. Add it.")
            else:
                text = _CONDITIONS.get(condition or "START", "service_started")
                entries[name] = Entry(item.at, mapping(item.at, {"condition": Entry(item.at, Scalar(item.at, text))}))
        self._add("depends_on", self._container.at, mapping(self._container.at, entries))

    def _health_check(self) -> None:
        node = self._container.get("healthCheck")
        found = None if node is None else _fields(
            self._reading, node, "command interval timeout retries startPeriod", "`healthCheck`"
        )  # fmt: skip
        if found is None:
            return
        names = {"command": "test", "retries": "retries"}
        entries = {ours: found.entries[theirs] for theirs, ours in names.items() if theirs in found.entries}
        for theirs, ours in {"interval": "interval", "timeout": "timeout", "startPeriod": "start_period"}.items():
            number = self._reading.values.whole(found.get(theirs), f"`{theirs}`", most=10**6)
            if number is not None:
                entries[ours] = Entry(found.at, Scalar(found.at, f"{number}s"))
        self._add("healthcheck", found.at, mapping(found.at, entries))

    def _ulimits(self) -> None:
        entries: dict[str, Entry] = {}
        for item in self._reading.values.sequence(self._container.get("ulimits"), "`ulimits`"):
            found = _fields(self._reading, item, "name softLimit hardLimit", "`ulimits`")
            name = self._reading.values.text(found.get("name"), "`name` of a limit") if found else None
            if found is not None and name is not None:
                pair = {"soft": "softLimit", "hard": "hardLimit"}
                both = {ours: found.entries[theirs] for ours, theirs in pair.items() if theirs in found.entries}
                entries[name] = Entry(item.at, mapping(item.at, both))
        self._add("ulimits", self._container.at, mapping(self._container.at, entries))

    def _linux(self) -> None:
        node = self._container.get("linuxParameters")
        found = None if node is None else self._reading.values.mapping(node, "`linuxParameters`")
        if found is None:
            return
        swap = _left_out("the limits of the environment apply")
        table = {
            **_supported("initProcessEnabled sharedMemorySize"),
            "capabilities": _refused("added capabilities could take over the machine"),
            "devices": _refused("devices belong to the machine"),
            "maxSwap": swap,
            "swappiness": swap,
            "tmpfs": _left_out("what is written there goes to the container's own folder"),
        }
        known = _known(self._reading, found, table, "`linuxParameters`")
        if "initProcessEnabled" in known.entries:
            self._entries["init"] = known.entries["initProcessEnabled"]
        size = self._reading.values.whole(known.get("sharedMemorySize"), "`sharedMemorySize`", most=10**6)
        if size is not None:
            self._add("shm_size", known.at, Scalar(known.at, f"{size}{_MIB}"))


def _text(node: Mapping, key: str) -> str | None:
    value = node.get(key)
    return value.text if isinstance(value, Scalar) else None


def _port(node: Mapping) -> Node | None:
    names = {"containerPort": "target", "hostPort": "published", "protocol": "protocol"}
    entries = {ours: node.entries[theirs] for theirs, ours in names.items() if theirs in node.entries}
    if _text(node, "hostPort") == "0":
        del entries["published"]
    return mapping(node.at, entries) if "target" in entries else None


def _mount(node: Mapping) -> Node | None:
    volume, path = _text(node, "sourceVolume"), _text(node, "containerPath")
    if volume is None or path is None:
        return None
    entries = {"type": Scalar(node.at, "volume"), "source": Scalar(node.at, volume), "target": Scalar(node.at, path)}
    found = {key: Entry(node.at, value) for key, value in entries.items()}
    if "readOnly" in node.entries:
        found["read_only"] = node.entries["readOnly"]
    return mapping(node.at, found)


def _volumes_from(node: Mapping) -> Node | None:
    name = _text(node, "sourceContainer")
    mode = ":ro" if (_text(node, "readOnly") or "").lower() == "true" else ""
    return None if name is None or ":" in name else Scalar(node.at, f"{name}{mode}")


def _extra_host(node: Mapping) -> Node | None:
    name, address = _text(node, "hostname"), _text(node, "ipAddress")
    return None if name is None or address is None else Scalar(node.at, f"{name}={address}")
