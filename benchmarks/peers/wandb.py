"""W&B offline: a log of protobuf records, written by a service of its own beside the script."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NAME = "W&B"
REQUIREMENTS = ("wandb",)
DISTRIBUTION = "wandb"
IMPORT = "import wandb"
CANNOT = {
    "read": "no reading interface without a server",
    "tasks": "no way to list runs without a server",
    "artifact_out": "an artifact logged offline cannot be fetched without a server",
    "sync": "syncs to its server only",
}

_BLOCK = 32 * 1024
_HEADER = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = range(1, 5)


def settle(folder: Path) -> None:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}


def begin(folder: Path, name: str) -> Any:
    import wandb

    return wandb.init(project="benchmarks", name=name, id=name, dir=str(folder), mode="offline")


def scalar(run: Any) -> Callable[[int, float], object]:
    log = run.log
    return lambda step, value: log({"loss": value}, step=step)


def metrics(run: Any) -> Callable[[int, dict[str, float]], object]:
    log = run.log
    return lambda step, values: log(values, step=step)


def finish(run: Any) -> None:
    run.finish()


def kept(folder: Path, name: str) -> list[int]:
    from wandb.proto.wandb_internal_pb2 import Record

    steps = []
    for path in folder.glob(f"wandb/offline-run-*-{name}/run-{name}.wandb"):
        for data in _records(path.read_bytes()):
            record = Record.FromString(data)
            if any("loss" in (item.key, *item.nested_key) for item in record.history.item):
                steps.append(record.history.step.num)
    return steps


def put_file(run: Any, path: Path) -> None:
    import wandb

    artifact = wandb.Artifact("artifact", type="file")
    artifact.add_file(str(path))
    run.log_artifact(artifact)


def _records(data: bytes) -> Iterator[bytes]:
    """The whole records of a file: LevelDB's log format, after a header of 7 bytes."""
    place, record = 7, b""
    while True:
        left = _BLOCK - place % _BLOCK
        if left < _HEADER.size:
            place += left
        if place + _HEADER.size > len(data):
            return
        _, length, kind = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        if place + length > len(data) or not _FULL <= kind <= _LAST:
            return
        part = data[place : place + length]
        place += length
        record = part if kind in (_FULL, _FIRST) else record + part
        if kind in (_FULL, _LAST):
            yield record
