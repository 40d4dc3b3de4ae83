"""How fast the log becomes Parquet: the first time, with one task more, and with nothing new.

The raw line decompresses and decodes the same batches and does nothing with their events.
"""

import hashlib
import resource
import shutil
import sys
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.curve import noisy_loss

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["BENCHMARK"]

TASKS = 10_000
SCALARS = 1_000_000


def prepare(place: Place) -> None:
    from eventlog.projections import Views
    from eventlog.store import Store

    tasks = place.size(TASKS)
    with Store.open(place.folder / "home-0") as store:
        for number in range(tasks):
            _train(store, number, place.size(SCALARS) // tasks)
        store.flush()
        with Views.open(store) as views:
            views.catch_up()


def measure(place: Place) -> dict[str, float]:
    from eventlog.sdk.exports.parquet import export
    from eventlog.store import Store

    out = place.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    with Store.open(place.folder / "home-0") as store:
        start = perf_counter()
        events = sum(len(batch.events()) for batch in store.batches(store.id))
        raw = perf_counter() - start

        start = perf_counter()
        done = export(store, out)
        first = perf_counter() - start
        if done.scalars < place.size(SCALARS):
            raise AssertionError(f"{done.scalars} scalars were exported, not {place.size(SCALARS)}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        _train(store, place.size(TASKS) + place.round, 100)
        store.flush()
        start = perf_counter()
        export(store, out)
        more = perf_counter() - start

        start = perf_counter()
        if export(store, out).files:
            raise AssertionError("an export with nothing new wrote files")
        nothing = perf_counter() - start
    return {
        "first": events / first,
        "raw": events / raw,
        "times_raw": first / raw,
        "more": more * 1000,
        "nothing": nothing * 1000,
        "bytes": done.bytes / done.scalars,
        "peak": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10),
    }


def _train(store: "Store", number: int, scalars: int) -> None:
    from eventlog.events import (
        Parameter,
        ParametersSet,
        ScalarReported,
        TaskCompleted,
        TaskCreated,
        TaskStarted,
    )

    append = store.session.append
    task = hashlib.md5(b"%d" % number).hexdigest()
    append(TaskCreated, task, f"run {number}", f"benchmarks/{number % 20}")
    append(TaskStarted, task)
    parameters = {f"General/{name}": Parameter(str(number / 7), "float") for name in range(20)}
    append(ParametersSet, task, parameters)
    for step, value in enumerate(noisy_loss(scalars, number)):
        append(ScalarReported, task, "loss", "validation" if step % 2 else "train", step // 2, value)
    append(TaskCompleted, task)


BENCHMARK = Benchmark(
    title=f"{SCALARS:,} scalars in {TASKS:,} tasks, as Parquet",
    rows=(
        Row("first", "the first export", "events/s"),
        Row("raw", "raw: the same batches decoded, and no more", "events/s"),
        Row("times_raw", "the first export, times decoding alone", "×"),
        Row("more", "an export with one task more", "ms"),
        Row("nothing", "an export with nothing new", "ms"),
        Row("bytes", "written for each scalar, its event and its task's rows included", "bytes"),
        Row("peak", "memory at its peak", "MB"),
    ),
    measure=measure,
    prepare=prepare,
    rounds=3,
)
