"""eventlog, through the calls of `Task` that its users make; installed where the benchmarks run."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "eventlog"
REQUIREMENTS: tuple[str, ...] = ()
DISTRIBUTION = "eventlog"
IMPORT = "from eventlog import Task"
CANNOT: dict[str, str] = {}


def settle(folder: Path) -> None:
    os.environ["EVENTLOG_HOME"] = str(folder / "home")


def begin(folder: Path, name: str) -> Any:
    from eventlog import Task

    return Task.init(project_name="benchmarks", task_name=name)


def scalar(run: Any) -> Callable[[int, float], object]:
    report = run.get_logger().report_scalar
    return lambda step, value: report("loss", "train", value, step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    report = run.get_logger().report_scalar

    def report_each(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            report(name, "train", value, step)

    return report_each


def finish(run: Any) -> None:
    run.close()


def kept(folder: Path, name: str) -> list[int]:
    curve: list[int] = _task(name).get_all_reported_scalars()["loss"]["train"]["x"]
    return curve


def read(folder: Path, name: str) -> list[float]:
    curve: list[float] = _task(name).get_all_reported_scalars()["loss"]["train"]["y"]
    return curve


def fill_tasks(folder: Path, count: int, more: Callable[[], bool]) -> int:
    """The events of `Task.init`, `add_tags` and `close`, through the same write path, and once looked at."""
    from eventlog.events import TagsAdded, TaskCompleted, TaskCreated, TaskStarted
    from eventlog.store import Store

    with Store.open() as store:
        append = store.session.append
        for number in range(count):
            task = uuid.uuid4().hex
            append(TaskCreated, task, f"task {number}", "benchmarks")
            append(TaskStarted, task)
            append(TagsAdded, task, ["candidate" if number % 10 == 3 else "other"])
            append(TaskCompleted, task)
        store.flush()
    find_tasks(folder)
    return count


def find_tasks(folder: Path) -> int:
    from eventlog import Task

    asked = {"status": ["completed"], "page_size": 100_000}
    return len(Task.get_tasks(project_name="benchmarks", tags=["candidate"], task_filter=asked))


def put_file(run: Any, path: Path) -> None:
    run.upload_artifact("artifact", path)


def get_file(folder: Path, name: str, target: Path) -> Path:
    return Path(_task(name).artifacts["artifact"].get_local_copy())


def sync_files(folder: Path, remote: Path) -> None:
    from eventlog.store import Store
    from eventlog.sync import push

    with Store.open() as store:
        if problems := push(store, remote).problems:
            raise RuntimeError(problems[0])


def _task(name: str) -> Any:
    from eventlog import Task

    return Task.get_task(project_name="benchmarks", task_name=name)
