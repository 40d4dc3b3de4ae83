"""What a printed line costs when the console is captured, beyond printing it.

Lines are printed to a file, line by line, as a script's output goes to a log. Runs with and without capture
take turns, and the difference of their medians is what capturing costs.
"""

import statistics
import sys
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row

__all__ = ["BENCHMARK"]

LINES = 50_000
TURNS = 5


def measure(place: Place) -> dict[str, float]:
    from benchmarks.waiting import wait_for_execution
    from eventlog import Task
    from eventlog.sdk.automatic.console import Console

    lines = place.size(LINES)
    task = Task.init("benchmarks/console", "printed lines", auto_connect_streams=False)
    wait_for_execution(task.id)
    console = sys.stdout
    raw, captured, rewritten = [], [], []
    with (place.folder / f"printed-{place.round}").open("w", buffering=1) as file:
        sys.stdout = file
        try:
            for _ in range(TURNS):
                raw.append(_timed(lines))
                capture = Console(task.get_logger(), ["stdout"])
                capture.begin()
                captured.append(_timed(lines))
                rewritten.append(_timed(lines, end="\r"))
                capture.end()
        finally:
            sys.stdout = console
    task.close()
    line = statistics.median(raw)
    return {
        "added": statistics.median(captured) - line,
        "progress": statistics.median(rewritten) - line,
        "print": line,
        "times": statistics.median(captured) / line,
    }


def _timed(lines: int, end: str = "\n") -> float:
    """Microseconds a line."""
    start = perf_counter()
    for number in range(lines):
        print(f"step {number}: loss=0.3124, accuracy=0.9131, 1,204 samples/s", end=end)
    return (perf_counter() - start) / lines * 1e6


BENCHMARK = Benchmark(
    title=f"{LINES:,} lines printed to a file, line by line, {TURNS} times with and without capture",
    rows=(
        Row("added", "a printed line, beyond the print itself", "µs", budget=2),
        Row("progress", "a state of a progress bar, beyond a print", "µs"),
        Row("print", "raw: the print itself", "µs"),
        Row("times", "a captured line, times the print", "×"),
    ),
    measure=measure,
)
