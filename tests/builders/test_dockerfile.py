import pytest

from revieee.builders.dockerfile import read
from revieee.ports import Refused


@pytest.mark.parametrize(
    "frontend",
    ["docker/dockerfile:1", "docker/dockerfile", "docker/dockerfile:1.4-labs", "docker/dockerfile-upstream:master",
     "docker/dockerfile:1@sha256:" + "a" * 64],
)  # fmt: skip
def test_a_standard_frontend_is_left_out_with_a_notice(frontend: str) -> None:
    made = read(f"# syntax={frontend}\nFROM scratch\n", "Dockerfile")

    assert made.text == "#\nFROM scratch\n"
    (notice,) = made.notices
    assert notice.startswith(f"Dockerfile:1: '# syntax={frontend}' is left out")


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=evil/frontend\nFROM scratch\n",
        "#syntax = evil/frontend:1\nFROM scratch\n",
        "# SYNTAX=evil/frontend\r\nFROM scratch\r\n",
        "\ufeff# syntax=evil/frontend\nFROM scratch\n",
        "# escape=`\n# syntax=evil/frontend\nFROM scratch\n",
        "#!/usr/bin/env x\n# syntax=evil/frontend\nFROM scratch\n",
        "# syntax=docker/dockerfile:1 evil\n# syntax=docker/dockerfile:1x/evil\nFROM scratch\n",
        "# syntax=elsewhere.example/docker/dockerfile:1\nFROM scratch\n",
        "// syntax=evil/frontend\nFROM scratch\n",
        '{"syntax": "evil/frontend"}\n',
    ],
)
def test_any_other_frontend_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"api/Dockerfile:\d: "):
        read(text, "api/Dockerfile")


def test_what_comes_after_the_directives_is_only_a_comment() -> None:
    text = "# a comment\n# syntax=evil/frontend\nFROM scratch\n"

    assert read(text, "Dockerfile").text == text


def test_other_directives_stay_and_so_do_the_line_numbers() -> None:
    made = read("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN x `\n y\nRUN z\n", "Dockerfile")

    assert made.text.splitlines()[:2] == ["# escape=`", "#"]
    assert made.line_of("RUN x   y") == 4
    assert made.line_of("RUN z") == 6


def test_a_step_is_found_by_what_buildkit_calls_it() -> None:
    made = read("FROM a\n\n# why\nRUN one && \\\n  # inside\n\n  two\nCOPY x y\n", "Dockerfile")

    assert made.line_of("RUN one &&   two") == 4
    assert made.line_of("COPY x y") == 8
    assert made.line_of("RUN other") is None


def test_the_images_a_build_starts_from() -> None:
    made = read(
        """
ARG VERSION=3.11
ARG VARIANT=${UNSET:-slim}
FROM --platform=linux/amd64 python:${VERSION}-${VARIANT} AS Base
FROM node:20 AS assets
RUN --mount=type=bind,from=tools:1,target=/t make
FROM unused:1 AS unused
FROM base
COPY --from=assets /dist /dist
COPY --chown=1 --from=alpine:3 /x /x
COPY --from=0 /y /y
FROM scratch AS empty
""",
        "Dockerfile",
    )

    assert set(made.images({}, "empty")) == set()
    assert set(made.images({"VERSION": "3.12"}, "assets")) == {"node:20", "tools:1"}
    last = read(made.text.replace("FROM scratch AS empty\n", ""), "Dockerfile")
    assert set(last.images({"VERSION": "3.12"})) == {"python:3.12-slim", "node:20", "tools:1", "alpine:3"}


@pytest.mark.parametrize("reference", ["$UNSET", "-x", "a\x1b[31m", "$(id)", "`id`", '"a"', "a\\b"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    made = read(f"# why\nFROM {reference}\n", "Dockerfile")

    with pytest.raises(Refused, match=r"Dockerfile:2: the image .* cannot be told"):
        made.images({})


def test_a_here_document_is_no_instruction() -> None:
    made = read("FROM a\nRUN <<EOF\nFROM b\nEOF\nCOPY <<-'X' /x\n\tFROM c\n\tX\nRUN last\n", "Dockerfile")

    assert made.images({}) == ("a",)
    assert made.heredocs == (2, 5)
    assert made.line_of("RUN last") == 8


@pytest.mark.parametrize("text", ["", "\n\n", "#", "FROM", "RUN <<EOF", "ARG", "FROM a\\", "\\", "# escape=", "\0"])
def test_odd_ones_are_left_to_buildkit(text: str) -> None:
    read(text, "Dockerfile").images({})
