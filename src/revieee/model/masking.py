"""Masking: secrets taken out of output as it comes, in every form in which programs commonly print them."""

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from urllib.parse import quote, quote_plus

MASK = b"***"
_LEAST = 6
"""Bytes; a shorter part of a secret would be found everywhere."""
_BREAK = re.compile(rb"\r?\n(?:#\d+ (?:\d+\.\d+ )?)?|\r?\n(?:#[\d. ]*)?\Z|\r\Z")
"""A line's end, with what BuildKit's plain progress begins the next line with: a secret may go on behind it."""
_SEEK = 4


class Masker:
    """Takes secrets out of a stream, however it is cut into pieces and lines.

    Args:
        values: the secrets.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in _forms(value) if len(form) >= _LEAST}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take some output; gives what is safe to show. The beginning of what may be a secret is held back."""
        if not self._forms:
            return data
        return self._shown(self._held + data, last=False)

    def end(self) -> bytes:
        """Give the rest: nothing follows."""
        return self._shown(self._held, last=True)

    def _shown(self, data: bytes, *, last: bool) -> bytes:
        flat = _Flat(data)
        spans = list(_merged(self._spans(flat.text)))
        until = len(flat.text) if last else self._undecided(flat.text)
        for start, end in spans:
            if start < until < end:
                until = start  # a longer form may yet come of it
        cut = len(data) if until == len(flat.text) else flat.place(until)
        shown, done = bytearray(), 0
        for start, end in spans:
            if start < until:
                shown += data[done : flat.place(start)] + MASK
                done = flat.place(end - 1) + 1
        shown += data[done:cut]
        self._held = data[cut:]
        return bytes(shown)

    def _spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                yield at, at + len(form)
                at = text.find(form, at + 1)

    def _undecided(self, text: bytes) -> int:
        """Give where the first thing begins that may become a secret with what follows."""
        first = len(text)
        for form in self._forms:
            at = max(0, len(text) - len(form) + 1)
            while (at := text.find(form[: min(_SEEK, len(text) - at)], at)) >= 0 and at < first:
                if form.startswith(text[at:]):
                    first = at
                at += 1
            for short in range(1, _SEEK):
                if len(text) - short < first and text.endswith(form[:short]):
                    first = len(text) - short
        return first


def masked(text: str, values: Iterable[str]) -> str:
    """Take secrets out of a text."""
    masker = Masker(values)
    data = text.encode("utf-8", "surrogatepass")
    return (masker.feed(data) + masker.end()).decode("utf-8", "surrogatepass")


class _Flat:
    """Output without its line ends, and where each byte of it was."""

    def __init__(self, data: bytes) -> None:
        breaks = [found.span() for found in _BREAK.finditer(data)]
        self.text = _BREAK.sub(b"", data)
        self._removed = [0, *accumulate(end - start for start, end in breaks)]
        self._at = [start - before for (start, _), before in zip(breaks, self._removed, strict=False)]

    def place(self, index: int) -> int:
        """Give where a byte of the text was in the data."""
        return index + self._removed[bisect_right(self._at, index)]


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join spans that overlap, in their order."""
    open_: tuple[int, int] | None = None
    for start, end in sorted(spans):
        if open_ is not None and start < open_[1]:
            open_ = open_[0], max(open_[1], end)
        else:
            if open_ is not None:
                yield open_
            open_ = start, end
    if open_ is not None:
        yield open_


def _forms(value: str) -> Iterator[bytes]:
    """Give a secret as it is, its lines, and as base64 (RFC 4648), percent (RFC 3986), JSON and hexadecimal have it."""
    raw = value.encode("utf-8", "surrogatepass")
    yield _BREAK.sub(b"", raw)
    yield from (line.strip() for line in raw.splitlines())
    yield from _base64(raw)
    for text in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield text.encode()
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text).encode()
    for escaped in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        yield escaped[1:-1].encode("utf-8", "surrogatepass")
    yield from (raw.hex().encode(), raw.hex().upper().encode())


def _base64(raw: bytes) -> Iterator[bytes]:
    """Encode at all three alignments, without the letters at both ends that neighbours have a part in."""
    for before in range(3):
        letters = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        whole = letters[before + 1 if before else 0 : -1 if (before + len(raw)) % 3 else None]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))
