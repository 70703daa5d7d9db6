"""How compose files lie over each other, and services over those they extend (compose specification, "Merge")."""

from collections.abc import Callable
from dataclasses import replace

from revieee.model.reading.compose.mounts import target_of_volume
from revieee.model.reading.files import Reading
from revieee.model.reading.findings import quote
from revieee.model.reading.values import kind_of
from revieee.model.reading.yaml_nodes import Action, Entry, Mapping, Node, Scalar, Sequence, mapping, sequence

_REPLACED = frozenset({("command",), ("entrypoint",), ("healthcheck", "test")})
_NAMED = frozenset({"environment", "labels", "annotations", "sysctls"})
_LISTED = frozenset({"dns", "dns_search", "env_file", "label_file", "tmpfs"})


def canonical(service: Mapping) -> Mapping:
    """Write a service in long form where the specification has a short one, so that merging is plain."""
    entries = {key: replace(entry, value=_canonical_value(key, entry.value)) for key, entry in service.entries.items()}
    return mapping(service.at, entries, service.action)


def _canonical_value(key: str, value: Node) -> Node:
    if isinstance(value, Scalar) and (value.null or value.action is Action.RESET):
        return value
    if key in _NAMED:
        return _named(value)
    if key in _LISTED and isinstance(value, Scalar):
        return sequence(value.at, (value,), value.action)
    if key == "build":
        return _canonical_build(value)
    if key in ("depends_on", "networks"):
        return _keyed(value, {"condition": "service_started"} if key == "depends_on" else None)
    return value


def _canonical_build(value: Node) -> Node:
    if isinstance(value, Scalar):
        return mapping(value.at, {"context": Entry(value.at, replace(value, action=Action.MERGE))}, value.action)
    if not isinstance(value, Mapping):
        return value
    entries = {
        name: replace(entry, value=_named(entry.value)) if name in ("args", "labels") else entry
        for name, entry in value.entries.items()
    }
    return mapping(value.at, entries, value.action)


def _named(value: Node) -> Node:
    """Turn a list of ``NAME=value`` into a mapping; anything else stays and is judged later."""
    if not isinstance(value, Sequence) or not all(isinstance(item, Scalar) for item in value.items):
        return value
    entries: dict[str, Entry] = {}
    for item in value.items:
        if isinstance(item, Scalar):
            name, equals, text = item.text.partition("=")
            entries[name] = Entry(item.at, replace(item, text=text, plain=not equals))
    return mapping(value.at, entries, value.action)


def _keyed(value: Node, inner: dict[str, str] | None) -> Node:
    """Turn a list of names into a mapping of names."""
    if not isinstance(value, Sequence) or not all(isinstance(item, Scalar) for item in value.items):
        return value
    entries: dict[str, Entry] = {}
    for item in value.items:
        if isinstance(item, Scalar):
            filled = {key: Entry(item.at, Scalar(item.at, text)) for key, text in (inner or {}).items()}
            entries[item.text] = Entry(
                item.at, Scalar(item.at, "", plain=True) if inner is None else mapping(item.at, filled)
            )
    return mapping(value.at, entries, value.action)


def merge_files(reading: Reading, base: Mapping, over: Mapping) -> Mapping:
    """Lay a whole compose file over another."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        before = entries.get(key)
        if key != "services" or not before:
            entries[key] = _merged_entry(reading, before, entry, ("*", key))
            continue
        services, others = before.value, entry.value
        if isinstance(services, Mapping) and isinstance(others, Mapping):
            found = dict(services.entries)
            for name, service in others.entries.items():
                found[name] = _merged_entry(reading, found.get(name), service, ())
            entries[key] = Entry(before.at, mapping(services.at, found))
    return mapping(base.at, entries)


def merge_service(reading: Reading, base: Mapping, over: Mapping) -> Mapping:
    """Lay a service over another one; both in long form."""
    merged = _merge(reading, base, over, ())
    reading.budget.spend("nodes", merged.size)
    return merged if isinstance(merged, Mapping) else over


def settle(node: Node) -> Node:
    """Drop what ``!reset`` takes away, once all is merged."""
    if isinstance(node, Mapping):
        entries = {
            key: replace(entry, value=settle(entry.value))
            for key, entry in node.entries.items()
            if entry.value.action is not Action.RESET
        }
        return mapping(node.at, entries)
    if isinstance(node, Sequence):
        return sequence(node.at, tuple(settle(item) for item in node.items if item.action is not Action.RESET))
    return node


def _merged_entry(reading: Reading, before: Entry | None, entry: Entry, path: tuple[str, ...]) -> Entry:
    if before is None:
        return entry
    return Entry(entry.at, _merge(reading, before.value, entry.value, path))


def _merge(reading: Reading, base: Node, over: Node, path: tuple[str, ...]) -> Node:
    if _replaces(base, over, path):
        return over
    if isinstance(over, Scalar) and over.null:
        return base
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        entries = dict(base.entries)
        for key, entry in over.entries.items():
            entries[key] = _merged_entry(reading, entries.get(key), entry, (*path, key))
        return mapping(over.at, entries)
    if isinstance(base, Sequence) and isinstance(over, Sequence):
        return sequence(over.at, _joined(base.items, over.items, _UNIQUE.get(path, _by_text)))
    what = quote(path[-1] if path else "service")
    one, other = kind_of(over), kind_of(base)
    reading.fault(over.at, f"{what} is {one} here and {other} in what it is merged over. Write both alike.")
    return over


def _replaces(base: Node, over: Node, path: tuple[str, ...]) -> bool:
    """Tell whether the later value stands for itself."""
    if over.action is not Action.MERGE or base.action is Action.RESET or path in _REPLACED:
        return True
    if isinstance(base, Scalar) and (base.null or isinstance(over, Scalar)):
        return True
    both = isinstance(base, Mapping) and isinstance(over, Mapping)
    if path[:1] == ("ulimits",):
        return not both
    return both and path == ("logging",) and _driver(base) != _driver(over)


def _driver(node: Node) -> str | None:
    driver = node.get("driver") if isinstance(node, Mapping) else None
    return driver.text if isinstance(driver, Scalar) else None


def _joined(before: tuple[Node, ...], after: tuple[Node, ...], key: Callable[[Node], str | None]) -> tuple[Node, ...]:
    """Append, where what has the same key is replaced in its place."""
    found: dict[object, Node] = {}
    for item in (*before, *after):
        name = key(item)
        found[object() if name is None else name] = item
    return tuple(found.values())


def _by_text(node: Node) -> str | None:
    return node.text if isinstance(node, Scalar) else None


def _by_place(_node: Node) -> None:
    """Of files that are read one after another each one stays."""


def _by_mount(default: str) -> Callable[[Node], str | None]:
    def key(node: Node) -> str | None:
        if isinstance(node, Scalar):
            return f"{default}/{node.text}"
        if isinstance(node, Mapping):
            target, source = node.get("target"), node.get("source")
            if isinstance(target, Scalar):
                return target.text if target.text.startswith("/") else f"{default}/{target.text}"
            return f"{default}/{source.text}" if isinstance(source, Scalar) else None
        return None

    return key


def _by_port(node: Node) -> str | None:
    if isinstance(node, Scalar):
        return node.text
    if not isinstance(node, Mapping):
        return None
    parts = [node.get(name) for name in ("host_ip", "published", "target", "protocol")]
    host, published, target, protocol = (part.text if isinstance(part, Scalar) else "" for part in parts)
    return f"{host}:{published}:{target}/{protocol or 'tcp'}"


_UNIQUE: dict[tuple[str, ...], Callable[[Node], str | None]] = {
    ("volumes",): target_of_volume,
    ("secrets",): _by_mount("/run/secrets"),
    ("configs",): _by_mount(""),
    ("ports",): _by_port,
    ("env_file",): _by_place,
    ("label_file",): _by_place,
}
