"""Passages: long parts of known texts, found in another text wherever they begin and end."""

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

LEAST = 48
"""Bytes of the shortest part that is found."""
_WINDOW = 32
_STRIDE = LEAST - _WINDOW
"""Whichever part of that length is taken, one window is wholly in it."""
_WORD = 8
"""Bytes that a window is looked up by: one machine word, of which a text is read in one go."""
_MOST_WINDOWS = 400_000
"""About 50 MB; a text whose windows would be more is not looked into."""
_MOST_ALIKE = 32
"""Windows with the same first word that are compared: what repeats itself says little."""


class Passages:
    """An index of texts.

    Args:
        texts: each of at least :data:`LEAST` bytes; the first ones are taken, as far as memory goes.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        places: list[int] = []
        size = 0
        self.taken = 0
        """How many of the texts are in it."""
        for text in texts:
            if len(places) + len(text) // _STRIDE > _MOST_WINDOWS:
                break
            places += range(size, size + len(text) - _WINDOW + 1, _STRIDE)
            size += len(text) + 1
            self.taken += 1
        self._all = b"\0".join(texts[: self.taken])
        self._heads = frozenset(text[:length] for text in texts[: self.taken] for length in range(1, _WORD))
        self._where: dict[int, int] = {}
        self._later: dict[int, int] = {}
        """Of a window: the next one with the same first word."""
        for place in reversed(places):
            word = _word(self._all, place)
            if word in self._where:
                self._later[place] = self._where[word]
            self._where[word] = place

    def spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Give where parts of the texts are, in their order."""
        until = 0
        for at in sorted(self._hits(text)):
            if at >= until:
                found = [self._run(text, at, place) for place in self._alike(text, at)]
                start, end = max(found, key=lambda span: span[1] - span[0], default=(at, at))
                if end - start >= LEAST:
                    yield start, end
                    until = end

    def begun(self, text: bytes) -> int:
        """Give how many bytes at the end may go on as a part, the next ones to decide; fewer than :data:`LEAST`."""
        if len(text) < _WORD or text[-_WORD:] not in self._all:
            lengths = range(min(_WORD - 1, len(text)), 0, -1)
            return next((length for length in lengths if text[-length:] in self._heads), 0)
        longest = min(LEAST - 1, len(text))
        return _longest(lambda length: length <= longest and text[len(text) - length :] in self._all)

    def _hits(self, text: bytes) -> Iterator[int]:
        view = memoryview(text)
        for shift in range(min(_WORD, len(text))):
            words = view[shift : shift + (len(text) - shift) // _WORD * _WORD].cast("Q")
            yield from [shift + at * _WORD for at, word in enumerate(words) if word in self._where]

    def _alike(self, text: bytes, at: int) -> Iterator[int]:
        """Give the places of the windows that the text has here."""
        window = text[at : at + _WINDOW]
        return (place for place in islice(self._same_word(window), _MOST_ALIKE) if self._all.startswith(window, place))

    def _same_word(self, window: bytes) -> Iterator[int]:
        place = self._where.get(_word(window))
        while place is not None:
            yield place
            place = self._later.get(place)

    def _run(self, text: bytes, at: int, place: int) -> tuple[int, int]:
        """Give how far the text and what is known at a place are the same, to both sides."""
        behind = _longest(lambda length: length <= at and self._all.endswith(text[at - length : at], 0, place))
        ahead = _longest(
            lambda length: at + length <= len(text) and self._all.startswith(text[at : at + length], place)
        )
        return at - behind, at + ahead


def _word(text: bytes, place: int = 0) -> int:
    return int.from_bytes(text[place : place + _WORD], sys.byteorder)


def _longest(fits: Callable[[int], bool]) -> int:
    """Give the greatest length that fits, where every shorter one does as well."""
    bound = LEAST
    while fits(bound):
        bound *= 2
    return bisect_left(range(bound), 1, key=lambda length: not fits(length)) - 1
