"""Fuzzing of everything that reads what strangers write: no crash, no hang, memory within a bound.

    .venv/bin/python bench/fuzz.py [INPUTS PER TARGET] [SEED]

Every target runs in a process of its own, one per processor at a time. Ends with 1 if a fault was found; each is
printed with the seed and number that make it again.
"""

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
PLAY = [sys.executable, "-m", "support.fuzzing"]
BOUND = 500.0
"""MB that one target may need in all."""
console = Console()


def asked(*arguments: str) -> Any:  # noqa: ANN401 -- JSON
    """Run the fuzzer and read what it says."""
    done = subprocess.run([*PLAY, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def fuzzed(target: str, count: int, seed: int) -> dict[str, Any]:
    """Fuzz one target."""
    begun = time.monotonic()
    found: dict[str, Any] = asked(target, str(count), str(seed))
    console.print(f"{target}: {found['tried']:,} tried", style="dim")
    return found | {"seconds": time.monotonic() - begun}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)  # noqa: S311 -- not a secret
    with ThreadPoolExecutor(os.cpu_count()) as places:
        found = list(places.map(lambda target: fuzzed(target, count, seed), asked()))
    table = Table("target", "tried", "refused", "faults", "slowest", "memory", "time", title=f"Fuzzing, seed {seed}")
    for one in found:
        table.add_row(
            one["target"], f"{one['tried']:,}", f"{one['refused']:,}", str(len(one["faults"])),
            f"{one['slowest'] * 1000:.0f} ms", f"{one['megabytes']:.0f} MB", f"{one['seconds']:.0f} s",
        )  # fmt: skip
    console.print(table)
    for one in found:
        for fault in one["faults"][:5]:
            console.print(f"{one['target']}: {fault}", markup=False)
    sys.exit(any(one["faults"] or one["megabytes"] > BOUND for one in found))


if __name__ == "__main__":
    main()
