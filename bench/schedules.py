"""Random schedules of pull requests, faults, kills and pauses, many of them: nothing may be lost or left over.

    .venv/bin/python bench/schedules.py [COUNT] [SEED]

Every schedule follows from its seed, on the memory engine and in time that jumps; one process per processor plays them.
A seed at which something is wrong is printed with what happened, and with the command that plays it again.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

ROOT = Path(__file__).parents[1]
PORTION = 50
"""Schedules that one process plays before another takes its place."""
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}", "PYTHONHASHSEED": "0"}
PLAY = [sys.executable, "-m", "support.schedules"]
console = Console()


def played(first: int, count: int) -> list[dict[str, Any]]:
    """Play some schedules in a process of their own."""
    done = subprocess.run(
        [*PLAY, str(first), str(count)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def all_of(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Play them all, as they are done."""
    with ThreadPoolExecutor(os.cpu_count()) as places:
        portions = [
            places.submit(played, first, min(PORTION, seed + count - first))
            for first in range(seed, seed + count, PORTION)
        ]
        for portion in as_completed(portions):
            yield from portion.result()


def show(schedule: dict[str, Any]) -> None:
    """Print what is wrong with a schedule, and how it came to that."""
    console.rule(f"seed {schedule['seed']}")
    for line in [*schedule["trace"], *schedule["wrong"]]:
        console.print(line, markup=False, highlight=False)
    console.print(f"PYTHONHASHSEED=0 PYTHONPATH=src:tests {' '.join(PLAY)} --replay {schedule['seed']}", style="bold")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    begun, wrong = time.perf_counter(), 0
    columns = (TextColumn("schedules"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=count)
        for schedule in all_of(count, seed):
            progress.advance(task)
            if schedule["wrong"]:
                wrong += 1
                show(schedule)
    taken = time.perf_counter() - begun
    console.print(f"{count:,} schedules in {taken:.0f} s, {wrong} with something wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
