"""One artifact of a megabyte to ten gigabytes, kept and given back, beside `cp` on the same disk."""

import random
import subprocess
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

    start = perf_counter()
    subprocess.run(["cp", "--reflink=never", source, copy], check=True)
    copied = perf_counter() - start
    subprocess.run(["sync", copy], check=True)
    synced = perf_counter() - start
    copy.unlink()
    _settle(source)

    task = Task.init(project_name="benchmarks/growth", task_name="artifacts", auto_resource_monitoring=False)
    wait_for_execution(task.id)
    # What a process pays once is not counted.
    task.upload_artifact("warm-up", {"small": True}, wait_on_upload=True)
    task.artifacts["warm-up"].get_local_copy()
    start = perf_counter()
    task.upload_artifact("large", source, wait_on_upload=True)
    uploaded = perf_counter() - start
    source.unlink()
    subprocess.run(["sync"], check=True)

    start = perf_counter()
    path = task.artifacts["large"].get_local_copy()
    given = perf_counter() - start
    if path is None or Path(path).stat().st_size != size:
        raise AssertionError("what was given back is not what was kept")
    task.close()
    return {
        name: size / seconds / 1e6
        for name, seconds in (("upload", uploaded), ("copy_back", given), ("cp", copied), ("cp_sync", synced))
    }


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
    ),
    room=lambda size: 2 * size + (1 << 28),
)
