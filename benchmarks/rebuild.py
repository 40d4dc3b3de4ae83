"""How fast the views are folded: the whole log again, and a log that is new.

The raw line decompresses and decodes the same batches and does nothing with their events.
"""

import shutil
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.curve import noisy_loss

if TYPE_CHECKING:
    from eventlog.projections import Views

__all__ = ["BENCHMARK"]

TASKS = 20
SCALARS = 1_000_000


def prepare(place: Place) -> None:
    from eventlog.events import ScalarReported, TaskCompleted, TaskCreated, TaskStarted
    from eventlog.store import Store

    per_task = place.size(SCALARS) // TASKS
    with Store.open(place.folder / "home-0") as store:
        append = store.session.append
        for number in range(TASKS):
            task = f"{number:032x}"
            append(TaskCreated, task, f"run {number}", "benchmarks/rebuild")
            append(TaskStarted, task)
            for step, value in enumerate(noisy_loss(per_task, number)):
                append(ScalarReported, task, "loss", "validation" if step % 2 else "train", step // 2, value)
            append(TaskCompleted, task)


def measure(place: Place) -> dict[str, float]:
    from eventlog.projections import Views
    from eventlog.store import Store

    scalars = place.size(SCALARS) // TASKS * TASKS
    home = place.folder / "home-0"
    shutil.rmtree(home / "views")
    with Store.open(home) as store:
        start = perf_counter()
        decoded = sum(len(batch.report_events()) for batch in store.batches(store.id))
        raw = perf_counter() - start
        if decoded != scalars:
            raise AssertionError(f"the log holds {decoded} reports, not {scalars}")

        views = Views.open(store)
        start = perf_counter()
        views.catch_up(reports=True)
        caught_up = perf_counter() - start
        _check(views, scalars)

        start = perf_counter()
        views.rebuild()
        rebuilt = perf_counter() - start
        views.catch_up(reports=True)
        _check(views, scalars)
    return {
        "rebuild": scalars / rebuilt,
        "catch_up": scalars / caught_up,
        "raw": scalars / raw,
        "times_raw": rebuilt / raw,
    }


def _check(views: "Views", scalars: int) -> None:
    held = sum(series.count for number in range(TASKS) for series in views.series(f"{number:032x}"))
    if held != scalars:
        raise AssertionError(f"the views hold {held} scalars, not {scalars}")


BENCHMARK = Benchmark(
    title=f"{SCALARS:,} scalars in {TASKS} tasks",
    rows=(
        Row("rebuild", "Views.rebuild", "events/s", budget=500_000, at_least=True),
        Row("catch_up", "Views.catch_up with nothing folded yet", "events/s", budget=500_000, at_least=True),
        Row("raw", "raw: the same batches decoded, and no more", "events/s"),
        Row("times_raw", "rebuild, times decoding alone", "×"),
    ),
    measure=measure,
    prepare=prepare,
    rounds=3,
)
