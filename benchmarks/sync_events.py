"""How fast events go to a remote and come into another store: a million scalars, and 10,000 tasks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.task_store import make_tasks

__all__ = ["BENCHMARK"]

SCALARS = 1_000_000
TASKS = 10_000


def prepare(place: Place) -> None:
    from eventlog.events import ScalarReported, TaskCreated
    from eventlog.store import Store

    make_tasks(place.folder / "tasks", place.size(TASKS))
    with Store.open(place.folder / "scalars") as store:
        append, task = store.session.append, "5" * 32
        append(TaskCreated, task, "scalars", "benchmarks")
        for step in range(place.size(SCALARS)):
            append(ScalarReported, task, "loss", "train", step, 1 / (step + 1))


def measure(place: Place) -> dict[str, float]:
    import fsspec  # noqa: F401 (what a process pays once is not counted)

    from eventlog.store import Store
    from eventlog.sync import pull, push

    figures: dict[str, float] = {}
    for name, count in (("scalars", place.size(SCALARS)), ("tasks", place.size(TASKS))):
        remote = place.folder / f"{name}-remote-{place.round}"
        with Store.open(place.folder / name) as store:
            figures[f"{name}_push"] = count / _seconds(partial(push, store, remote))
        with Store.open(place.folder / f"{name}-copy-{place.round}") as store:
            figures[f"{name}_pull"] = count / _seconds(partial(pull, store, remote))
        figures[f"{name}_bytes"] = _size(remote) / count
    return figures


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


BENCHMARK = Benchmark(
    title=f"{SCALARS:,} scalars, and {TASKS:,} tasks of nine events each, by a folder into another store",
    rows=(
        Row("scalars_push", "scalars pushed", "a second"),
        Row("scalars_pull", "scalars pulled", "a second"),
        Row("scalars_bytes", "bytes on the remote, a scalar", "bytes"),
        Row("tasks_push", "tasks pushed", "a second"),
        Row("tasks_pull", "tasks pulled", "a second"),
        Row("tasks_bytes", "bytes on the remote, a task", "bytes"),
    ),
    measure=measure,
    prepare=prepare,
    rounds=3,
)
