"""The scripts in bin/ keep what they say: tried in namespaces of their own, beside whatever runs on this machine."""

import os
import subprocess
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1] / "bin" / "engine"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine"),
]


def play(script: str) -> list[str]:
    """Runs a script as on a machine without an engine, and gives what it wrote, without the engine script's notes."""
    own = "for folder in /run /var/lib/docker /var/log; do mount -t tmpfs tmpfs $folder; done; ip link set lo up"
    apart = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private")
    done = subprocess.run(
        ["unshare", *apart, "sh", "-euc", f"{own}; engine={ENGINE}; {script}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "engine:" not in line]


def test_an_engine_is_there_for_one_command_and_gone_after_it() -> None:
    script = """
        $engine run docker info --format 'containers: {{.Containers}}'
        $engine status >&2 || echo down
    """
    assert play(script) == ["containers: 0", "down"]


def test_the_exit_code_is_that_of_the_command() -> None:
    assert play("$engine run sh -c 'exit 7' || echo $?") == ["7"]


def test_the_last_of_two_commands_stops_the_engine() -> None:
    script = """
        mkfifo /run/gate
        $engine run sh -c 'echo first >&2; cat /run/gate >&2' &
        until docker info >/dev/null 2>&1; do sleep 0.1; done
        $engine run true
        docker info --format 'still {{.Containers}}'
        echo >/run/gate
        wait
        $engine status >&2 || echo down
    """
    assert play(script) == ["still 0", "down"]


def test_what_was_started_to_stay_stays() -> None:
    script = """
        $engine start
        $engine run true
        docker info --format 'still {{.Containers}}'
        $engine stop
        $engine status >&2 || echo down
    """
    assert play(script) == ["still 0", "down"]


def test_a_process_that_took_over_the_number_of_a_dead_engine_is_left_alone() -> None:
    script = """
        sleep 60 & other=$!
        mkdir -p /run/revieee-engine
        echo $other >/run/revieee-engine/pid
        $engine stop
        kill -0 $other && echo alive
        kill $other
    """
    assert play(script) == ["alive"]
