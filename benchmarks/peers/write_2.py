"""The limit of a call that keeps what it was given: one write(2) of as many bytes as eventlog's event."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "write(2)"
LIMIT = True
REQUIREMENTS: tuple[str, ...] = ()
DISTRIBUTION = ""
IMPORT = ""
CANNOT = {
    "start": "nothing to import, and nothing to start",
    "tasks": "no tasks",
    "artifacts": "see cp",
    "sync": "see cp",
}

# A step and a value, in as many bytes as an event of the series "loss" of a task.
RECORD = struct.Struct("<qd66x")


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> int:
    return os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def scalar(run: int) -> Callable[[int, float], object]:
    write, pack = os.write, RECORD.pack
    return lambda step, value: write(run, pack(step, value))


def metrics(run: int) -> Callable[[int, dict[str, float]], object]:
    write, pack = os.write, RECORD.pack

    def write_each(step: int, values: dict[str, float]) -> None:
        for value in values.values():
            write(run, pack(step, value))

    return write_each


def finish(run: int) -> None:
    os.close(run)


def kept(folder: Path, name: str) -> list[int]:
    data = (folder / name).read_bytes()
    return [step for step, _ in RECORD.iter_unpack(data[: len(data) // RECORD.size * RECORD.size])]


def read(folder: Path, name: str) -> list[Any]:
    return [value for _, value in RECORD.iter_unpack((folder / name).read_bytes())]
