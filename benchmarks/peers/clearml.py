"""ClearML in its offline mode: lines of JSON, written by a subprocess behind the calls."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "ClearML"
REQUIREMENTS = ("clearml",)
DISTRIBUTION = "clearml"
IMPORT = "from clearml import Task"
CANNOT = {
    "read": "no reading interface offline",
    "tasks": "no way to list tasks offline",
    "artifact_out": "an artifact of an offline task cannot be fetched before it is imported into a server",
    "sync": "imports into its server only",
}
# Where it keeps things is read when it is imported.
SETTLED_BY_IMPORT = True


def settle(folder: Path) -> None:
    os.environ |= {"CLEARML_OFFLINE_MODE": "1", "CLEARML_CACHE_DIR": str(folder / "clearml")}


def begin(folder: Path, name: str) -> Any:
    from clearml import Task

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
    steps = []
    for path in _sessions(folder, name):
        for line in path.joinpath("metrics.jsonl").read_text().splitlines():
            try:
                reports = json.loads(line)
            except ValueError:  # cut off
                continue
            steps += [report["iter"] for report in reports if report.get("metric") == "loss"]
    return steps


def put_file(run: Any, path: Path) -> None:
    run.upload_artifact("artifact", path, wait_on_upload=True)


def _sessions(folder: Path, name: str) -> list[Path]:
    """The folders of the sessions of tasks with a name; of a killed one's task, the name may be missing."""
    found = []
    for path in (folder / "clearml" / "offline").glob("offline-*/metrics.jsonl"):
        task = path.with_name("task.json")
        if not task.exists() or json.loads(task.read_text()).get("name", name) == name:
            found.append(path.parent)
    return found
