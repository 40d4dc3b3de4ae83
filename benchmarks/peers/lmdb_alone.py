"""The limit of a log in LMDB: the same bytes, each a value of its own, a synced transaction every 200 ms."""

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "LMDB alone"
LIMIT = True
REQUIREMENTS: tuple[str, ...] = ()
DISTRIBUTION = "lmdb"
IMPORT = "import lmdb"
CANNOT = {
    "start": "see eventlog, which imports it",
    "tasks": "no tasks",
    "artifacts": "see cp",
    "sync": "see cp",
}

_RECORD = struct.Struct("<qd66x")
_KEY = struct.Struct(">QQ")
_INTERVAL = 0.2


class _Run:
    """A series in an environment that several processes share."""

    def __init__(self, folder: Path, name: str) -> None:
        self.environment = _open(folder)
        self._number = _number_of(name)
        self._waiting: list[tuple[bytes, bytes]] = []
        self._commit_at = time.monotonic() + _INTERVAL

    def put(self, step: int, value: float, *, series: int = 0) -> None:
        self._waiting.append((_KEY.pack(self._number + series, step), _RECORD.pack(step, value)))
        if time.monotonic() > self._commit_at:
            self.commit()
            self._commit_at = time.monotonic() + _INTERVAL

    def commit(self) -> None:
        with self.environment.begin(write=True) as transaction:
            for key, value in self._waiting:
                transaction.put(key, value)
        self._waiting.clear()


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> _Run:
    return _Run(folder, name)


def scalar(run: _Run) -> Callable[[int, float], object]:
    return run.put


def metrics(run: _Run) -> Callable[[int, dict[str, float]], object]:
    put = run.put

    def put_each(step: int, values: dict[str, float]) -> None:
        for series, value in enumerate(values.values()):
            put(step, value, series=series)

    return put_each


def finish(run: _Run) -> None:
    run.commit()
    run.environment.close()


def kept(folder: Path, name: str) -> list[int]:
    return [step for step, _ in _rows(folder, name)]


def read(folder: Path, name: str) -> list[float]:
    return [value for _, value in _rows(folder, name)]


def _open(folder: Path) -> Any:
    import lmdb

    (folder / "lmdb").mkdir(exist_ok=True)
    return lmdb.open(str(folder / "lmdb"), map_size=4 << 30)


def _number_of(name: str) -> int:
    """A number for the series of a run, with room for others behind it."""
    return sum(byte << 8 * place for place, byte in enumerate(name.encode()[-6:])) << 8


def _rows(folder: Path, name: str) -> list[tuple[int, float]]:
    prefix = _KEY.pack(_number_of(name), 0)[:8]
    rows: list[tuple[int, float]] = []
    with _open(folder) as environment, environment.begin() as transaction:
        cursor = transaction.cursor()
        found = cursor.set_range(prefix)
        while found and cursor.key().startswith(prefix):
            rows.append(_RECORD.unpack(cursor.value()))
            found = cursor.next()
    return rows
