"""What an engine says, and what others put into its mouth."""

import tracemalloc

import pytest

from revieee.clients.pulls import pointless
from revieee.clients.wording import MOST, brief, out_of_room, own

FULL = [
    "no space left on device",
    "write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
    "failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x: no space left on device",
    'error creating overlay mount to "/var/lib/docker/overlay2/1": No space left on device.',
    "failed to create shim task: mkdir /run/containerd/io: no space left on device: unknown",
    "ApplyLayer exit status 1 stdout:  stderr: write /x: no space left on device\n",
]
SAID_BY_OTHERS = [
    'OCI runtime create failed: exec: "no space left on device": executable file not found in $PATH: unknown',
    'exec: "a \\"no space left on device": no such file',
    "unable to find user x: no space left on device: no matching entries in passwd file",
    "executor failed running [/bin/sh -c echo : no space left on device]: exit code: 1",
    'process "/bin/sh -c echo no space left on device" did not complete successfully: exit code: 1',
    'error parsing HTTP 404 response body: unexpected: "no space left on device',
    "failed to copy: /no space left on device/x: permission denied",
]


@pytest.mark.parametrize("words", FULL)
def test_a_full_disk_is_told_from_what_the_engine_says_itself(words: str) -> None:
    assert out_of_room(words)


@pytest.mark.parametrize("words", SAID_BY_OTHERS)
def test_nobody_else_can_say_that_the_disk_is_full(words: str) -> None:
    assert not out_of_room(words)


def test_names_and_answers_are_no_words_of_the_engine() -> None:
    words = 'Head "https://registry.example/denied": acme/denied:9: [manifests denied] not found'
    assert own(words).split() == ["Head", ":", ":", "not", "found"]


@pytest.mark.parametrize(
    "piece", ['"', "[", "a", "/", '\\"', "a/ ", "manifest ", "image x ", " no space left on device"]
)
def test_what_is_read_of_a_long_answer_is_bounded(piece: str) -> None:
    """A registry may answer megabytes, and each look at them holds up everybody's turn."""
    words = piece * 2_000_000
    tracemalloc.start()
    try:
        pointless(words)
        out_of_room(words)
        assert len(brief(words)) == MOST
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
