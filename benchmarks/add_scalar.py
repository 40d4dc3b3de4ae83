"""What it adds to TensorBoard's `add_scalar` that a task hears it.

Blocks of calls with and without the hook take turns in one process, each with its own writer behind it. A
writer hands its events to a thread, as a task does: the ratio is of the processor time of all threads, until
the writer is closed.
"""

import gc
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.benchmark import Benchmark, Place, Row

__all__ = ["BENCHMARK"]

CALLS = 5_000
BLOCKS = 11


def measure(place: Place) -> dict[str, float]:
    import warnings

    from benchmarks.waiting import wait_for_execution
    from eventlog import Task

    task = Task.init(project_name="benchmarks/automatic", task_name="add_scalar")
    wait_for_execution(task.id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = import_module("torch.utils.tensorboard"), import_module("tensorboard.summary.writer")
        other = import_module("tensorboardX"), import_module("tensorboardX")
    measured: dict[str, float] = {}
    for name, (writers, files) in (("torch", torch), ("other", other)):
        owner = files.event_file_writer.EventFileWriter
        folder = place.folder / f"{name}-{place.round}"
        measured |= _compare(name, writers.SummaryWriter, owner, folder, place.size(CALLS))
    task.close()
    return measured


def _compare(name: str, writer_class: Any, owner: Any, folder: Path, calls: int) -> dict[str, float]:
    hooked = vars(owner)["add_event"]
    times: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    for block in range(BLOCKS):
        for way, function in (("without", hooked.__wrapped__), ("with", hooked)):
            owner.add_event = function
            writer = writer_class(str(folder / f"{way}-{block}"))
            times[way].append(_block(writer, calls))
    # The block that was disturbed least; what else runs on the machine costs more than what is measured.
    wall = {way: min(wall for wall, _ in blocks) for way, blocks in times.items()}
    processor = {way: min(used for _, used in blocks) for way, blocks in times.items()}
    return {
        f"{name}_without": wall["without"] / calls * 1e6,
        f"{name}_with": wall["with"] / calls * 1e6,
        f"{name}_processor": (processor["with"] - processor["without"]) / calls * 1e6,
        f"{name}_times": processor["with"] / processor["without"],
    }


def _block(writer: Any, calls: int) -> tuple[float, float]:
    gc.collect()
    start, used = perf_counter(), process_time()
    for step in range(calls):
        writer.add_scalar("loss/train", 0.123456 * step, step)
    called = perf_counter() - start
    writer.close()
    return called, process_time() - used


BENCHMARK = Benchmark(
    title=f"TensorBoard's add_scalar, {CALLS:,} calls at a time",
    rows=(
        Row("torch_without", "torch.utils.tensorboard, not heard", "µs"),
        Row("torch_with", "torch.utils.tensorboard, heard by a task", "µs"),
        Row("torch_processor", "processor time that hearing it adds", "µs", budget=10),
        Row("torch_times", "processor time, times that of add_scalar alone", "×", budget=1.25),
        Row("other_without", "tensorboardX, not heard", "µs"),
        Row("other_with", "tensorboardX, heard by a task", "µs"),
        Row("other_processor", "processor time that hearing it adds", "µs", budget=10),
        Row("other_times", "processor time, times that of add_scalar alone", "×", budget=1.25),
    ),
    measure=measure,
    needs=("torch", "tensorboard", "tensorboardX"),
)
