"""YAML as nodes that know their file and line.

Scalars keep the text that was written (YAML 1.2: ``no`` is a word, ``22:22`` is no number), because Compose casts after
variables are filled in. The events come from libyaml, the grammar that Compose itself uses; limits hold while they
come, so a bomb is refused before it unfolds (docs/decisions/0041-yaml-events.md).
"""

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import yaml

from revieee.model.reading.findings import Budget, OverBudget, Place, quote

DEEPEST = 60
"""Levels of nesting; people write fewer than fifteen."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_STANDARD = "tag:yaml.org,2002:"
_STANDARD_TAGS = frozenset(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))


class Action(StrEnum):
    """What a value does to the one it is merged over (compose specification, merge: reset and replace)."""

    MERGE = ""
    RESET = "!reset"
    OVERRIDE = "!override"


class YamlFault(Exception):
    """The text is not YAML that we read."""

    def __init__(self, at: Place, words: str) -> None:
        super().__init__(words)
        self.at = at
        self.words = words


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, as text."""

    at: Place
    text: str
    plain: bool = False
    """Written without quotes, and no variable in it: ``~`` and ``null`` mean nothing is there."""
    action: Action = Action.MERGE

    @property
    def null(self) -> bool:
        """Whether nothing is there."""
        return self.plain and self.text in _NULLS

    size: int = field(default=1, init=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    at: Place
    items: tuple["Node", ...]
    size: int
    action: Action = Action.MERGE


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value, and where the key stands."""

    at: Place
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values, in the author's order."""

    at: Place
    entries: AnyMapping[str, Entry]
    size: int
    action: Action = Action.MERGE

    def get(self, key: str) -> "Node | None":
        """Give the value of a key; None where there is none or it is null."""
        entry = self.entries.get(key)
        return None if entry is None or (isinstance(entry.value, Scalar) and entry.value.null) else entry.value


Node = Scalar | Sequence | Mapping


def sequence(at: Place, items: tuple[Node, ...], action: Action = Action.MERGE) -> Sequence:
    """Make a list node."""
    return Sequence(at, items, 1 + sum(item.size for item in items), action)


def mapping(at: Place, entries: AnyMapping[str, Entry], action: Action = Action.MERGE) -> Mapping:
    """Make a mapping node."""
    return Mapping(at, entries, 1 + sum(1 + entry.value.size for entry in entries.values()), action)


def parse(text: str, at: Place, budget: Budget) -> Node | None:
    """Read one YAML document.

    Args:
        text: the file's content.
        at: its file, and the folder its relative paths start from.
        budget: what the document may unfold into.

    Returns:
        The root, or None for an empty document.

    Raises:
        YamlFault: it does not parse, has duplicate keys, unknown tags, or is nested too deep.
        OverBudget: it unfolds into too much.
    """
    return _Composer(text, at, budget).document()


class _Composer:
    """Makes nodes from libyaml's events."""

    def __init__(self, text: str, at: Place, budget: Budget) -> None:
        self._at = at
        self._budget = budget
        self._events = self._read(text)
        self._anchors: dict[str, Node | None] = {}

    def document(self) -> Node | None:
        root: Node | None = None
        started = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if started:
                    raise YamlFault(self._place(event), "A second document begins here (`---`). Keep one per file.")
                started = True
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, 0)
        return root

    def _read(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else None
            what = ", ".join(part for part in (error.context, error.problem) if part)
            hint = " Indent with spaces, not tabs." if "\t" in text and "cannot start any token" in what else ""
            raise YamlFault(replace(self._at, line=line), f"This is not valid YAML: {what}.{hint}") from error
        except (yaml.YAMLError, UnicodeError) as error:
            reason = str(error).splitlines()[0]
            raise YamlFault(self._at, f"This is not valid YAML: {reason}.") from error

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return replace(self._at, line=mark.line + 1 if mark else None)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        at = self._place(event)
        if depth > DEEPEST:
            raise YamlFault(at, f"This is nested deeper than {DEEPEST} levels.")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, at)
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            raise YamlFault(at, "A value is missing here.")
        action = self._action(event.tag, at)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, at, action)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(at, depth, action)
        else:
            node = self._mapping(at, depth, action)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent, at: Place) -> Node:
        if event.anchor not in self._anchors:
            raise YamlFault(at, f"The alias `*{event.anchor}` has no anchor `&{event.anchor}` before it.")
        node = self._anchors[event.anchor]
        if node is None:
            raise YamlFault(at, f"The alias `*{event.anchor}` stands inside its own anchor.")
        self._budget.spend("nodes", node.size)
        return node

    def _action(self, tag: str | None, at: Place) -> Action:
        if tag is None or tag in _STANDARD_TAGS or tag == "!":
            return Action.MERGE
        if tag in (Action.RESET, Action.OVERRIDE):
            return Action(tag)
        raise YamlFault(at, f"The YAML tag {quote(tag)} is not known here. Remove it.")

    def _scalar(self, event: yaml.ScalarEvent, at: Place, action: Action) -> Scalar:
        self._budget.spend("nodes", 1)
        if "\0" in event.value:
            raise YamlFault(at, "A value holds a NUL character, which nothing can take. Remove it.")
        plain = event.style in (None, "") and (event.tag is None or event.tag != _STANDARD + "str")
        return Scalar(at, event.value, plain, action)

    def _sequence(self, at: Place, depth: int, action: Action) -> Sequence:
        self._budget.spend("nodes", 1)
        items: list[Node] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, depth + 1))
        return sequence(at, tuple(items), action)

    def _mapping(self, at: Place, depth: int, action: Action) -> Mapping:
        self._budget.spend("nodes", 1)
        entries: dict[str, Entry] = {}
        merged: list[Mapping] = []
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise YamlFault(key.at, "A key must be a single word, not a list or a mapping.")
            value = self._node(next(self._events), depth + 1)
            if key.plain and key.text == "<<":
                merged += _merge_sources(value)
            elif key.text in entries:
                first = entries[key.text].at.line
                raise YamlFault(key.at, f"The key {quote(key.text)} is already there (line {first}). Keep one of them.")
            else:
                entries[key.text] = Entry(key.at, value)
        for source in merged:
            for name, entry in source.entries.items():
                entries.setdefault(name, entry)
        return mapping(at, entries, action)


def _merge_sources(value: Node) -> list[Mapping]:
    """Give what a merge key (``<<``) brings in, the first winning over those after it."""
    sources = list(value.items) if isinstance(value, Sequence) else [value]
    found = [source for source in sources if isinstance(source, Mapping)]
    if len(found) != len(sources):
        raise YamlFault(value.at, "A merge key (`<<`) takes a mapping or a list of mappings.")
    return found


__all__ = ["Action", "Entry", "Mapping", "Node", "OverBudget", "Scalar", "Sequence", "YamlFault", "parse"]
