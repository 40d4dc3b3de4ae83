"""neptune-scale in its offline mode: SQLite, written in the call."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "neptune-scale"
REQUIREMENTS = ("neptune-scale",)
DISTRIBUTION = "neptune-scale"
IMPORT = "from neptune_scale import Run"
CANNOT = {
    "read": "no reading interface without a server",
    "tasks": "no way to list runs without a server",
    "artifacts": "offline, a file is only referred to where it lies",
    "sync": "syncs to its server only",
}


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> Any:
    from neptune_scale import Run

    return Run(
        project="someone/benchmarks", run_id=name, mode="offline", log_directory=folder / "neptune" / name
    )


def scalar(run: Any) -> Callable[[int, float], object]:
    log = run.log_metrics
    return lambda step, value: log({"loss": value}, step=step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    log = run.log_metrics
    return lambda step, values: log(values, step=step)


def finish(run: Any) -> None:
    run.close()


def kept(folder: Path, name: str) -> list[int]:
    from neptune_api.proto.neptune_pb.ingest.v1.common_pb2 import UpdateRunSnapshot

    steps = []
    for path in folder.glob(f"neptune/{name}/*/run_operations.sqlite3"):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for (operation,) in connection.execute(
                "SELECT operation FROM run_operations WHERE operation_type = 0"
            ):
                update = UpdateRunSnapshot.FromString(operation)
                if "loss" in update.append:
                    steps.append(update.step.whole)
    return steps
