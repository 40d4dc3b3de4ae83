"""SwanLab in its offline mode: a log of protobuf records, written by a thread behind the calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "SwanLab"
REQUIREMENTS = ("swanlab",)
DISTRIBUTION = "swanlab"
IMPORT = "import swanlab"
CANNOT = {
    "read": "no reading interface without a server",
    "tasks": "no way to list runs without a server",
    "artifacts": "no artifacts",
    "sync": "syncs to its server only",
}


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> Any:
    import swanlab

    # Its folders have names of their own choice, so each run has one above them.
    return swanlab.init(project="benchmarks", name=name, log_dir=str(folder / name), mode="offline")


def scalar(run: Any) -> Callable[[int, float], object]:
    import swanlab

    log = swanlab.log
    return lambda step, value: log({"loss": value}, step=step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    import swanlab

    log = swanlab.log
    return lambda step, values: log(values, step=step)


def finish(run: Any) -> None:
    import swanlab

    swanlab.finish()


def kept(folder: Path, name: str) -> list[int]:
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import DataStoreReader

    steps = []
    for path in (folder / name).glob("run-*/*.swanlab"):
        reader = DataStoreReader()
        reader.open(path)
        for data in reader:
            record = Record.FromString(data)
            if record.HasField("scalar") and record.scalar.key == "loss":
                steps.append(record.scalar.step)
    return steps
