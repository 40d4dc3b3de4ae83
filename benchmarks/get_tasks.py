"""How long `Task.get_tasks` takes with a filter, over 100,000 tasks.

The filter names a project, a status and a tag, and finds some hundred tasks. The first call opens the
store and the views; the later ones are what a script or a notebook that keeps asking sees.
"""

import statistics
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.task_store import CHOSEN_PROJECT, CHOSEN_TAG, make_tasks

__all__ = ["BENCHMARK"]

TASKS = 100_000
CALLS = 20


def prepare(place: Place) -> None:
    make_tasks(place.folder / "home-0", place.size(TASKS))


def measure(place: Place) -> dict[str, float]:
    import os

    from eventlog import Task

    os.environ["EVENTLOG_HOME"] = str(place.folder / "home-0")

    def find() -> float:
        start = perf_counter()
        tasks = Task.get_tasks(
            project_name=CHOSEN_PROJECT, tags=[CHOSEN_TAG], task_filter={"status": ["completed"]}
        )
        taken = perf_counter() - start
        if len(tasks) != expected:
            raise AssertionError(f"found {len(tasks)} tasks, not {expected}")
        return taken * 1e3

    expected = _expected(place.size(TASKS))
    first = find()
    later = statistics.median(find() for _ in range(CALLS))
    return {"first": first, "later": later, "found": expected}


def _expected(count: int) -> int:
    """How many of the tasks that `make_tasks` makes the filter finds."""
    return sum(
        1
        for number in range(count)
        if number % 4 == 0 and number // 4 % 25 == 7 and number // 100 % 10 == 0 and number % 20 != 19
    )


BENCHMARK = Benchmark(
    title=f"{TASKS:,} tasks in 100 projects, by project, status and tag",
    rows=(
        Row("later", "Task.get_tasks with a filter", "ms", budget=20),
        Row("first", "Task.get_tasks with a filter, the first call of a process", "ms"),
        Row("found", "tasks that it finds", ""),
    ),
    measure=measure,
    prepare=prepare,
)
