"""What a push to a folder and a pull from it take, beside plain copies of the same files.

A push returns once what it wrote outlasts a power cut; the copies beside it are made by ``cp -r`` alone, and
by ``cp -r`` followed by ``sync``. All of them write to the same disk, one after the other, in each round.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.artifact_store import LARGE, SMALL, SMALL_SIZE, make_artifacts
from benchmarks.benchmark import Benchmark, Place, Row

if TYPE_CHECKING:
    from eventlog.store import Store
    from eventlog.sync.results import Transfer

__all__ = ["BENCHMARK"]

_LEAST = 0.8


def measure(place: Place) -> dict[str, float]:
    import fsspec  # noqa: F401 (what a process pays once is not counted)

    from eventlog.sync import pull, push

    figures: dict[str, float] = {}
    for name, sizes in (("large", [place.size(LARGE)]), ("small", [SMALL_SIZE] * place.size(SMALL))):
        folder = place.folder / f"{name}-{place.round}"
        make_artifacts(folder / "from", sizes)
        blobs, remote = folder / "from" / "blobs", folder / "remote"

        copied = _seconds(partial(_copy, blobs, folder / "copy"))
        durable = _seconds(partial(_copy, blobs, folder / "synced", sync=True))
        push_time = _seconds(partial(_transfer, push, folder / "from", remote))
        pull_time = _seconds(partial(_transfer, pull, folder / "to", remote))
        total = sum(sizes) / 1e6
        figures |= {
            f"{name}_push": durable / push_time,
            f"{name}_pull": durable / pull_time,
            f"{name}_push_plain": copied / push_time,
            f"{name}_push_rate": total / push_time,
            f"{name}_synced_rate": total / durable,
            f"{name}_copy_rate": total / copied,
        }
        if name == "large":
            figures["rclone"] = _rclone(blobs, folder / "rclone") / push_time
            # The small ones stay: ext4 without a journal is slow to make files where many were just deleted.
            shutil.rmtree(folder)
    return figures


def _seconds(work: Callable[[], None]) -> float:
    os.sync()
    start = perf_counter()
    work()
    return perf_counter() - start


def _rclone(source: Path, target: Path) -> float:
    """Seconds that rclone takes for the same files; not a number where it is not installed."""
    if not shutil.which("rclone"):
        return float("nan")

    def copy() -> None:
        subprocess.run(["rclone", "copy", source, target], check=True)
        subprocess.run(["sync", "-f", target], check=True)

    return _seconds(copy)


def _copy(source: Path, target: Path, *, sync: bool = False) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)
    if sync:
        subprocess.run(["sync", "-f", target], check=True)


def _transfer(transfer: Callable[["Store", Path], "Transfer"], home: Path, remote: Path) -> None:
    from eventlog.store import Store

    with Store.open(home) as store:
        if problems := transfer(store, remote).problems:
            raise AssertionError(problems[0])


BENCHMARK = Benchmark(
    title=f"one artifact of {LARGE >> 20} MiB, and {SMALL:,} of {SMALL_SIZE >> 10} KiB, on one disk",
    rows=(
        Row("large_push", "push of the large one, over the rate of cp and sync", "×", _LEAST, at_least=True),
        Row("large_pull", "pull of the large one, over the rate of cp and sync", "×", _LEAST, at_least=True),
        Row("small_push", "push of the small ones, over the rate of cp and sync", "×", _LEAST, at_least=True),
        Row("small_pull", "pull of the small ones, over the rate of cp and sync", "×", _LEAST, at_least=True),
        Row("rclone", "push of the large one, over the rate of rclone and sync", "×"),
        Row("large_push_plain", "push of the large one, over the rate of cp alone", "×"),
        Row("small_push_plain", "push of the small ones, over the rate of cp alone", "×"),
        Row("large_push_rate", "push of the large one", "MB/s"),
        Row("large_synced_rate", "raw: cp and sync of the large one", "MB/s"),
        Row("large_copy_rate", "raw: cp alone of the large one", "MB/s"),
        Row("small_push_rate", "push of the small ones", "MB/s"),
        Row("small_synced_rate", "raw: cp and sync of the small ones", "MB/s"),
        Row("small_copy_rate", "raw: cp alone of the small ones", "MB/s"),
    ),
    measure=measure,
)
