"""Dockerfiles that hide what the engine would fetch, or whose image they start from."""

import asyncio
import time
import tracemalloc
from contextlib import suppress

import pytest

from builders.conftest import Yard
from revieee.builders.dockerfile import read
from revieee.ports import Refused
from support.hostile_dockerfiles import REMOTE


@pytest.mark.parametrize("line", REMOTE)
def test_what_the_engine_would_fetch_is_refused(line: str) -> None:
    with pytest.raises(Refused, match=r"api/Dockerfile:\d+: ADD of .* Use RUN with wget or curl, or COPY"):
        read(f"FROM scratch\n{line}\n", "api/Dockerfile")


@pytest.mark.parametrize(
    "text",
    [
        "# escape=`\nFROM scratch\nAD`\nD http://h/a /a\n",
        "#escape = `\r\nFROM scratch\r\nAD`  \r\nD http://h/a /a\r\n",
        " # escape=`\nFROM scratch\nRUN a\\\nADD http://h/a /a\n",
        "# escape=`\nFROM scratch\nRUN C:\\\nADD http://h/a /a\n",
        "#!/bin/x\n# escape=`\nFROM scratch\nAD\\\nD http://h/a /a\n",
        "# other=1\n# escape=`\nFROM scratch\nAD`\nD http://h/a /a\n",
        "#\u00a0escape=`\nFROM scratch\nAD\\\nD http://h/a /a\n",
        "FROM scratch\nRUN a \\\\\nADD http://h/a /a\n",
        "FROM scratch\nRUN a \\\r\r\nADD http://h/a /a\n",
    ],
)
def test_what_engines_read_differently_hides_nothing(text: str) -> None:
    with pytest.raises(Refused, match=r"Dockerfile:\d"):
        read(text, "Dockerfile")


OTHERS = "revieee-test/acme/other/web:main"


@pytest.mark.parametrize(
    "text",
    [
        f"FROM {OTHERS}",
        f"FROM\t{OTHERS}",
        f"from\v{OTHERS}",
        f"FROM\f{OTHERS}\tAS\tx",
        f"\u00a0FROM {OTHERS}",
        f'FROM "{OTHERS}"',
        f"FROM '{OTHERS}'",
        "FROM revieee\\-test/acme/other/web:main",
        "FROM revieee-te\\\nst/acme/other/web:main",
        "FRO\\\n# x\n\nM revieee-test/acme/other/web:main",
        "# escape=`\nFROM revieee-te`\nst/acme/other/web:main",
        f"FROM --platform=linux/amd64\t{OTHERS}",
        f'FROM --platform="linux/amd64 x" {OTHERS}',
        f"FROM --platform linux/amd64 {OTHERS}",
        f"ARG B={OTHERS}\nFROM $B",
        f'ARG B="{OTHERS}"\nFROM $B',
        f"ARG B='{OTHERS}'\nFROM ${{B}}",
        f"ARG\tB={OTHERS}\nFROM $B",
        f"ARG A=1 B={OTHERS}\nFROM $B",
        f'ARG A="1 2" B={OTHERS}\nFROM $B',
        'ARG B=revieee"-"test/acme/other/web:main\nFROM $B',
        "ARG B=revieee\\-test/acme/other/web:main\nFROM $B",
        f"ARG B={OTHERS}\nARG C=${{B}}\nFROM a AS x\nFROM ${{U:-$C}}",
        f"FROM ${{U-{OTHERS}}}",
        f"ARG B=x\nARG B={OTHERS}\nFROM $B",
        f"FROM a\nCOPY --from={OTHERS} /a /a",
        f"FROM a\nCOPY\t--from={OTHERS} /a /a",
        f'FROM a\nCOPY --from="{OTHERS}" /a /a',
        f'FROM a\nCOPY --"from"={OTHERS} /a /a',
        f"FROM a\nCOPY --fr\\om={OTHERS} /a /a",
        f"FROM a\nCOPY --chown='1 2' --from={OTHERS} /a /a",
        f"FROM a\nCOPY --chown=\u00e0--from={OTHERS} /a /a",
        f"FROM a\nCOPY --chown 1 --from={OTHERS} /a /a",
        f"FROM a\nCOPY --from {OTHERS} /a /a",
        "FROM a\nARG X\nCOPY --from=$X /a /a",
        f"FROM a\nONBUILD COPY --from={OTHERS} /a /a",
        f"FROM a\nRUN\t--mount=from={OTHERS},target=/t true",
        f"FROM a\nRUN --mount=type=bind,FROM={OTHERS},target=/t true",
        f'FROM a\nRUN --mount=type=bind,"from={OTHERS}",target=/t true',
        f'FROM a\nRUN --mount="type=bind,from={OTHERS},target=/t" true',
        f"FROM a\nRUN --mount=type=bind,fr\\om={OTHERS},target=/t true",
        f'FROM a\nRUN --mount=type=bind,\\"from={OTHERS}\\",target=/t true',
        f"FROM a\nRUN --network=none --mount=target=/t,from={OTHERS} true",
        f"FROM a\nRUN --mo\\\nunt=target=/t,from={OTHERS} true",
        f"FROM {OTHERS} AS x\nFROM x\nCOPY a a\nFROM b AS x\nFROM 1x\nCOPY --from=1 /a /a",
        f"FROM b AS y\nCOPY --from=x /a /a\nFROM {OTHERS} AS x\nFROM y",
        f"FROM a\nCOPY --from=00 /a /a\nRUN --mount=from={OTHERS} true",
        f"FROM a\nRUN <<EOF\nFROM {OTHERS}\nRUN true",
        f"FROM a\nRUN <<USER\nFROM {OTHERS}\nUSER\n",
        f'FROM a\nRUN echo "x <<A"\nRUN <<B\nno instruction\nB\nFROM {OTHERS}',
        f"FROM a\nRUN echo \\<<A\nFROM {OTHERS}",
        f"FROM a\nRUN <<EOF\n\tEOF\nEOF\nFROM {OTHERS}",
    ],
)
def test_an_image_of_another_environment_is_seen_or_refused(text: str) -> None:
    try:
        assert OTHERS in read(f"{text}\n", "Dockerfile").images({})
    except Refused as refused:
        assert "Dockerfile:" in str(refused)  # noqa: PT017  # either is right


@pytest.mark.parametrize("name", ["TARGETOS", "TARGETPLATFORM", "BUILDARCH", "TARGETVARIANT", "TARGETSTAGE"])
def test_an_argument_that_buildkit_sets_by_itself_has_the_value_that_is_given(name: str) -> None:
    for text in (f"FROM ${name}\n", f"FROM ${{{name}:-a}}\n", f"ARG B=${name}\nFROM $B\n"):
        assert read(text, "Dockerfile").images({name: OTHERS}) == (OTHERS,)


@pytest.mark.parametrize("value", ["$X", "'a'", "a" * 501], ids=["variable", "quoted", "long"])
def test_where_such_a_value_cannot_be_told_the_image_is_refused(value: str) -> None:
    with pytest.raises(Refused, match=r"Dockerfile:1: the image .* cannot be told"):
        read("FROM a$TARGETOS\n", "Dockerfile").images({"TARGETOS": value})


@pytest.mark.parametrize("text", ["FROM ${TARGETSTAGE:-a}\n", "FROM a${TARGETSTAGE:+b}\n"])
def test_whether_buildkit_sets_an_argument_is_not_guessed(text: str) -> None:
    with pytest.raises(Refused, match=r"Dockerfile:1: the image .* cannot be told"):
        read(text, "Dockerfile").images({})


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("ARG VERSION=3.11\nFROM python:${VERSION}-slim AS base\nFROM base\n", {"python:3.11-slim"}),
        ('ARG VERSION="3.11"\nFROM python:$VERSION\n', {"python:3.11"}),
        ("ARG GIVEN=1\nFROM python:$GIVEN\n", {"python:2"}),
        ("ARG GIVEN\nFROM python:$GIVEN\n", {"python:2"}),
        ("ARG SUFFIX\nFROM python:3$SUFFIX\n", {"python:3"}),
        ("FROM python:${X:-3}${X:+-slim}\n", {"python:3"}),
        ("ARG V=3\nARG IMAGE=python:${V}\nFROM ${IMAGE:-python:${V}}\n", {"python:3"}),
        ("FROM --platform=$BUILDPLATFORM golang:1 AS build\nFROM alpine\nCOPY --from=build /a /a\n",
         {"golang:1", "alpine"}),
        ('FROM a AS base\nFROM b\nCOPY --from=base --chown=1:1 x y\nCOPY --chown="1:1" x y\n', {"a", "b"}),
        ("FROM a AS Base\nFROM bAse\n", {"a"}),
        ("\tFROM\ta\n\t# comment\n\tRUN a && \\\n\t\t# inside\n\n\t\tb\n", {"a"}),
        ("FROM a\r\nCOPY . /x\r\nRUN a \\\r\n b\r\n", {"a"}),
        ('FROM a\nRUN psql <<EOF\nSELECT x\nFROM users;\nALTER TABLE x\n  ADD COLUMN "y" int;\nEOF\n', {"a"}),
        ('FROM a\nRUN cat > "/x" <<-\'EOF\' && echo $HOME\nFROM $nothing\n\tEOF\nCOPY <<A <<B /d/\nA\nB\n', {"a"}),
        ('FROM a\nRUN --mount=type=cache,target="/root/.cache" --mount=type=bind,from=t:1,target=/t x\n',
         {"a", "t:1"}),
        ('FROM a\nADD app.tar.gz /app/\nADD --chown=1:1 ["a b", "c", "/app/$HOME"]\nADD . $HOME\n', {"a"}),
        ("FROM a\nCOPY --link $WHAT ${WHERE:-/x}\nRUN wget http://files.example/a\nENV ADD http://x\n", {"a"}),
        ("FROM a\nRUN echo $((1<<3)) && echo 'x' \\\n  | sed 's/a\\/b/c/'\nCMD [\"a\", \"http://x\"]\n", {"a"}),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM a AS x\nRUN a `\n b\nFROM x\nCOPY . C:\\\n", {"a"}),
        ('FROM scratch\nONBUILD COPY . /a\nLABEL a="b \\\n c"\nHEALTHCHECK --interval=3s CMD curl http://x\n', set()),
    ],
)  # fmt: skip
def test_what_people_write_is_read_as_they_mean_it(text: str, images: set[str]) -> None:
    assert set(read(text, "Dockerfile").images({"GIVEN": "2"})) == images


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "RUN <<A <<B\n" * 20_000,
        "RUN <<A\nA\n" * 20_000,
        "ONBUILD " * 30_000,
        "RUN " + "--a=" * 60_000,
        "RUN " + "--a=b " * 40_000,
        "COPY " + '--a="' * 40_000,
        "ARG " + '"' * 100_001,
        "ARG A=" + "\\" * 100_001,
        "ARG A=" + "${A:-" * 40_000,
        "ARG A=$A$A$A$A\n" * 8_000,
        "ARG A=aa\n" + ("ARG A=" + "$A" * 30_000 + "\n") * 4,
        "FROM a AS x\n" * 8_000 + "FROM x\n",
        "FROM a\n" + "COPY --from=x a b\n" * 10_000,
        "RUN " + "'" * 100_001 + "<<A",
        "RUN " + "<" * 200_000,
        "RUN " + "0" * 100_000 + "<<",
        "a\\\n" * 80_000,
        "ADD " + "[" * 200_000,
        "# " + "a" * 100_000 + " " * 100_000 + "=",
        "# a=" + " " * 100_000 + "\vb",
        "#a=x" + " " * 400_000 + "x",
        "#" + " " * 200_000 + "a" + " " * 200_000,
        "FROM busybox AS a\n" * 10_000 + "FROM busybox\n" + "COPY --from=a . .\n" * 10_000,
        "FROM a\nRUN x <<A " + "$aa " * 100_000 + '" <<B',
        "FROM a\nRUN --mount=" + '"a' * 150_000,
        'FROM a\nRUN --mount="' + "a" * 400_000,
        "ARG A=" + "a" * 500 + "\nARG B=" + "$A" * 150_000,
        "ARG A=" + "a" * 500 + "\n" + ("ARG B=" + "$A" * 4_000 + "\n") * 40,
        'ARG A="' + "a" * 400_000,
        "FROM a\nONBUILD " + "--a " * 100_000,
    ],
    ids=lambda text: text[:30],
)
def test_reading_takes_time_in_line_with_the_length(text: str) -> None:
    began = time.process_time()
    with suppress(Refused):
        read(f"{text}\nFROM a\n", "Dockerfile").images({})
    assert time.process_time() - began < 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "FROM busybox AS a\n" * 5_000 + "FROM busybox\n" + "COPY --from=a . .\n" * 5_000,
        'FROM a\nRUN --mount="' + "a" * 400_000,
        "ARG A=" + "a" * 500 + "\nARG B=" + "$A" * 150_000,
    ],
    ids=["stages of one name", "an open quote", "arguments in arguments"],
)
def test_reading_takes_memory_in_line_with_the_length(text: str) -> None:
    tracemalloc.start()
    try:
        with suppress(Refused):
            read(text, "Dockerfile").images({})
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_a_frontend_of_spaces_that_only_python_knows_is_refused() -> None:
    with pytest.raises(Refused, match="Dockerfile:1: the frontend"):
        read("# syntax=\u00a0\nFROM a\n", "Dockerfile")


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 3, 5, 10, 20])
async def test_a_build_that_would_fetch_is_never_begun(yard: Yard, index: int) -> None:
    asked: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx")
        writer.close()

    async with await asyncio.start_server(note, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        line = REMOTE[index].replace("127.0.0.1/", "h/").replace("h/a", f"127.0.0.1:{port}/a")
        with pytest.raises(Refused, match=r"Dockerfile:\d: ADD"):
            await yard.build(f"FROM BASE\n{line}\n")

    assert asked == []
    assert yard.output == b""
