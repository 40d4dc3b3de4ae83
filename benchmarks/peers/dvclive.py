"""DVCLive without git: a file of each series, and a summary that each step writes anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "DVCLive"
REQUIREMENTS = ("dvclive",)
DISTRIBUTION = "dvclive"
IMPORT = "from dvclive import Live"
CANNOT = {
    "tasks": "no list of runs without git",
    "artifacts": "needs a DVC repository, which needs git",
    "sync": "needs a DVC repository, which needs git",
}


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> Any:
    from dvclive import Live

    return Live(str(folder / name), save_dvc_exp=False)


def scalar(run: Any) -> Callable[[int, float], object]:
    log, next_step = run.log_metric, run.next_step

    def report(step: int, value: float) -> None:
        log("loss", value)
        next_step()

    return report


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    log, next_step = run.log_metric, run.next_step

    def report_each(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            log(name, value)
        next_step()

    return report_each


def finish(run: Any) -> None:
    run.end()


def kept(folder: Path, name: str) -> list[int]:
    return [int(step) for step, _ in _rows(folder, name)]


def read(folder: Path, name: str) -> list[float]:
    return [float(value) for _, value in _rows(folder, name)]


def _rows(folder: Path, name: str) -> list[tuple[str, str]]:
    """The rows of the file that it keeps of a series, which its own reader gives as dictionaries of text."""
    from dvclive.utils import parse_tsv

    path = folder / name / "plots" / "metrics" / "loss.tsv"
    return [(row["step"], row["loss"]) for row in parse_tsv(path)] if path.exists() else []
