"""MLflow with SQLite and a folder of artifacts, without its server."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "MLflow"
REQUIREMENTS = ("mlflow",)
DISTRIBUTION = "mlflow"
IMPORT = "import mlflow"
CANNOT = {"sync": "no sync"}

_EXPERIMENT = "benchmarks"


def settle(folder: Path) -> None:
    os.environ |= {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def begin(folder: Path, name: str) -> Any:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    if mlflow.get_experiment_by_name(_EXPERIMENT) is None:
        try:
            mlflow.create_experiment(_EXPERIMENT, artifact_location=(folder / "artifacts").as_uri())
        except mlflow.exceptions.MlflowException:
            pass  # another process was first
    mlflow.set_experiment(_EXPERIMENT)
    return mlflow.start_run(run_name=name)


def scalar(run: Any) -> Callable[[int, float], object]:
    import mlflow

    log = mlflow.log_metric
    return lambda step, value: log("loss", value, step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    import mlflow

    log = mlflow.log_metrics
    return lambda step, values: log(values, step)


def finish(run: Any) -> None:
    import mlflow

    mlflow.end_run()


def kept(folder: Path, name: str) -> list[int]:
    return [metric.step for metric in _history(folder, name)]


def read(folder: Path, name: str) -> list[float]:
    return [metric.value for metric in _history(folder, name)]


def fill_tasks(folder: Path, count: int, more: Callable[[], bool]) -> int:
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.create_experiment(_EXPERIMENT)
    for number in range(count):
        if not more():
            return number
        kind = "candidate" if number % 10 == 3 else "other"
        run = client.create_run(experiment, tags={"kind": kind}, run_name=f"run {number}")
        client.set_terminated(run.info.run_id)
    return count


def find_tasks(folder: Path) -> int:
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(_EXPERIMENT).experiment_id
    asked = "tags.kind = 'candidate' and attributes.status = 'FINISHED'"
    return len(client.search_runs([experiment], asked, max_results=50_000))


def put_file(run: Any, path: Path) -> None:
    import mlflow

    mlflow.log_artifact(str(path))


def get_file(folder: Path, name: str, target: Path) -> Path:
    import mlflow

    path = mlflow.artifacts.download_artifacts(
        run_id=_run(folder, name), artifact_path="artifact.bin", dst_path=str(target)
    )
    return Path(path)


def _history(folder: Path, name: str) -> list[Any]:
    from mlflow import MlflowClient

    history: list[Any] = MlflowClient().get_metric_history(_run(folder, name), "loss")
    return history


def _run(folder: Path, name: str) -> str:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(_EXPERIMENT).experiment_id
    found = client.search_runs([experiment], f"attributes.run_name = '{name}'")
    return str(found[0].info.run_id)
