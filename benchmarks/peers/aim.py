"""Aim in a local repository: RocksDB."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "Aim"
REQUIREMENTS = ("aim",)
DISTRIBUTION = "aim"
IMPORT = "from aim import Run"
CANNOT = {"sync": "syncs to a server of its own only"}


def settle(folder: Path) -> None:
    os.environ["__AIM_REPO_NAME__"] = ".aim"


def begin(folder: Path, name: str) -> Any:
    from aim import Run

    run = Run(repo=_repository(folder), experiment="benchmarks")
    run.name = name
    return run


def scalar(run: Any) -> Callable[[int, float], object]:
    track = run.track
    return lambda step, value: track(value, name="loss", step=step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    track = run.track
    return lambda step, values: track(values, step=step)


def finish(run: Any) -> None:
    run.close()


def index(folder: Path) -> None:
    """What `aim up` does behind its pages; without it nothing is found in a run, not even by its own SDK."""
    from aim import Repo

    Repo.from_path(_repository(folder))._recreate_index()


def kept(folder: Path, name: str) -> list[int]:
    return [int(step) for step in _columns(folder, name)[0]]


def read(folder: Path, name: str) -> Any:
    return _columns(folder, name)[1]


def fill_tasks(folder: Path, count: int, more: Callable[[], bool]) -> int:
    from aim import Run

    for number in range(count):
        if not more():
            return number
        run = Run(repo=_repository(folder), experiment="benchmarks", system_tracking_interval=None)
        run.add_tag("candidate" if number % 10 == 3 else "other")
        run.close()
    return count


def find_tasks(folder: Path) -> int:
    from aim import Repo

    query = 'run.experiment == "benchmarks" and not run.active and "candidate" in run.tags'
    found = Repo.from_path(_repository(folder)).query_runs(query, report_mode=0)
    return sum(1 for _ in found.iter_runs())


def put_file(run: Any, path: Path) -> None:
    storage = path.parent / "artifacts"
    storage.mkdir(exist_ok=True)
    run.set_artifacts_uri(storage.as_uri())
    run.log_artifact(str(path), name="artifact.bin", block=True)


def get_file(folder: Path, name: str, target: Path) -> Path:
    return Path(_run(folder, name).artifacts["artifact.bin"].download(str(target)))


def _repository(folder: Path) -> str:
    from aim import Repo

    if not (folder / ".aim").exists():
        Repo.from_path(str(folder), init=True)
    return str(folder)


def _run(folder: Path, name: str) -> Any:
    from aim import Repo, Run

    repository = Repo.from_path(_repository(folder))
    runs = (Run(key, repo=repository, read_only=True) for key in repository.list_all_runs())
    return next(run for run in runs if run.name == name)


def _columns(folder: Path, name: str) -> Any:
    """The steps and the values of the series "loss"."""
    from aim.storage.context import Context

    metric = _run(folder, name).get_metric("loss", Context({}))
    if metric is None:
        return [], []
    steps, columns = metric.data.numpy()
    return steps, columns[0]
