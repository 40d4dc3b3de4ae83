"""What a sync takes that has nothing to do, in stores of few and of many tasks, through a folder."""

import statistics
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.task_store import make_tasks

__all__ = ["BENCHMARK"]

COUNTS = {"few": 10, "some": 1_000, "many": 100_000}
CALLS = 10


def prepare(place: Place) -> None:
    from eventlog.store import Store
    from eventlog.sync import synchronise

    for name, count in COUNTS.items():
        make_tasks(place.folder / name, place.size(count))
        with Store.open(place.folder / name) as store:
            synchronise(store, place.folder / f"remote-{name}")


def measure(place: Place) -> dict[str, float]:
    from eventlog.store import Store
    from eventlog.sync import synchronise

    figures = {}
    for name in COUNTS:
        with Store.open(place.folder / name) as store:
            times = []
            for _ in range(CALLS):
                start = perf_counter()
                done = synchronise(store, place.folder / f"remote-{name}")
                times.append((perf_counter() - start) * 1e3)
                if done.problems or done.pull.batches or (done.push and done.push.batches):
                    raise AssertionError(f"there was something to do: {done}")
            figures[name] = statistics.median(times)
    return {**figures, "growth": figures["many"] / figures["few"]}


BENCHMARK = Benchmark(
    title="a sync that has nothing to do, with a folder",
    rows=(
        Row("growth", "with 100,000 tasks, times with 10", "×"),
        *(Row(name, f"with {count:,} tasks", "ms") for name, count in COUNTS.items()),
    ),
    measure=measure,
    prepare=prepare,
    rounds=3,
)
