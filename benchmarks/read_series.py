"""How long it takes to read one series of a million points into Arrow.

The raw line reads the same three columns back from an uncompressed Arrow file in the page cache.
"""

import statistics
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.curve import noisy_loss

__all__ = ["BENCHMARK"]

POINTS = 1_000_000
READS = 10
TASK = "0123456789abcdef" * 2


def prepare(place: Place) -> None:
    from eventlog.events import ScalarReported, TaskCompleted, TaskCreated, TaskStarted
    from eventlog.projections import Views
    from eventlog.store import Store

    with Store.open(place.folder / "home-0") as store:
        append = store.session.append
        append(TaskCreated, TASK, "one long series", "benchmarks")
        append(TaskStarted, TASK)
        for step, value in enumerate(noisy_loss(place.size(POINTS))):
            append(ScalarReported, TASK, "loss", "train", step, value)
        append(TaskCompleted, TASK)
        store.flush()
        Views.open(store).catch_up(reports=True)


def measure(place: Place) -> dict[str, float]:
    start = perf_counter()
    import pyarrow.compute

    imported = perf_counter() - start
    import pyarrow.feather

    from eventlog.projections import Views
    from eventlog.store import Store

    with Store.open(place.folder / "home-0") as store:
        views = Views.open(store)
        views.catch_up(reports=True)
        taken = []
        for _ in range(READS):
            start = perf_counter()
            table = views.scalars(TASK, "loss", "train")
            taken.append((perf_counter() - start) * 1e3)
        if table.num_rows != place.size(POINTS):
            raise AssertionError(f"read {table.num_rows} points, not {place.size(POINTS)}")
    path = str(place.folder / "raw.arrow")
    pyarrow.feather.write_feather(table, path, compression="uncompressed")
    raw = []
    for _ in range(READS):
        start = perf_counter()
        pyarrow.feather.read_table(path, memory_map=False)
        raw.append((perf_counter() - start) * 1e3)
    return {
        "first": taken[0],
        "later": statistics.median(taken[1:]),
        "raw": statistics.median(raw),
        "import": imported * 1e3,
    }


BENCHMARK = Benchmark(
    title=f"one series of {POINTS:,} points, views up to date, pyarrow imported",
    rows=(
        Row("first", "Views.scalars, the first read of a process", "ms", budget=50),
        Row("later", "Views.scalars, again", "ms"),
        Row("raw", "raw: the same columns from an Arrow file", "ms"),
        Row("import", "raw: import of pyarrow and pyarrow.compute, once in a process", "ms"),
    ),
    measure=measure,
    prepare=prepare,
)
