from pathlib import Path

import pytest

from revieee.builders.limits import BuildLimits, Place, hold, place_of, writes

LIMITS = BuildLimits(memory=1 << 30, cpus=1.5)


@pytest.mark.parametrize(
    ("info", "parent", "place"),
    [
        ({"ServerVersion": "20.10.24+dfsg1", "CgroupDriver": "cgroupfs"}, "", Place(group="/docker/buildkit")),
        ({"ServerVersion": "20.10.24", "CgroupDriver": "cgroupfs"}, "/apps", Place(group="/apps/buildkit")),
        ({"ServerVersion": "20.10.24", "CgroupDriver": "systemd"}, "", None),
        (
            {"ServerVersion": "28.2.2", "CgroupDriver": "systemd"},
            "",
            Place(group="/revieee-builds/buildkit", option="/revieee-builds"),
        ),
        ({}, "", None),
    ],
)
def test_where_an_engine_runs_steps(info: dict[str, str], parent: str, place: Place | None) -> None:
    assert place_of(info, parent) == place


def test_the_first_hierarchy() -> None:
    assert writes(LIMITS, "/docker/buildkit", version=1) == {
        "memory/docker/buildkit/memory.limit_in_bytes": "1073741824",
        "cpu/docker/buildkit/cpu.cfs_period_us": "100000",
        "cpu/docker/buildkit/cpu.cfs_quota_us": "150000",
    }


def test_the_second_hierarchy() -> None:
    assert writes(LIMITS, "/docker/buildkit", version=2) == {
        "docker/buildkit/memory.max": "1073741824",
        "docker/buildkit/memory.swap.max": "0",
        "docker/buildkit/cpu.max": "150000 100000",
    }


def test_no_limit_writes_nothing() -> None:
    assert writes(BuildLimits(), "/docker/buildkit", version=1) == {}
    assert BuildLimits().none


def test_groups_of_the_second_hierarchy_hand_their_controllers_down(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "docker"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.subtree_control").write_text("memory\n")
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")

    hold(LIMITS, "/docker/buildkit", tmp_path)

    assert (tmp_path / "docker" / "cgroup.subtree_control").read_text() == "+cpu"
    assert (tmp_path / "docker" / "buildkit" / "cpu.max").read_text() == "150000 100000"
    assert not (tmp_path / "docker" / "buildkit" / "memory.swap.max").exists()
