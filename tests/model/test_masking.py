"""Secrets are taken out of output in every form in which programs commonly print them."""

import base64
import hashlib
import json
import re
import time
import tracemalloc
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revieee.model.masking import Masker, masked

SECRET = "s3cr3t/with+odd?chars&more"
KEY = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA7\nq2u0Zx81LmTTk9bW\n-----END KEY-----\n"


def encoded(value: str, before: str = "", after: str = "") -> str:
    return base64.b64encode(f"{before}{value}{after}".encode()).decode()


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        f"{SECRET[:7]}\n{SECRET[7:]}",
        f"{SECRET[:7]}\r\n{SECRET[7:12]}\n{SECRET[12:]}",
        f"#12 0.345 {SECRET[:7]}\n#12 0.391 {SECRET[7:]}",
        "\n".join(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower().replace("s3cr3t", "s3cr3t"),
        json.dumps({"key": SECRET}),
        SECRET.encode().hex(),
    ],
)
def test_however_it_is_printed_nothing_of_it_is_left(shown: str) -> None:
    found = masked(f"before {shown} after", [SECRET])
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert "***" in found
    for part in (SECRET[:7], SECRET[7:], quote(SECRET, safe="")[:9], SECRET.encode().hex()[:14]):
        assert part not in found


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("after", ["", "\n", "xy", "@host"])
def test_base64_at_every_alignment(before: str, after: str) -> None:
    text = encoded(SECRET, before, after)
    found = masked(text, [SECRET])
    assert "***" in found
    assert len(found) < len(text) / 2 or len(before + after) > 2
    wrapped = "\n".join(text[at : at + 9] for at in range(0, len(text), 9))
    assert masked(wrapped, [SECRET]).replace("\n", "") == found


def test_each_line_of_a_secret_of_several_lines() -> None:
    assert "MIIEowIBAAKCAQEA7" not in masked("key: MIIEowIBAAKCAQEA7 ok", [KEY])
    assert masked(f"<{KEY}>", [KEY]).replace("*", "").strip() == "<\n>"
    assert "q2u0" not in masked(KEY.replace("\n", "\\n"), [KEY])


def test_what_is_no_secret_is_left_as_it_is() -> None:
    text = "line one\r\n#5 [2/3] RUN x\n\n#5 0.1 s3cr3t alone is no secret\n\r\n"
    assert masked(text, [SECRET]) == text
    assert masked(text, []) == text


def test_two_secrets_side_by_side_and_one_inside_of_the_other() -> None:
    assert masked("hunter2hunter22secret", ["hunter2", "hunter22secret"]) == "******"
    assert masked("xhunter22secretx", ["hunter2", "hunter22secret"]) == "x***x"


@given(st.data())
def test_however_the_stream_is_cut_the_same_comes_out(data: st.DataObject) -> None:
    piece = st.sampled_from([SECRET, SECRET[:9], "\n", "\r\n", "#1 0.2 ", "plain ", encoded(SECRET, "x"), "\r", "s3"])
    text = "".join(data.draw(st.lists(piece, max_size=8))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    masker = Masker([SECRET])
    shown = b"".join(masker.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)) + masker.end()
    assert SECRET.encode() not in shown.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"#1 0.2 ", b"")
    if b"#" not in text:  # a cut inside of a prefix may decide where a line's end was
        whole = masked(text.decode(), [SECRET]).encode()
        assert shown.replace(b"***", b"").replace(b"\n", b"").replace(b"\r", b"") == whole.replace(b"***", b"").replace(
            b"\n", b""
        ).replace(b"\r", b"")


def test_output_that_cannot_become_a_secret_is_shown_at_once() -> None:
    masker = Masker([SECRET])
    assert masker.feed(b"ready\n") == b"ready\n"
    assert masker.feed(b"on port 80 s3c") == b"on port 80 "
    assert masker.feed(b"ond") == b"s3cond"


LINES = [base64.b64encode(hashlib.sha512(b"%d" % n).digest()).decode()[:64] for n in range(50)]
LONG = "-----BEGIN KEY-----\n" + "\n".join(LINES) + "\n-----END KEY-----"
FORMS = {
    "plain": LONG,
    "base64": encoded(LONG),
    "of the other alphabet": base64.urlsafe_b64encode(f"x{LONG}".encode()).decode(),
    "hexadecimal": LONG.encode().hex(),
    "percent": quote(LONG, safe=""),
    "JSON": json.dumps(LONG)[1:-1],
}


def wrapped(text: str, width: int, begin: str = "") -> str:
    return "\n".join(begin + text[at : at + width] for at in range(0, len(text), width))


def shows(text: str, of: str, *, length: int = 8) -> bool:
    """Tell whether so long a part of something stands in a text, in one piece, whatever its lines are."""
    flat, of = re.sub(r"\n(#\d+ )?(\d+\.\d+ )?", "", text), of.replace("\n", "")
    return any(of[at : at + length] in flat for at in range(len(of) - length + 1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("start", "end"), [(5, 53), (6, 66), (333, 381), (100, 1500), (-55, -5)])
def test_a_part_of_a_long_secret_is_taken_out_wherever_it_was_cut(form: str, start: int, end: int) -> None:
    part = FORMS[form].replace("\n", "")[start:end]
    assert masked(f"before, {part}\nafter", [LONG]) == "before, ***\nafter"
    assert masked(f"before, {wrapped(part, 20)}\nafter", [LONG]) == "before, ***\nafter"


@pytest.mark.parametrize("begin", ["#5 0.345 ", "0.345 ", ""])
def test_the_last_lines_of_a_long_one_hold_nothing_of_it(begin: str) -> None:
    lines = wrapped(FORMS["base64"], 76, begin).split("\n")
    assert not shows(masked("\n".join(lines[5:40]), [LONG]), FORMS["base64"])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_however_a_stream_with_parts_is_cut_none_is_shown(data: st.DataObject) -> None:
    flat = FORMS["base64"].rstrip("=")[:-1]  # in the last letter what follows has a part
    at = st.integers(0, len(flat) - 64)
    part = st.builds(lambda start, size: flat[start : start + size], at, st.integers(64, 400))
    lines = part.map(lambda text: wrapped(text, 30, "#5 0.3 "))
    text = "".join(data.draw(st.lists(part | lines | st.sampled_from(["\n", "plain ", "\r\n", "#", "9"]), max_size=6)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=9)))
    masker = Masker([LONG])
    shown = "".join(
        masker.feed(text[a:b].encode()).decode() for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)
    )
    # What begins in the middle of a secret is known for it from its eighth letter on, and it may begin twice.
    assert not shows(shown + masker.end().decode(), flat, length=16)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3, 17, 4096])
def test_a_long_secret_in_pieces_becomes_one_run_of_stars_and_little_is_held(size: int) -> None:
    for form in (one.strip("=") for one in FORMS.values()):
        masker, shown = Masker([LONG]), b""
        for at in range(0, len(form), size):
            shown += masker.feed(form[at : at + size].encode())
        shown += masker.feed(b"\nnext\n") + masker.end()
        assert re.fullmatch(rb"(\w\w)?\*\*\*\w?\nnext\n", shown)  # letters of base64 that a neighbour has a part in


def test_words_of_every_day_are_shown_at_once_beside_a_long_secret() -> None:
    masker = Masker([LONG])
    assert masker.feed(b"ready\n") == b"ready\n"
    assert masker.feed(b'{"key": "0123456789abcdef0123456789abcdef"}\n').endswith(b"}\n")


@pytest.mark.slow
def test_a_long_log_is_masked_in_a_moment_and_with_little_memory() -> None:
    keys = [f"{n}{LONG}{n}" for n in range(10)]
    line = b"#12 12.345 npm WARN deprecated something@1.2.3: this is deprecated, use other/one instead\n"
    log = (line * 60 + wrapped(FORMS["base64"], 76).encode()) * 150
    masker, started = Masker(keys), time.process_time()
    tracemalloc.start()
    try:
        shown = sum(len(masker.feed(log[at : at + 65_536])) for at in range(0, len(log), 65_536))
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert shown < len(line) * 60 * 151
    assert time.process_time() - started < 6


@pytest.mark.slow
@pytest.mark.parametrize("value", [SECRET, KEY, f"4{SECRET}", LONG], ids=["short", "lines", "digit", "long"])
def test_of_a_text_that_others_cut_in_a_secret_nothing_of_it_is_left(value: str) -> None:
    for left in range(len(value)):
        assert masked(f"before, {value[:left]}", [value], cut=True).rstrip("\n") in {"before, ", "before, ***"}
    assert masked("before, and all of it.", [value], cut=True) == "before, and all of it."
