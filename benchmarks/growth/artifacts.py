"""One artifact of a megabyte to ten gigabytes, kept and given back, beside `cp` on the same disk."""

import random
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.growth.curve import Curve, Figures, Line, Panel

__all__ = ["CURVE"]

PIECE = 1 << 20


def measure(size: int, folder: Path) -> Figures:
    """Seldom more than two files of the size at once: what has been measured is deleted."""
    from benchmarks.waiting import wait_for_execution
    from eventlog import Task

    source, copy = folder / "source.bin", folder / "copy.bin"
    generator = random.Random(size)
    piece = generator.randbytes(PIECE)
    with source.open("wb") as file:
        for number in range(0, size, PIECE):
            file.write(number.to_bytes(8, "little") + piece[8 : min(PIECE, size - number)])
    _settle(source)

    copying = _timed(lambda: subprocess.run(["cp", "--reflink=never", source, copy], check=True))
    syncing = _timed(lambda: _settle(copy))
    copy.unlink()
    _settle(source)

    task = Task.init(project_name="benchmarks/growth", task_name="artifacts", auto_resource_monitoring=False)
    wait_for_execution(task.id)
    # What a process pays once is not counted.
    task.upload_artifact("warm-up", {"small": True}, wait_on_upload=True)
    task.artifacts["warm-up"].get_local_copy()
    upload = _timed(lambda: task.upload_artifact("large", source, wait_on_upload=True))
    source.unlink()
    subprocess.run(["sync"], check=True)

    giving = _timed(task.artifacts["large"].get_local_copy)
    path = task.artifacts["large"].get_local_copy()
    if path is None or Path(path).stat().st_size != size:
        raise AssertionError("what was given back is not what was kept")
    task.close()
    return {
        "upload": size / upload[0] / 1e6,
        "copy_back": size / giving[0] / 1e6,
        "cp": size / copying[0] / 1e6,
        "cp_sync": size / (copying[0] + syncing[0]) / 1e6,
        "upload_processor": upload[1] / size * 1e12,
        "copy_back_processor": giving[1] / size * 1e12,
        "cp_processor": copying[1] / size * 1e12,
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that something takes: by the clock, and of a processor, child processes included."""
    start, processor = perf_counter(), _processor()
    work()
    return perf_counter() - start, _processor() - processor


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _settle(path: Path) -> None:
    subprocess.run(["sync", path], check=True)


CURVE = Curve(
    title="One artifact",
    across="bytes",
    sizes=(10**6, 10**7, 10**8, 10**9, 10**10),
    quick=10**7,
    measure=measure,
    panels=(
        Panel(
            "through a disk",
            "MB/s",
            (
                Line("upload", "upload_artifact, until it is on the disk"),
                Line("copy_back", "get_local_copy"),
                Line("cp", "cp", limit=True),
                Line("cp_sync", "cp and sync", limit=True),
            ),
        ),
        Panel(
            "cost",
            "ms of a processor a GB",
            (
                Line("upload_processor", "upload_artifact"),
                Line("copy_back_processor", "get_local_copy"),
                Line("cp_processor", "cp", limit=True),
            ),
        ),
    ),
    room=lambda size: 2 * size + (1 << 28),
)
