"""`report_scalar` in one task, from a thousand calls to ten million: the cost of a call, and the memory."""

import os
import struct
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.curve import noisy_loss
from benchmarks.growth.curve import Curve, Figures, Line, Panel

__all__ = ["CURVE"]

WARM_UP = 2_000
DIFFERENT_VALUES = 100_000
SAMPLES = 10
MOST_WRITES = 1_000_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


def measure(size: int, folder: Path) -> Figures:
    from benchmarks.waiting import wait_for_execution
    from eventlog import Task
    from eventlog.store import Store

    store = Store.open()
    task = Task.init(project_name="benchmarks/growth", task_name="calls")
    report = task.get_logger().report_scalar
    for step in range(WARM_UP):
        report("warm-up", "train", value=0.5, iteration=step)
    wait_for_execution(task.id)
    store.flush()

    memory = [[0.0, _resident()]]
    values = cycle(noisy_loss(DIFFERENT_VALUES))
    start, processor = perf_counter(), process_time()
    for first in range(0, size, size // SAMPLES):
        for step, value in enumerate(islice(values, size // SAMPLES), first):
            report("loss", "train", value=value, iteration=step)
        memory.append([float(first + size // SAMPLES), _resident()])
    called = process_time() - processor
    task.close()
    store.close()
    processor, closed = process_time() - processor, perf_counter() - start
    log = sum(path.stat().st_blocks * 512 for path in (folder / "home" / "log").iterdir())
    return {
        "call": called / size * 1e6,
        "processor": processor / size * 1e6,
        "closed": closed / size * 1e6,
        "write": _write_each(folder / "raw", min(size, MOST_WRITES)),
        "bytes": log / size,
        "resident": max(value for _, value in memory),
        "memory": memory,
    }


def _resident() -> float:
    """MB of this process's memory that no file is behind: what is mapped of one is the page cache's."""
    resident, shared = map(int, Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - shared) * _PAGE / 1e6


def _write_each(path: Path, count: int) -> float:
    """Microseconds of a processor that one write(2) of such an event into a file takes."""
    from eventlog.events import ScalarReported, encode_event

    event = encode_event(ScalarReported(1_770_000_000_000, "f" * 32, "loss", "train", 123_456, 0.123456789))
    framed = struct.pack(">II", len(event), 0) + event
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    start = process_time()
    for _ in range(count):
        os.write(descriptor, framed)
    taken = process_time() - start
    os.close(descriptor)
    path.unlink()
    return taken / count * 1e6


CURVE = Curve(
    title="Calls of report_scalar in one task",
    across="calls",
    sizes=(1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    quick=100_000,
    measure=measure,
    panels=(
        Panel(
            "cost of a call, all threads",
            "µs of a processor",
            (
                Line("processor", "report_scalar, until the store is closed"),
                Line("call", "report_scalar, until the last returns"),
                Line("write", "one write(2) of the same bytes", limit=True),
            ),
        ),
        Panel(
            "memory on the way",
            "MB",
            (Line("memory", "of the process, less what files are behind"),),
            across="calls",
            from_zero=True,
        ),
        Panel("the log on the disk", "bytes a call", (Line("bytes", "log/ as allocated"),)),
    ),
    room=lambda size: 200 * size + (1 << 28),
)
