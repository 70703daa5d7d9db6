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
SURPLUS_LINES = 1000
"""Lines that are read before those to be shown: as many as the longest secret has as base64 (RFC 2045)."""
_LEAST = 6
"""Bytes; a shorter part of a secret would be found everywhere."""
_MOST_BREAKS = 8
"""Line ends in a row behind which a secret may go on. More are an end to it: so little is held, whatever comes."""
_PROGRESS = rb"(?:#\d{1,9} )?(?:\d{1,9}\.\d{1,9} )?"
"""What BuildKit's plain progress begins a line with."""
_LONGEST_PROGRESS = len("#123456789 123456789.123456789 ")


def _breaks(begin: bytes) -> re.Pattern[bytes]:
    """Make the pattern of line ends, with what the next line begins with: a secret may go on behind them."""
    first = rb"(?:\r\n|\n)(?<!\n\n)(?<!\n\r\n)"
    return re.compile(rb"%b%b(?:\r?\n%b){,%d}+(?!\r?\n)" % (first, begin, begin, _MOST_BREAKS - 1))


_LINE_END = _breaks(b"")
_BREAK = _breaks(_PROGRESS)
_LIKE_PROGRESS = re.compile(rb"(?:\A|\d) ")
"""What a form holds of which a part may be taken for progress. Few long ones do: for the others progress is no text."""
_SEEK = 4
_FOLD = bytes.maketrans(b"-_" + ascii_uppercase.encode(), b"+/" + ascii_lowercase.encode())
"""Long forms are compared without regard to case and to which base64 they are (RFC 4648): it tells none apart."""
_KEPT = 4
"""Repositories whose forms are kept: making them takes longer than masking a line."""
_CONTEXT = 128
"""Bytes that were given out and are looked at again: seven letters that are no beginning, and the line ends there."""


class Masker:
    """Takes secrets out of a stream, however it is cut into pieces and lines.

    Of what is printed of a long secret every part of 48 bytes is taken out, also where the rest is missing.

    Args:
        values: the secrets.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._known = _known(tuple(values))
        self._before = b""
        """The last of what was given out: a part of a secret may have begun there."""
        self._held = b""
        self._hidden = 0
        """Bytes at the beginning of what is held that were shown as stars already."""

    def feed(self, data: bytes) -> bytes:
        """Take some output; gives what is safe to show. The beginning of what may be a secret is held back."""
        if not self._known:
            return data
        return self._shown(data, last=False)

    def end(self) -> bytes:
        """Give the rest: nothing follows."""
        return self._shown(b"", last=True)

    def _shown(self, more: bytes, *, last: bool) -> bytes:
        data, begin = self._before + self._held + more, len(self._before)
        spans, undecided = self._known.look(data, last=last)
        cut = max(begin, undecided)
        if self._hidden:
            spans.append((begin, begin + self._hidden))
        shown, done, hidden = bytearray(), begin, max(0, begin + self._hidden - cut)
        for start, end in _merged(spans):
            if end > begin and start < cut:
                shown += data[done:start] + (b"" if self._hidden and start <= begin else MASK)
                done, hidden = min(end, cut), max(hidden, end - cut)
        shown += data[done:cut]
        self._before, self._held, self._hidden = data[max(0, cut - _CONTEXT) : cut], data[cut:], hidden
        return bytes(shown)


def masked(text: str, values: Iterable[str], *, cut: bool = False) -> str:
    """Take secrets out of a text.

    Args:
        text: what people will see.
        values: the secrets.
        cut: whether others cut it short; what may be the beginning of a secret at its end is left out then.
    """
    masker = Masker(values)
    data = text.encode("utf-8", "surrogatepass")
    return (masker.feed(data) + (b"" if cut else masker.end())).decode("utf-8", "surrogatepass")


class _Flat:
    """Output without its line ends, and where each byte of it was."""

    def __init__(self, data: bytes, line_break: re.Pattern[bytes]) -> None:
        breaks = [found.span() for found in line_break.finditer(data)]
        ends = [0, *(end for _, end in breaks)]
        starts = [*(start for start, _ in breaks), len(data)]
        self.text = b"".join(map(data.__getitem__, map(slice, ends, starts)))
        self._removed = [0, *accumulate(end - start for start, end in breaks)]
        self._at = [start - before for (start, _), before in zip(breaks, self._removed, strict=False)]

    def place(self, index: int) -> int:
        """Give where a byte of the text was in the data."""
        return index + self._removed[bisect_right(self._at, index)]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Give where a part of the text was."""
        return self.place(start), self.place(end - 1) + 1


def _unfinished(data: bytes) -> int:
    """Give where at the end a line begins of which only what follows tells whether it begins with progress."""
    at = data.rfind(b"\n", max(0, len(data) - _LONGEST_PROGRESS - 1)) + 1
    return len(data) if not at or data[at:].strip(b"#. 0123456789") else at


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
        self._like_progress = any(map(_LIKE_PROGRESS.search, (*folded, *self._long)))

    def __bool__(self) -> bool:
        return bool(self._short or self._long or self._passages.taken)

    def look(self, data: bytes, *, last: bool) -> tuple[list[tuple[int, int]], int]:
        """Give where secrets are, and where the first thing begins that may become one; the last data leave nothing."""
        seen = data if last else data.removesuffix(b"\r")  # it may begin a line's end
        plain = _Flat(seen, _LINE_END)
        # What a line begins with as progress does may be the program's own: both are looked into.
        bare = _Flat(seen if last else seen[: _unfinished(seen)], _BREAK)
        spans = [bare.span(*span) for span in self._spans(bare.text, long=True)]
        if plain.text != bare.text:
            spans += [plain.span(*span) for span in self._spans(plain.text, long=self._like_progress)]
        ends = [flat.place(at) for flat in (bare, plain) if (at := self._undecided(flat.text)) < len(flat.text)]
        return spans, len(data) if last else min(ends, default=len(data))

    def _spans(self, text: bytes, *, long: bool) -> Iterator[tuple[int, int]]:
        for form in self._short:
            yield from _found(form, text)
        if long:
            folded = text.translate(_FOLD)
            yield from self._passages.spans(folded)
            for form in self._long:
                yield from _found(form, folded)

    def _undecided(self, text: bytes) -> int:
        folded = text.translate(_FOLD)
        first = len(text) - self._passages.begun(folded)
        return min(first, _begun(self._short, text), _begun(self._long, folded))


_known = lru_cache(_KEPT)(_Known)


def _found(form: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + 1)


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
    yield _LINE_END.sub(b"", raw)
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
