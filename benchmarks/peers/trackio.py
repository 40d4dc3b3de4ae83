"""Trackio in a local folder: SQLite, written by a thread behind the calls."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "Trackio"
REQUIREMENTS = ("trackio",)
DISTRIBUTION = "trackio"
IMPORT = "import trackio"
CANNOT = {"sync": "syncs to a Hugging Face Space or a server of its own only"}
# Where it keeps things is read when it is imported.
SETTLED_BY_IMPORT = True

_PROJECT = "benchmarks"


def settle(folder: Path) -> None:
    os.environ |= {"TRACKIO_DIR": str(folder / "trackio"), "HF_HUB_OFFLINE": "1"}


def begin(folder: Path, name: str) -> Any:
    import trackio

    return trackio.init(project=_PROJECT, name=name, embed=False)


def scalar(run: Any) -> Callable[[int, float], object]:
    import trackio

    log = trackio.log
    return lambda step, value: log({"loss": value}, step=step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    import trackio

    log = trackio.log
    return lambda step, values: log(values, step=step)


def finish(run: Any) -> None:
    import trackio

    trackio.finish()


def kept(folder: Path, name: str) -> list[int]:
    return [row["step"] for row in _rows(name)]


def read(folder: Path, name: str) -> list[float]:
    return [row["value"] for row in _rows(name)]


def fill_tasks(folder: Path, count: int, more: Callable[[], bool]) -> int:
    import trackio

    for number in range(count):
        if not more():
            return number
        kind = "candidate" if number % 10 == 3 else "other"
        trackio.init(project=_PROJECT, name=f"run {number}", embed=False, config={"kind": kind})
        trackio.log({"loss": 0.5}, step=0)
        trackio.finish()
    return count


def find_tasks(folder: Path) -> int:
    """It has no filter, so the configuration of each run is looked at."""
    import trackio

    runs = trackio.Api().runs(_PROJECT)
    return sum(1 for run in runs if (run.config or {}).get("kind") == "candidate")


def put_file(run: Any, path: Path) -> None:
    import trackio

    trackio.log_artifact(path, name="artifact")


def get_file(folder: Path, name: str, target: Path) -> Path:
    import trackio

    trackio.init(project=_PROJECT, name="reader", embed=False)
    return Path(trackio.use_artifact("artifact").download(target)) / "artifact.bin"


def _rows(name: str) -> list[dict[str, Any]]:
    from trackio.sqlite_storage import SQLiteStorage

    rows: list[dict[str, Any]] = SQLiteStorage.get_metric_values(_PROJECT, name, "loss")
    return rows
