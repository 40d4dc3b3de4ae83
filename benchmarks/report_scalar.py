"""What a call of `report_scalar` costs, alone and with everything until the store is closed.

The raw lines write the same events, encoded beforehand, in the same process: one `write` each into a
file, with the 8 bytes of a frame in front, and LMDB alone, one synced transaction per 200 ms' worth.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.curve import noisy_loss

__all__ = ["BENCHMARK"]

CALLS = 500_000
WARM_UP = 2_000
PER_TRANSACTION = 50_000


def measure(place: Place) -> dict[str, float]:
    from benchmarks.waiting import wait_for_execution
    from eventlog import Task
    from eventlog.store import Store

    calls = place.size(CALLS)
    values = noisy_loss(calls)
    store = Store.open()
    task = Task.init(project_name="benchmarks/calls", task_name="report_scalar")
    report = task.get_logger().report_scalar
    for step in range(WARM_UP):
        report("warm-up", "train", value=0.5, iteration=step)
    wait_for_execution(task.id)
    store.flush()

    start, processor = perf_counter(), process_time()
    for step, value in enumerate(values):
        report("loss", "train", value=value, iteration=step)
    called = perf_counter() - start
    task.close()
    store.close()
    closed = perf_counter() - start
    processor = process_time() - processor

    events = _encoded(task.id, values)
    written = _timed(lambda: _write_each(place.folder / f"raw-{place.round}", events))
    committed = _timed(lambda: _commit_alone(place.folder / f"lmdb-{place.round}", events))
    return {
        "call": called / calls * 1e6,
        "closed": closed / calls * 1e6,
        "processor": processor / calls * 1e6,
        "write": written / calls * 1e6,
        "lmdb": committed / calls * 1e6,
        "times_write": closed / written,
        "times_lmdb": closed / committed,
    }


def _timed(work: Callable[[], None]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _encoded(task: str, values: list[float]) -> list[bytes]:
    from eventlog.events import ScalarReported, encode_event

    return [
        encode_event(ScalarReported(1_770_000_000_000 + step // 300, task, "loss", "train", step, value))
        for step, value in enumerate(values)
    ]


def _write_each(path: Path, events: list[bytes]) -> None:
    frame = struct.Struct(">II").pack
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for event in events:
        os.write(descriptor, frame(len(event), 0) + event)
    os.close(descriptor)


def _commit_alone(folder: Path, events: list[bytes]) -> None:
    import lmdb

    key = struct.Struct(">Q").pack
    with lmdb.open(str(folder), map_size=1 << 30) as environment:
        for first in range(0, len(events), PER_TRANSACTION):
            with environment.begin(write=True) as transaction:
                for number in range(first, min(first + PER_TRANSACTION, len(events))):
                    transaction.put(key(number), events[number], append=True)


BENCHMARK = Benchmark(
    title=f"{CALLS:,} calls in one process, in a loop that does nothing else",
    rows=(
        Row("call", "report_scalar, until the call returns", "µs"),
        Row("closed", "report_scalar, all costs until the store is closed", "µs", budget=2),
        Row("processor", "of which processor time, of all threads", "µs"),
        Row("write", "raw: the same events, one write(2) each", "µs"),
        Row("lmdb", "raw: the same events into LMDB alone", "µs"),
        Row("times_write", "all costs, times one write(2) each", "×"),
        Row("times_lmdb", "all costs, times LMDB alone", "×"),
    ),
    measure=measure,
)
