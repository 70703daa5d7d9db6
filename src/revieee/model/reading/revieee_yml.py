"""``revieee.yml``: what its keys say, as values. What it says of services is laid over them in :mod:`.assemble`."""

from collections import Counter
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace

from revieee.model.manifest import When
from revieee.model.reading import schema
from revieee.model.reading.compose.build import read_build
from revieee.model.reading.compose.environment import variables
from revieee.model.reading.compose.limits import limits_of, lowered
from revieee.model.reading.files import Reading, Scope
from revieee.model.reading.findings import Place, quote
from revieee.model.reading.patterns import LONGEST, MOST
from revieee.model.reading.yaml_nodes import Entry, Mapping, Node, Scalar, Sequence, mapping
from revieee.model.stack import Build, Exposure, Probe, ServiceLimits

_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is laid over a service; None leaves it as it is."""

    env: AnyMapping[str, str] = field(default_factory=dict)
    probe: Probe | None = None
    limits: ServiceLimits | None = None
    mounts: bool = True


@dataclass(frozen=True, slots=True)
class WantedHook:
    """A hook whose service is not checked yet."""

    at: Place
    service: str | None
    command: tuple[str, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that ``revieee.yml`` says."""

    at: Place
    compose: tuple[str, ...] | None = None
    build: Build | None = None
    builds: bool = False
    """Whether it has ``build``, be it right or wrong."""
    profiles: tuple[str, ...] = ()
    expose: tuple[tuple[Exposure, Place], ...] | None = None
    overlay: Overlay = field(default_factory=Overlay)
    services: AnyMapping[str, tuple[Overlay, Place]] = field(default_factory=dict)
    hooks: AnyMapping[str, WantedHook] = field(default_factory=dict)
    start_timeout: float | None = None
    when: When = field(default_factory=When)


def read_wishes(reading: Reading, path: str, scope: Scope) -> Wishes | None:
    """Read ``revieee.yml``; None (and faults) where it is no mapping."""
    node = reading.yaml(Place(path), path, "", "The manifest")
    root = reading.values.mapping(None if node is None else _filled_in(reading, node, scope), "The manifest")
    if root is None:
        return None
    _known(reading, root, schema.ROOT, "The manifest")
    if root.get("compose") is not None and root.get("build") is not None:
        reading.fault(root.entries["build"].at, "`build` and `compose` are both there. Keep one of them.")
    return Wishes(
        at=root.at,
        compose=_paths(reading, root.get("compose")),
        build=_build(reading, root.get("build"), scope),
        builds=root.get("build") is not None,
        profiles=reading.values.texts(root.get("profiles"), "`profiles`"),
        expose=_expose(reading, root.get("expose")),
        overlay=_overlay(reading, root, scope),
        services=_services(reading, root.get("services"), scope),
        hooks=_hooks(reading, root.get("hooks")),
        start_timeout=_timeout(reading, root.get("start_timeout"), reading.limits.start_timeout, "`start_timeout`"),
        when=_when(reading, root.get("when")),
    )


def _filled_in(reading: Reading, node: Node, scope: Scope) -> Node:
    """Fill variables in; what is not set in a hook's command may have been meant for the container's shell."""
    if not isinstance(node, Mapping) or "hooks" not in node.entries:
        return reading.interpolate(node, scope)
    hooks = node.entries["hooks"]
    filled = Entry(hooks.at, reading.interpolate(hooks.value, replace(scope, commands=True)))
    rest = {key: entry for key, entry in node.entries.items() if key != "hooks"}
    others = reading.values.mapping(reading.interpolate(mapping(node.at, rest, node.action), scope), "The manifest")
    return mapping(node.at, {**(others.entries if others else {}), "hooks": filled}, node.action)


def _timeout(reading: Reading, node: Node | None, most: float, what: str) -> float | None:
    """Read how long something may take."""
    seconds = reading.values.duration(node, what, bare_seconds=True)
    if node is None or seconds is None:
        return None
    if seconds <= 0:
        reading.fault(node.at, f"{what} must be longer than 0 s.")
        return None
    return lowered(reading, node, seconds, most, what, " s")


def _known(reading: Reading, node: Mapping | None, keys: AnyMapping[str, schema.Key], what: str) -> None:
    for name, entry in node.entries.items() if node else ():
        if name not in keys and not name.startswith("x-"):
            hint = reading.nearest(name, keys) or f" It knows {', '.join(f'`{key}`' for key in keys)}."
            reading.fault(entry.at, f"{what}: the key {quote(name)} is unknown.{hint}")


def _paths(reading: Reading, node: Node | None) -> tuple[str, ...] | None:
    if node is None:
        return None
    found: list[str] = []
    for item in reading.values.one_or_more(node, "`compose`"):
        if isinstance(item, Scalar):
            path = reading.path(item, "`compose`")
            found += [] if path is None else [path]
        else:
            reading.fault(item.at, "`compose` must be a path or a list of paths.")
    return tuple(found)


def _build(reading: Reading, node: Node | None, scope: Scope) -> Build | None:
    if isinstance(node, Scalar):
        entries = {"context": Entry(node.at, node)}
        return read_build(reading, Mapping(node.at, entries, 1), scope)
    _known(reading, reading.values.mapping(node, "`build`"), schema.BUILD, "`build`")
    return read_build(reading, node, scope) if isinstance(node, Mapping) else None


def _expose(reading: Reading, node: Node | None) -> tuple[tuple[Exposure, Place], ...] | None:
    if node is None:
        return None
    found: list[tuple[Exposure, Place]] = []
    if isinstance(node, Mapping):
        for name, entry in node.entries.items():
            port = reading.values.port(entry.value, f"`expose`: the port of {quote(name)}")
            found.append((Exposure(service=name, port=port), entry.at))
        return tuple(found)
    for item in reading.values.one_or_more(node, "`expose`"):
        if isinstance(item, Mapping):
            found += _expose(reading, item) or ()
        elif (text := reading.values.text(item, "`expose`")) is not None:
            found.append((Exposure(service=text), item.at))
    times = Counter(exposure.service for exposure, _ in found)
    for exposure, at in found:
        if times[exposure.service] > 1:
            words = f"`expose`: {quote(exposure.service)} is there twice. A service has one URL; keep one of them."
            reading.fault(at, words)
    return tuple(found)


def _overlay(reading: Reading, node: Mapping, scope: Scope) -> Overlay:
    limits = reading.values.mapping(node.get("limits"), "`limits`")
    _known(reading, limits, schema.LIMITS, "`limits`")
    env = node.get("env")
    if isinstance(env, Scalar):
        reading.fault(env.at, "`env` must be a mapping (`NAME: value`).")
    return Overlay(
        env={} if isinstance(env, Scalar) else variables(reading, env, scope, "`env`"),
        probe=_probe(reading, node.get("health")),
        limits=limits_of(reading, limits) if limits else None,
        mounts=reading.values.flag(node.get("mounts"), "`mounts`") is not False,
    )


def _probe(reading: Reading, node: Node | None) -> Probe | None:
    if node is None:
        return None
    path_node: Node | None = node if isinstance(node, Scalar) else None
    timeout_node: Node | None = None
    if isinstance(node, Mapping):
        _known(reading, node, schema.HEALTH, "`health`")
        path_node, timeout_node = node.get("path"), node.get("timeout")
    elif isinstance(node, Sequence):
        reading.fault(node.at, "`health` must be a path like `/healthz`, or a mapping with `path` and `timeout`.")
    path = reading.values.text(path_node, "`health`")
    if (
        path_node is not None
        and path is not None
        and (not path.startswith("/") or not path.isprintable() or " " in path)
    ):
        reading.fault(path_node.at, f"`health`: {quote(path)} is no path. Begin with `/`, like `/healthz`.")
        path = None
    timeout = reading.values.duration(timeout_node, "`timeout` of `health`", bare_seconds=True)
    if timeout_node is not None and timeout is not None and not 0 < timeout <= 60:  # noqa: PLR2004 -- said in the words
        reading.fault(timeout_node.at, "`timeout` of `health` must be above 0 and at most 60s.")
        timeout = None
    return Probe(path=path or "/", timeout=timeout or Probe().timeout)


def _services(reading: Reading, node: Node | None, scope: Scope) -> dict[str, tuple[Overlay, Place]]:
    found: dict[str, tuple[Overlay, Place]] = {}
    services = reading.values.mapping(node, "`services`")
    for name, entry in services.entries.items() if services else ():
        what = f"`services`: {quote(name)}"
        service = reading.values.mapping(entry.value, what)
        if service is not None:
            _known(reading, service, schema.SERVICE, what)
            found[name] = (_overlay(reading, service, scope), entry.at)
    return found


def _hooks(reading: Reading, node: Node | None) -> dict[str, WantedHook]:
    hooks = reading.values.mapping(node, "`hooks`")
    _known(reading, hooks, schema.HOOKS, "`hooks`")
    found: dict[str, WantedHook] = {}
    for name, entry in hooks.entries.items() if hooks else ():
        if name in schema.HOOKS and (hook := _hook(reading, entry, name)):
            found[name] = hook
    return found


def _hook(reading: Reading, entry: Entry, name: str) -> WantedHook | None:
    node, what = entry.value, f"Hook `{name}`"
    most = reading.limits.farewell if name == "destroy" else reading.limits.hook_timeout
    service: str | None = None
    timeout: float | None = None
    command_node: Node | None = node
    if isinstance(node, Mapping):
        _known(reading, node, schema.HOOK, what)
        service = reading.values.text(node.get("service"), f"{what}: `service`")
        command_node = node.get("command")
        timeout = _timeout(reading, node.get("timeout"), most, f"{what}: `timeout`")
    found = reading.values.texts(command_node, what)
    if not found or not found[0]:
        reading.fault(entry.at, f"{what} has no command. Write the command after it, or remove it.")
        return None
    command = (*_SHELL, *found) if isinstance(command_node, Scalar) else found
    return WantedHook(entry.at, service, command, timeout or min(600.0, most))


def _when(reading: Reading, node: Node | None) -> When:
    when = reading.values.mapping(node, "`when`")
    _known(reading, when, schema.WHEN, "`when`")
    if when is None:
        return When()
    names = {key: reading.values.texts(when.get(key), f"`when.{key}`") for key in schema.WHEN if key != "drafts"}
    for key, texts in names.items():
        if len(texts) > MOST or any(len(text) > LONGEST for text in texts):
            words = f"`when.{key}` takes up to {MOST} texts of up to {LONGEST} characters. Shorten it."
            reading.fault(when.entries[key].at, words)
    drafts = reading.values.flag(when.get("drafts"), "`when.drafts`")
    return When(**names, drafts=drafts is not False)
