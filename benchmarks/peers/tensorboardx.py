"""tensorboardX: event files, which TensorBoard reads back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "tensorboardX"
REQUIREMENTS = ("tensorboardX", "tensorboard")
DISTRIBUTION = "tensorboardX"
IMPORT = "from tensorboardX import SummaryWriter"
CANNOT = {
    "tasks": "no list of runs, and no filter",
    "artifacts": "no artifacts",
    "sync": "no sync",
}


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> Any:
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(folder / name))


def scalar(run: Any) -> Callable[[int, float], object]:
    add = run.add_scalar
    return lambda step, value: add("loss", value, step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    add = run.add_scalar

    def add_each(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            add(name, value, step)

    return add_each


def finish(run: Any) -> None:
    run.close()


def kept(folder: Path, name: str) -> list[int]:
    return [scalar.step for scalar in _scalars(folder / name)]


def read(folder: Path, name: str) -> list[float]:
    return [scalar.value for scalar in _scalars(folder / name)]


def _scalars(folder: Path) -> list[Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    scalars: list[Any] = events.Scalars("loss") if "loss" in events.Tags()["scalars"] else []
    return scalars
