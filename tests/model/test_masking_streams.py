"""Secrets are taken out of a stream however it is cut, whatever is around them, and little is held back."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revieee.model.masking import Masker

LONG = base64.b64encode(b"".join(hashlib.sha512(b"%d" % n).digest() for n in range(9))).decode()
LIKE_PROGRESS = [
    "123456789012",
    "9f8e7d6c5b4a39281706",
    "42-correct-horse-battery",
    "2024-11-26.secret-of-mine",
    "1.5 tokenword",
    "#12 abcdefgh",
    "#7 0.1 abcdefgh",
    "5 tokenword",
    ".#. .#. 1",
    "8412097735520164" * 4,
    f"12.5 {LONG[:50]}",
]


def streamed(values: Sequence[str], pieces: Iterator[bytes]) -> bytes:
    masker = Masker(values)
    return b"".join(map(masker.feed, pieces)) + masker.end()


def cut(text: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Cut a text into pieces of these sizes, again and again."""
    at = 0
    for size in cycle(sizes):
        yield text[at : at + size]
        at += size
        if at >= len(text):
            return


@pytest.mark.parametrize("value", LIKE_PROGRESS)
@pytest.mark.parametrize("begin", ["", "#7 0.124 ", "0.124 "])
def test_one_that_begins_as_a_line_of_progress_does_is_found_at_every_cut(value: str, begin: str) -> None:
    text = f"a line\n{begin}{value}\n{begin}another\n".encode()
    for at in range(len(text)):
        assert streamed([value], iter((text[:at], text[at:]))) == f"a line\n{begin}***\n{begin}another\n".encode()
    assert streamed([value], cut(text, [1])) == f"a line\n{begin}***\n{begin}another\n".encode()


def test_digits_that_cannot_become_a_secret_are_shown_at_once() -> None:
    masker = Masker(["s3cr3t-word", LONG])
    assert masker.feed(b"\n3.. 2.. ") == b"\n3.. 2.. "
    assert masker.feed(b"99 %\n#12 0.3") == b"99 %\n#12 0.3"


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("begin", ["", "#5 0.345 "])
def test_of_a_part_without_its_beginning_in_small_pieces_up_to_seven_letters_are_shown(size: int, begin: str) -> None:
    for length in (48, 50, 65, 300):
        part = LONG[101 : 101 + length]
        lines = "\n".join(begin + part[at : at + 20] for at in range(0, len(part), 20))
        shown = streamed([LONG], cut(f"before\n{lines}\nafter\n".encode(), [size]))
        flat = re.sub(rb"\n(#\d+ \d+\.\d+ )?", b"", shown)
        assert re.fullmatch(rb"before(.{0,7})\*\*\*after", flat), (length, shown)


SPREAD = b"".join(b"%c%b" % (letter, b"\n#12 0.345 " * 8) for letter in LONG[:46].encode()) + b"|"
"""46 letters of a long secret, each before as many line ends as are looked over."""
FLOODS = [
    b"\n",
    b"\r\n",
    b"\r",
    b"#12 0.345 \n",
    b"0.345 \r\n",
    b"1",
    b"#12 ",
    b". ",
    b"1.5\n",
    b"s\n",
    b"s3\n\n#1 ",
    SPREAD,
]


@pytest.mark.slow
@pytest.mark.parametrize("value", ["s3cr3t-word", f"s{LONG}"], ids=["short", "long"])
@pytest.mark.parametrize("flood", FLOODS, ids=[repr(flood[:12]) for flood in FLOODS])
def test_whatever_follows_the_beginning_of_a_secret_little_is_held_back(value: str, flood: bytes) -> None:
    """Each feed looks at what is held: were that to grow with the output, so would the time, by its square."""
    masker, started, waiting = Masker([value]), time.process_time(), 0
    for piece in cut(b"s\n" + flood * (2_000_000 // len(flood)), [997, 4099]):
        waiting += len(piece) - len(masker.feed(piece))
        assert waiting <= len(SPREAD)
    assert len(masker.end()) == waiting, "nothing was masked"
    assert time.process_time() - started < 20


LINE_ENDS = ["\n", "\r\n", "\n#12 0.345 ", "\r\n3.14 "]
ALPHABETS = ["0123456789", "0123456789abcdef", "#. 0123456789ab", 'abXY01+/=&%\\"', "éü01 .#"]
SECRETS = (
    st.sampled_from(ALPHABETS)
    .flatmap(lambda letters: st.text(letters, min_size=8, max_size=47) | st.text(letters, min_size=48, max_size=150))
    .filter(lambda value: len(value.strip()) >= 6)
)
CUTS = st.lists(st.integers(1, 64), min_size=1, max_size=8)


def forms(value: str) -> list[str]:
    """Give what is promised: as it is, base64, hexadecimal, JSON, percent; and each line of it."""
    raw = value.encode()
    encoded = base64.b64encode(raw).decode().rstrip("=")[: -1 if len(raw) % 3 else None]
    lines = [line.strip() for line in value.split("\n")]
    return [value.replace("\n", ""), encoded, raw.hex(), json.dumps(value)[1:-1], quote(value, safe=""), *lines]


def readings(text: str) -> list[str]:
    """Give a text without its line ends, and once more without what progress begins a line with."""
    return [re.sub(r"\r?\n", "", text), re.sub(r"\r?\n(#\d+ )?(\d+\.\d+ )?", "", text)]


def left(text: str, values: Sequence[str]) -> list[bytes]:
    """Give what stands in a text of some secrets: short forms, and 48 bytes of long ones."""
    found = []
    for form in (one.encode() for value in values for one in forms(value)):
        for said in (one.encode() for one in readings(text)):
            if len(form) >= 48:
                said, form = said.lower(), form.lower()  # noqa: PLW2901 (long ones: whatever their case)
                found += [form[at : at + 48] for at in range(len(form) - 47) if form[at : at + 48] in said]
            elif len(form) >= 6:
                found += [form] * (form in said)
    return found


def printed(values: Sequence[str]) -> st.SearchStrategy[str]:
    """Print a secret in one of its forms or the end of one, in one line or in several."""

    def lines(text: str, width: int, end: str, start: int) -> str:
        text = text[start if len(text) > start + 48 else 0 :]
        return end.join(text[at : at + width] for at in range(0, len(text), width))

    form = st.sampled_from([one for value in values for one in forms(value)])
    return st.builds(lines, form, st.integers(12, 90) | st.just(999), st.sampled_from(LINE_ENDS), st.integers(0, 20))


def logs(values: Sequence[str]) -> st.SearchStrategy[str]:
    begun = st.builds(lambda value, size: value[:size], st.sampled_from(values), st.integers(1, 9))
    around = st.sampled_from(["", "|", "plain ", "#7 [2/3] RUN x", "50 %\r", "é", "7", ".", "0.5 "])
    piece = printed(values) | begun | around
    return st.lists(st.builds(str.__add__, piece, st.sampled_from(["", *LINE_ENDS])), max_size=7).map("".join)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_nothing_of_random_secrets_is_left_in_random_output_however_it_is_cut(data: st.DataObject) -> None:
    values = data.draw(st.lists(SECRETS, min_size=1, max_size=2))
    if data.draw(st.booleans()):
        values = ["\n".join(values)]
    log = data.draw(logs(values))
    shown = streamed(values, cut(log.encode(), data.draw(CUTS))).decode(errors="replace")
    assert left(shown, values) == []


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_output_without_a_secret_comes_out_as_it_went_in(data: st.DataObject) -> None:
    values = data.draw(st.lists(SECRETS.map(lambda value: f"sec{value}"), min_size=1, max_size=2))
    begun = st.builds(lambda value, size: value[:size], st.sampled_from(values), st.integers(1, 5))
    piece = begun | st.text("0123456789.# \r\n\\é", max_size=40) | st.sampled_from([*LINE_ENDS, "plain", "\n" * 20])
    log = "|".join(data.draw(st.lists(piece, max_size=9))).encode()
    assert streamed(values, cut(log, data.draw(CUTS))) == log
