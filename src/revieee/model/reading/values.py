"""Typed values out of nodes. A wrong one is noted as a fault and read as None, so that reading goes on."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation

from revieee.model.reading.findings import Findings, Place, quote
from revieee.model.reading.shell_words import words
from revieee.model.reading.yaml_nodes import Mapping, Node, Scalar, Sequence

_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,9})?) ?(?P<unit>[kmgtp]?)i?b?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DECIMAL = re.compile(r"[0-9.]{1,30}(?:[eE][+-]?[0-9]{1,2})?")
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TRUE = frozenset({"true", "yes", "on", "y", "1"})
_FALSE = frozenset({"false", "no", "off", "n", "0"})


def kind_of(node: Node) -> str:
    """Name a node's form for a message."""
    return {Scalar: "a single value", Sequence: "a list", Mapping: "a mapping"}[type(node)]


class Values:
    """Reads values of the kinds that the manifest's files hold."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def fault(self, at: Place, words: str) -> None:
        """Note a fault."""
        self.findings.fault(at, words)

    def mapping(self, node: Node | None, what: str) -> Mapping | None:
        """Read a mapping."""
        if node is None or isinstance(node, Mapping):
            return node
        if not (isinstance(node, Scalar) and node.null):
            self.fault(node.at, f"{what} must be a mapping (`key: value`), not {kind_of(node)}.")
        return None

    def sequence(self, node: Node | None, what: str) -> tuple[Node, ...]:
        """Read a list; one value is no list."""
        if node is None or (isinstance(node, Scalar) and node.null):
            return ()
        if isinstance(node, Sequence):
            return node.items
        self.fault(node.at, f"{what} must be a list, not {kind_of(node)}.")
        return ()

    def one_or_more(self, node: Node | None, what: str) -> tuple[Node, ...]:
        """Read a list, or one value as a list of one."""
        if isinstance(node, Scalar) and not node.null:
            return (node,)
        return self.sequence(node, what)

    def text(self, node: Node | None, what: str) -> str | None:
        """Read a text. Numbers and booleans are taken as they are written."""
        if node is None:
            return None
        if isinstance(node, Scalar):
            return None if node.null else node.text
        self.fault(node.at, f"{what} must be a single value, not {kind_of(node)}.")
        return None

    def texts(self, node: Node | None, what: str) -> tuple[str, ...]:
        """Read a list of texts, or one text."""
        found = (self.text(item, what) for item in self.one_or_more(node, what))
        return tuple(text for text in found if text is not None)

    def flag(self, node: Node | None, what: str) -> bool | None:
        """Read true or false."""
        text = self.text(node, what)
        if node is None or text is None:
            return None
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        self.fault(node.at, f"{what} must be `true` or `false`, not {quote(text)}.")
        return None

    def whole(self, node: Node | None, what: str, *, least: int = 0, most: int | None = None) -> int | None:
        """Read a whole number, of 18 digits at most."""
        text = self.text(node, what)
        if node is None or text is None:
            return None
        if re.fullmatch(r"-?[0-9]{1,18}", text) and least <= int(text) <= (int(text) if most is None else most):
            return int(text)
        bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
        self.fault(node.at, f"{what} must be a whole number {bounds}, not {quote(text)}.")
        return None

    def decimal(self, node: Node | None, what: str, *, least: float) -> float | None:
        """Read a number, also one like ``1e3``."""
        text = self.text(node, what)
        if node is None or text is None:
            return None
        try:
            number = float(Decimal(text) if _DECIMAL.fullmatch(text) else 0)
        except InvalidOperation:
            number = 0.0
        if number >= least:
            return number
        self.fault(node.at, f"{what} must be a number of {least:g} or more, like `0.5`, not {quote(text)}.")
        return None

    def size(self, node: Node | None, what: str) -> int | None:
        """Read an amount of bytes (compose specification, "Specifying byte values")."""
        text = self.text(node, what)
        if node is None or text is None:
            return None
        found = _SIZE.fullmatch(text.strip())
        if found:
            return int(Decimal(found["number"]) * 1024 ** _UNITS[found["unit"].lower()])
        self.fault(node.at, f"{what} must be an amount of bytes like `512m` or `1.5gb`, not {quote(text)}.")
        return None

    def duration(self, node: Node | None, what: str, *, bare_seconds: bool = False) -> float | None:
        """Read a time in seconds (compose specification, "Specifying durations").

        Args:
            node: the value.
            what: its name for a message.
            bare_seconds: whether a number without unit means seconds.
        """
        text = self.text(node, what)
        if node is None or text is None:
            return None
        if text == "0" or (bare_seconds and re.fullmatch(r"[0-9]{1,9}", text)):
            return float(text)
        if _DURATION.fullmatch(text):
            return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
        self.fault(node.at, f"{what} must be a time like `30s` or `1m30s`, not {quote(text)}.")
        return None

    def mode(self, node: Node | None, what: str) -> int | None:
        """Read permission bits, always octal."""
        text = self.text(node, what)
        if node is None or text is None:
            return None
        found = re.fullmatch(r"0?o?([0-7]{1,4})", text)
        if found:
            return int(found[1], 8)
        self.fault(node.at, f"{what} must be octal permissions like `0440`, not {quote(text)}.")
        return None

    def port(self, node: Node | None, what: str) -> int | None:
        """Read a port number."""
        return self.whole(node, what, least=1, most=65535)

    def command(self, node: Node | None, what: str) -> tuple[str, ...] | None:
        """Read a command: a list as it is, a text split as a shell would, but run by none (as Compose does)."""
        if node is None or (isinstance(node, Scalar) and node.null):
            return None
        if isinstance(node, Sequence):
            return self.texts(node, what)
        text = self.text(node, what)
        if text is None:
            return None
        try:
            return words(text)
        except ValueError as error:
            self.fault(node.at, f"{what} cannot be split into words: {str(error).lower()}. Write it as a list.")
            return None

    def pairs(self, node: Node | None, what: str) -> Iterator[tuple[str, Node, str | None]]:
        """Read names with values, from a mapping or from a list of ``NAME=value``. A name alone has the value None."""
        if isinstance(node, Mapping):
            for name, entry in node.entries.items():
                value = entry.value
                if isinstance(value, Scalar):
                    yield name, value, None if value.null else value.text
                else:
                    self.fault(value.at, f"{what}: {quote(name)} must be a single value, not {kind_of(value)}.")
            return
        for item in self.sequence(node, what):
            text = self.text(item, what)
            if text is not None:
                name, equals, rest = text.partition("=")
                yield name, item, rest if equals else None

    def choice(self, node: Node | None, what: str, choices: tuple[str, ...]) -> str | None:
        """Read one of a few words."""
        text = self.text(node, what)
        if node is None or text is None or text in choices:
            return text
        self.fault(node.at, f"{what} must be one of {', '.join(choices)}, not {quote(text)}.")
        return None

    def each(self, node: Node | None, what: str, read: Callable[[str, Place, Node], None]) -> None:
        """Call ``read`` with each key of a mapping, its place and its value."""
        found = self.mapping(node, what)
        for name, entry in found.entries.items() if found else ():
            read(name, entry.at, entry.value)
