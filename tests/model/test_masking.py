"""Secrets are taken out of output in every form in which programs commonly print them."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
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
