"""Whatever happens in whatever order: when it calms down, nothing is lost and nothing is left over."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COUNT = 100
WORKERS = 2
TESTS = Path(__file__).parents[1]


def start(first: int, count: int) -> "subprocess.Popen[str]":
    """Plays schedules in a process in which strings hash alike every time, so that a seed can be played again."""
    environment = os.environ | {"PYTHONPATH": str(TESTS), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "support.schedules", str(first), str(count)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def result(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    written, _ = process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in written.splitlines()]


def told(schedule: dict[str, Any]) -> str:
    lines = [f"seed {schedule['seed']}", *schedule["trace"], *schedule["wrong"]]
    return "\n".join([*lines, f"python -m support.schedules --replay {schedule['seed']}"])


@pytest.mark.slow
def test_random_schedules_come_to_what_is_wanted() -> None:
    portions = [start(one * COUNT, COUNT) for one in range(WORKERS)]
    schedules = [one for portion in portions for one in result(portion)]
    assert len(schedules) == WORKERS * COUNT
    assert not [one for one in schedules if one["wrong"]], "\n\n".join(told(one) for one in schedules if one["wrong"])


@pytest.mark.slow
def test_a_schedule_is_the_same_whenever_it_is_played() -> None:
    first, second = result(start(3, 4)), result(start(5, 2))
    assert [one["digest"] for one in first[2:]] == [one["digest"] for one in second]
