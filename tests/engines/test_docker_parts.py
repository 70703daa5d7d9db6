"""The small pure parts of the Docker engine."""

import io
import tarfile
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.clients.docker import DockerAnswered, DockerClient
from revieee.engines.docker import images
from revieee.engines.docker.archive import pack
from revieee.engines.docker.listening import listening_words, open_ports
from revieee.engines.docker.observe import sort_out
from revieee.engines.docker.output import Frames
from revieee.model.policy import EngineOptions
from revieee.model.stack import MountedFile
from revieee.model.tags import image_tags
from revieee.ports import Presence, Refused

HEAD = "  sl  local_address rem_address   st"


def test_files_are_packed_with_mode_and_owner() -> None:
    packed = pack([MountedFile(target="/etc/app.conf", content=b"x=1", mode=0o600, uid=5, gid=6)])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        (entry,) = archive.getmembers()
        file = archive.extractfile(entry)
        assert file is not None
        assert (entry.name, entry.mode, entry.uid, entry.gid) == ("etc/app.conf", 0o600, 5, 6)
        assert file.read() == b"x=1"


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50))),
    st.lists(st.integers(min_value=1, max_value=20)),
)
def test_output_is_the_same_however_it_is_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    sent = b"".join(bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for stream, data in frames)
    reader, found = Frames(), b""
    for cut in [*cuts, len(sent) + 1]:
        piece, sent = sent[:cut], sent[cut:]
        found += b"".join(reader.feed(piece))
    assert found == b"".join(data for _, data in frames)


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_nonsense_in_place_of_frames_does_no_harm(pieces: list[bytes]) -> None:
    reader = Frames()
    given_back = sum(len(part) for piece in pieces for part in reader.feed(piece))
    assert given_back <= sum(len(piece) for piece in pieces)


def test_open_ports_are_read_from_the_kernel_s_table() -> None:
    lines = [
        "   0: 00000000:1F90 00000000:0000 0A",
        "   1: 0100007F:0BB8 00000000:0000 0A",
        "   2: 0B00007F:A1B2 00000000:0000 0A",
        "   3: 0100007F:1234 0100007F:0050 01",
        "nonsense",
    ]
    assert open_ports(lines) == (frozenset({8080}), frozenset({3000}))


def test_ports_of_a_process_that_is_not_the_container_s_are_not_told(tmp_path: Path) -> None:
    folder = tmp_path / "12"
    (folder / "net").mkdir(parents=True)
    (folder / "net" / "tcp").write_text(f"{HEAD}\n 0: 00000000:1F90 00000000:0000 0A\n")
    (folder / "net" / "tcp6").write_text(f"{HEAD}\n")
    (folder / "cgroup").write_text("0::/docker/abc\n")
    assert listening_words(12, "abc", proc=tmp_path) == "; open ports: 8080"
    assert listening_words(12, "def", proc=tmp_path) == ""
    assert listening_words(13, "abc", proc=tmp_path) == ""


def test_lists_are_sorted_by_environment_and_strangers_left_out() -> None:
    def labels(environment: str, key: str = "") -> dict[str, str]:
        return {"revieee.environment": environment, "revieee.key": key}

    containers = [
        {"Id": "a", "Labels": labels("1", "web-1"), "State": "running", "NetworkSettings": {"Networks": {"n": {}}}},
        {"Id": "b", "Labels": labels("1", "once-1"), "State": "exited"},
        {"Id": "e", "Labels": labels("1", "off-1"), "State": "running", "NetworkSettings": {"Networks": {}}},
        {"Id": "f", "Labels": labels("1", "held-1"), "State": "paused", "NetworkSettings": {"Networks": {"n": {}}}},
        {"Id": "c", "Labels": labels("x"), "State": "running"},
        {"Id": "d", "Labels": None, "State": "running"},
    ]
    found = sort_out(containers, [{"Name": "n", "Labels": labels("2")}], [], [], done={"b"})
    assert found == {
        1: Presence(
            keys=frozenset({"web-1", "once-1", "off-1", "held-1"}),
            running=frozenset({"web-1"}),
            completed=frozenset({"once-1"}),
        ),
        2: Presence(networks=frozenset({"n"})),
    }


@pytest.mark.parametrize(
    "reference",
    ["../../containers/x/json", "a b", "-x", "UPPER", "x?y=1", "", "x" * 600, f"sha256:{'a' * 64}", "a\nb", "$(id)"],
)
async def test_what_is_no_name_of_an_image_never_reaches_the_engine(reference: str) -> None:
    with pytest.raises(Refused):
        await images.have(
            DockerClient("unix:///nowhere"),
            reference,
            options=EngineOptions(instance="one"),
            pinned=None,
            refresh=False,
        )


class _Empty(DockerClient):
    """An engine that has nothing, and where a pull fails the test."""

    def __init__(self) -> None:
        super().__init__("unix:///nowhere")

    async def call(self, *_: object, **__: object) -> None:
        raise DockerAnswered(404, "no such image")

    def stream(self, *path: str, **_: object) -> NoReturn:
        pytest.fail(f"asked for {path}")


@pytest.mark.parametrize("refresh", [False, True])
async def test_an_image_that_was_built_here_and_is_gone_is_asked_of_no_registry(*, refresh: bool) -> None:
    (tag,) = image_tags("one", "acme/shop", "main", "a" * 40, "web")
    with pytest.raises(Refused, match="was built here and is gone"):
        await images.have(
            _Empty(), tag, options=EngineOptions(instance="one"), pinned=f"sha256:{'a' * 64}", refresh=refresh
        )
