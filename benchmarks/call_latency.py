"""How long the slowest calls take at 2,000 calls a second, while the committer works.

Between two calls the script sleeps, as one that waits for its data, or multiplies matrices, as one that
trains: a processor that has slept is slower for a while. The same pace with a bare `write` into a file, and
with a function that does nothing, in the same process, says how much of it is the machine.
"""

import os
import statistics
import time
from collections.abc import Callable

import numpy

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.curve import noisy_loss

__all__ = ["BENCHMARK"]

RATE = 2_000
MATRIX = numpy.eye(64)
CALLS = 40_000


def measure(place: Place) -> dict[str, float]:
    from benchmarks.waiting import wait_for_execution
    from eventlog import Task

    calls = place.size(CALLS)
    values = noisy_loss(calls)
    descriptor = os.open(place.folder / f"raw-{place.round}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    frame = bytes(100)
    raw, raw_busy = (
        _durations(calls, lambda _: os.write(descriptor, frame), wait) for wait in (_sleep, _work)
    )
    os.close(descriptor)
    empty = _durations(calls, lambda _: None, _sleep)

    task = Task.init(project_name="benchmarks/latency", task_name="report_scalar")
    wait_for_execution(task.id)
    report = task.get_logger().report_scalar

    def call(step: int) -> None:
        report("loss", "train", value=values[step], iteration=step)

    taken, busy = (_durations(calls, call, wait) for wait in (_sleep, _work))
    task.close()
    return {
        "median": statistics.median(taken),
        "p99": _percentile(taken, 99),
        "p999": _percentile(taken, 99.9),
        "worst": max(taken),
        "busy_p999": _percentile(busy, 99.9),
        "raw_median": statistics.median(raw),
        "raw_p999": _percentile(raw, 99.9),
        "raw_busy_p999": _percentile(raw_busy, 99.9),
        "empty_p999": _percentile(empty, 99.9),
    }


def _durations(calls: int, call: Callable[[int], object], wait: Callable[[int], object]) -> list[float]:
    """How long each call took, in microseconds, `RATE` calls a second.

    Args:
        wait: passes the time until the next one, as of `time.perf_counter_ns`.
    """
    clock = time.perf_counter_ns
    interval = 1_000_000_000 // RATE
    taken = []
    start = clock()
    for step in range(calls):
        wait(start + step * interval)
        before = clock()
        call(step)
        taken.append((clock() - before) / 1e3)
    return taken


def _sleep(until: int) -> None:
    early = until - time.perf_counter_ns()
    if early > 0:
        time.sleep(early / 1e9)


def _work(until: int) -> None:
    # Small enough to be multiplied by one thread.
    while time.perf_counter_ns() < until:
        MATRIX @ MATRIX


def _percentile(values: list[float], percent: float) -> float:
    return sorted(values)[min(int(len(values) * percent / 100), len(values) - 1)]


BENCHMARK = Benchmark(
    title=f"{CALLS:,} calls at {RATE:,} a second, commits going on",
    rows=(
        Row("median", "report_scalar, median", "µs"),
        Row("p99", "report_scalar, 99th percentile", "µs"),
        Row("p999", "report_scalar, 99.9th percentile", "µs", budget=50),
        Row("worst", "report_scalar, slowest of all", "µs"),
        Row("busy_p999", "report_scalar in a loop that computes, 99.9th percentile", "µs", budget=50),
        Row("raw_median", "raw: one write(2) at the same pace, median", "µs"),
        Row("raw_p999", "raw: one write(2) at the same pace, 99.9th percentile", "µs"),
        Row("raw_busy_p999", "raw: one write(2) in a loop that computes, 99.9th percentile", "µs"),
        Row("empty_p999", "raw: a function that does nothing, 99.9th percentile", "µs"),
    ),
    measure=measure,
    rounds=3,
)
