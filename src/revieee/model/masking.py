"""Masking: secrets taken out of output as it comes, in every form in which programs commonly print them."""

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, zip_longest
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import quote, quote_plus

from revieee.model.passages import LEAST, Passages

MASK = b"***"
EDGE = LEAST
"""Bytes at the end of a text that was cut before it came to us: a part of a secret there may not be known for one."""
SURPLUS_LINES = 1000
"""Lines that are read before those to be shown: as many as the longest secret has as base64 (RFC 2045)."""
_LEAST = 6
"""Bytes; a shorter part of a secret would be found everywhere."""
_BREAK = re.compile(rb"\r?\n(?:#\d+ )?(?:\d+\.\d+ )?|\r\Z")
"""A line's end, with what BuildKit's plain progress begins the next line with: a secret may go on behind it."""
_BREAK_SO_FAR = re.compile(rb"\r?\n[#\d. ]*\Z|" + _BREAK.pattern)
_SEEK = 4
_FOLD = bytes.maketrans(b"-_" + ascii_uppercase.encode(), b"+/" + ascii_lowercase.encode())
"""Long forms are compared without regard to case and to which base64 they are (RFC 4648): it tells none apart."""
_KEPT = 4
"""Repositories whose forms are kept: making them takes longer than masking a line."""


class Masker:
    """Takes secrets out of a stream, however it is cut into pieces and lines.

    Of what is printed of a long secret every part of 48 bytes is taken out, also where the rest is missing.

    Args:
        values: the secrets.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._known = _known(tuple(values))
        self._held = b""
        self._hidden = 0
        """Bytes at the beginning of what is held, line ends not counted, that were shown as stars already."""

    def feed(self, data: bytes) -> bytes:
        """Take some output; gives what is safe to show. The beginning of what may be a secret is held back."""
        if not self._known:
            return data
        return self._shown(self._held + data, last=False)

    def end(self) -> bytes:
        """Give the rest: nothing follows."""
        return self._shown(self._held, last=True)

    def _shown(self, data: bytes, *, last: bool) -> bytes:
        flat = _Flat(data, _BREAK if last else _BREAK_SO_FAR)
        hidden = [(0, self._hidden)] if self._hidden else []
        spans = list(_merged([*hidden, *self._known.spans(flat.text)]))
        until = len(flat.text) if last else self._known.undecided(flat.text)
        cut = len(data) if until == len(flat.text) else flat.place(until)
        shown, done, self._hidden = bytearray(), 0, 0 if until else self._hidden
        for start, end in spans:
            if start < until:
                shown += data[done : flat.place(start)] + (b"" if hidden and not start else MASK)
                done = cut if end > until else flat.place(end - 1) + 1
                self._hidden = max(0, end - until)
        shown += data[done:cut]
        self._held = data[cut:]
        return bytes(shown)


def masked(text: str, values: Iterable[str]) -> str:
    """Take secrets out of a text."""
    masker = Masker(values)
    data = text.encode("utf-8", "surrogatepass")
    return (masker.feed(data) + masker.end()).decode("utf-8", "surrogatepass")


class _Flat:
    """Output without its line ends, and where each byte of it was."""

    def __init__(self, data: bytes, line_break: re.Pattern[bytes]) -> None:
        breaks = [found.span() for found in line_break.finditer(data)]
        self.text = line_break.sub(b"", data)
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


class _Known:
    """Every form of some secrets, to be found in a text without line ends."""

    def __init__(self, values: Sequence[str]) -> None:
        forms = [form for forms in zip_longest(*map(_forms, values), fillvalue=b"") for form in forms]
        folded = [form.translate(_FOLD) for form in dict.fromkeys(forms) if len(form) >= LEAST]
        self._passages = Passages(folded := list(dict.fromkeys(folded)))
        lines = {line for value in values for line in _lines(value)}
        short = {form for form in (*forms, *lines) if _LEAST <= len(form) < LEAST}
        self._short = sorted(short, key=lambda form: (-len(form), form))
        self._long = folded[self._passages.taken :]
        """Those that were too many to be looked into; lines are parts of what was."""
        if self._passages.taken < len(values):
            self._long += [line.translate(_FOLD) for line in lines if len(line) >= LEAST]

    def __bool__(self) -> bool:
        return bool(self._short or self._long or self._passages.taken)

    def spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Give where secrets are."""
        folded = text.translate(_FOLD)
        yield from self._passages.spans(folded)
        for forms, where in ((self._short, text), (self._long, folded)):
            for form in forms:
                at = where.find(form)
                while at >= 0:
                    yield at, at + len(form)
                    at = where.find(form, at + 1)

    def undecided(self, text: bytes) -> int:
        """Give where the first thing begins that may become a secret with what follows."""
        folded = text.translate(_FOLD)
        first = len(text) - self._passages.begun(folded)
        return min(first, _begun(self._short, text), _begun(self._long, folded))


_known = lru_cache(_KEPT)(_Known)


def _begun(forms: Sequence[bytes], text: bytes) -> int:
    """Give where the first of these forms begins that the text does not hold to its end."""
    first = len(text)
    for form in forms:
        at = max(0, len(text) - len(form) + 1)
        while (at := text.find(form[: min(_SEEK, len(text) - at)], at)) >= 0 and at < first:
            if form.startswith(text[at:]):
                first = at
            at += 1
        for short in range(1, _SEEK):
            if len(text) - short < first and text.endswith(form[:short]):
                first = len(text) - short
    return first


def _forms(value: str) -> Iterator[bytes]:
    """Give a secret as it is and as base64 (RFC 4648), hexadecimal, JSON and percent (RFC 3986) have it."""
    raw = value.encode("utf-8", "surrogatepass")
    yield _BREAK.sub(b"", raw)
    yield from _base64(raw)
    yield from (raw.hex().encode(), raw.hex().upper().encode())
    for escaped in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        yield escaped[1:-1].encode("utf-8", "surrogatepass")
    for text in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield text.encode()
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text).encode()


def _lines(value: str) -> Iterator[bytes]:
    return (line.strip() for line in value.encode("utf-8", "surrogatepass").splitlines())


def _base64(raw: bytes) -> Iterator[bytes]:
    """Encode at all three alignments, without the letters at both ends that neighbours have a part in."""
    for before in range(3):
        letters = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        whole = letters[before + 1 if before else 0 : -1 if (before + len(raw)) % 3 else None]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))
