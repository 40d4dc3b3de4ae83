"""What `from eventlog import Task` adds to the start of an interpreter.

Interpreters that import it and interpreters that do nothing take turns; the medians are compared.
"""

import os
import statistics
import subprocess
import sys
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row

__all__ = ["BENCHMARK"]

STARTS = 20


def measure(place: Place) -> dict[str, float]:
    programs = {
        "bare": "pass",
        "task": "from eventlog import Task",
        "package": "import eventlog",
        "dependencies": "import lmdb, msgspec, zstandard",
    }
    # As everywhere, all but the first start find the modules compiled.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(place.size(STARTS) + 1):
        for name, program in programs.items():
            start = perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True, env=environment)
            taken[name].append((perf_counter() - start) * 1e3)
    # The first start of each reads its files from the disk.
    median = {name: statistics.median(values[1:]) for name, values in taken.items()}
    return {
        "bare": median["bare"],
        "package": median["package"] - median["bare"],
        "task": median["task"] - median["bare"],
        "dependencies": median["dependencies"] - median["bare"],
    }


BENCHMARK = Benchmark(
    title=f"{STARTS} fresh processes of each, files in the page cache",
    rows=(
        Row("task", "from eventlog import Task, over a bare interpreter", "ms", budget=60),
        Row("package", "import eventlog, over a bare interpreter", "ms"),
        Row("dependencies", "raw: import lmdb, msgspec, zstandard, over a bare interpreter", "ms"),
        Row("bare", "raw: a bare interpreter, to its end", "ms"),
    ),
    measure=measure,
    rounds=3,
)
