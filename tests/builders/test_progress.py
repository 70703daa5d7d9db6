import pytest

from revieee.builders.dockerfile import read
from revieee.builders.failure import refusal
from revieee.builders.progress import Progress, instruction, missing_image
from revieee.ports import Fault, Refused, RetryLater

HUB = "docker" + ".io"
"""What BuildKit puts before names without a registry."""

FAILED = b"""#1 [internal] load build definition from Dockerfile
#1 sha256:98223da76ea8235acc2cf2801dcd45ccc14b74f68b7e992fb9ce224f902c83ca
#1 transferring dockerfile: 77B done
#1 DONE 0.0s

#3 [internal] load metadata for registry.example/base:1
#3 DONE 0.0s

#4 [1/3] FROM registry.example/base:1
#4 CACHED

#6 [3/3] RUN echo two;   false
#6 sha256:9e05f8f7cce9c1cf244b4123648e8c8c9538d4757088ade03b72fa8b3557b00a
#6 0.316 two
#6 ERROR: executor failed running [/bin/sh -c echo two;   false]: exit code: 1
------
 > [3/3] RUN echo two;   false:
------
executor failed running [/bin/sh -c echo two;   false]: exit code: 1
"""
DOCKERFILE = read("FROM registry.example/base:1\nRUN echo one\nRUN echo two; \\\n  false\n", "api/Dockerfile")


def fed(output: bytes, size: int = 7) -> Progress:
    progress = Progress()
    for start in range(0, len(output), size):
        progress.feed(output[start : start + size])
    progress.end()
    return progress


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_failed_is_known_however_the_output_is_cut(size: int) -> None:
    progress = fed(FAILED, size)

    assert progress.failed == "[3/3] RUN echo two;   false"
    assert progress.reason == "executor failed running [/bin/sh -c echo two;   false]: exit code: 1"
    assert progress.images == ["registry.example/base:1", "registry.example/base:1"]


def test_a_failed_step_is_told_with_its_line_and_the_last_lines() -> None:
    error = refusal(DOCKERFILE, fed(FAILED), "/")

    assert isinstance(error, Refused)
    assert str(error).startswith("api/Dockerfile:3: RUN echo two;   false failed: ")
    assert "#6 0.316 two" in error.log
    assert "sha256:9e05" not in error.log


def test_a_failed_step_is_told_once_whatever_the_engine_repeats() -> None:
    newer = b'process "/bin/sh -c echo two;   false" did not complete successfully: exit code: 1'
    for reason in (b"executor failed running [/bin/sh -c echo two;   false]: exit code: 1", newer):
        output = b"#6 [3/3] RUN echo two;   false\n#6 0.316 two\n#6 ERROR: %s\n" % reason
        said = str(refusal(DOCKERFILE, fed(output), "/"))
        assert said == "api/Dockerfile:3: RUN echo two;   false failed: exit code: 1"


def test_a_build_that_ran_out_of_memory_says_so() -> None:
    error = refusal(DOCKERFILE, fed(FAILED.replace(b"exit code: 1", b"exit code: 137")), "/")

    assert "memory limit" in str(error)


def test_a_base_image_that_cannot_be_had_is_named() -> None:
    output = f"#3 [internal] load metadata for {HUB}/library/nothing:1\n#3 ERROR: {HUB}/library/nothing:1: not found\n"

    error = refusal(DOCKERFILE, fed(output.encode()), "/")

    assert isinstance(error, Refused)
    assert f"the base image nothing:1 is not on this machine and could not be pulled: {HUB}/lib" in str(error)


@pytest.mark.parametrize("step", ["[internal] load metadata for {}", "[2/3] FROM {}", "[auth] {}:pull token for x"])
def test_a_base_image_whose_registry_is_away_is_waited_for(step: str) -> None:
    output = f"#3 {step.format('library/nothing')}\n#3 ERROR: failed to do request: dial tcp: no such host\n"

    error = refusal(DOCKERFILE, fed(output.encode()), "/")

    assert isinstance(error, RetryLater)
    assert "cannot be pulled now: failed to do request: dial tcp: no such host. It is tried again." in str(error)


def test_a_dockerfile_that_cannot_be_read_is_told_with_its_line() -> None:
    output = b"failed to solve with frontend dockerfile.v0: dockerfile parse error line 2: unknown instruction: RUM\n"

    assert str(refusal(DOCKERFILE, fed(output), "/")) == "api/Dockerfile:2: unknown instruction: RUM."


def test_an_engine_that_cannot_store_the_image_is_no_fault_of_the_author() -> None:
    output = b"#7 exporting to image\n#7 ERROR: layer does not exist\n"

    assert isinstance(refusal(DOCKERFILE, fed(output), "/"), Fault)


@pytest.mark.parametrize("step", [b"exporting to image", b"[internal] load build context", b"[2/3] COPY . /app"])
def test_a_full_disk_passes_whatever_met_it(step: bytes) -> None:
    output = b"#7 %s\n#7 ERROR: write /var/lib/docker/x: no space left on device\n" % step

    error = refusal(DOCKERFILE, fed(output), "/")

    assert isinstance(error, RetryLater)
    assert "found the disk full" in str(error)


def test_a_step_that_says_so_while_there_is_room_has_failed_by_itself() -> None:
    output = FAILED.replace(b"0.316 two", b"0.316 write: No space left on device")

    assert isinstance(refusal(DOCKERFILE, fed(output), "/"), Refused)
    assert isinstance(refusal(DOCKERFILE, fed(output), "/on/another/host"), Refused)


def test_a_step_whose_command_says_so_has_failed_by_itself() -> None:
    command = b"echo : no space left on device; exit 1"
    for reason in (
        b'process "/bin/sh -c %s" did not complete successfully: exit code: 1' % command,
        b"executor failed running [/bin/sh -c %s]: exit code: 1" % command,
    ):
        output = b"#5 [2/2] RUN %s\n#5 0.3 : no space left on device\n#5 ERROR: %s\n" % (command, reason)
        assert isinstance(refusal(DOCKERFILE, fed(output), "/"), Refused)


def test_an_app_cannot_pretend_to_be_buildkit() -> None:
    """What a step writes comes with the step's number and a time before it."""
    progress = fed(b"#6 [3/3] RUN x\n#6 0.1 #9 [internal] load metadata for y\n#6 0.2 ERROR: z\n")

    assert progress.failed is None
    assert progress.images == []


def test_only_the_last_lines_are_kept_however_long_they_are() -> None:
    progress = Progress(tail=3)
    progress.feed(b"x" * 10_000_000)
    progress.feed(b"\n" + b"".join(b"line %d\n" % number for number in range(10)))

    assert progress.tail == "line 7\nline 8\nline 9"


def test_colours_are_taken_out() -> None:
    assert fed(b"\x1b[31mred\x1b[0m\n").tail == "red"


@pytest.mark.parametrize(
    ("step", "image"),
    [
        (f"[internal] load metadata for {HUB}/library/a:1", "a:1"),
        (f"[build 1/3] FROM {HUB}/acme/b@sha256:12", "acme/b@sha256:12"),
        ("FROM registry.example/c", "registry.example/c"),
        ("[2/3] RUN FROM x", None),
    ],
)
def test_steps_that_fetch_an_image(step: str, image: str | None) -> None:
    assert missing_image(step) == image


def test_the_instruction_of_a_step() -> None:
    assert instruction("[build 2/3] RUN [ -e x ] y") == "RUN [ -e x ] y"
