"""What `auto_sync` costs a script, and how soon another machine can see what it records.

The same script runs alone, and with pushes every second to a folder: `Task.init`, the processor time of a
loop of `report_scalar`, and the end of the process.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.benchmark import Benchmark, Place, Row
from eventlog.errors import EventlogError
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.sync import pull

__all__ = ["BENCHMARK"]

CALLS = 200_000
SCRIPT = """
import sys, time
from eventlog import Task
started = time.perf_counter()
task = Task.init(project_name="benchmarks/auto", task_name="a run", auto_connect_frameworks=False)
print(time.perf_counter() - started, flush=True)
task.set_parameter("rate", 0.1)
sys.stdin.readline()
logger = task.get_logger()
used = time.process_time()
for step in range(int(sys.argv[1])):
    logger.report_scalar("loss", "train", value=step * 0.37, iteration=step)
task.flush()
print(time.process_time() - used, flush=True)
"""


def measure(place: Place) -> dict[str, float]:
    calls = place.size(CALLS)
    remote = place.folder / f"remote-{place.round}"
    settings = {"EVENTLOG_AUTO_SYNC": "1", "EVENTLOG_REMOTE": str(remote)}
    # They take turns, since the disk may still be busy with what the first of them wrote.
    for name in ("alone", "pushed") if place.round % 2 else ("pushed", "alone"):
        if name == "alone":
            alone = _run(calls, place.home, {"EVENTLOG_AUTO_SYNC": "off"}, None, place.folder)
        else:
            pushed = _run(calls, place.folder / f"pushed-{place.round}", settings, remote, place.folder)
        os.sync()
    return {
        "init": pushed[0] * 1e3,
        "init alone": alone[0] * 1e3,
        "call": pushed[1] / calls * 1e6,
        "call alone": alone[1] / calls * 1e6,
        "end": pushed[2] * 1e3,
        "end alone": alone[2] * 1e3,
        "seen": pushed[3],
    }


def _run(
    calls: int, home: Path, settings: dict[str, str], remote: Path | None, folder: Path
) -> tuple[float, float, float, float]:
    """Seconds of Task.init, of the loop, from the last call to the process's end, and until it was seen."""
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(calls)],
        cwd=folder,
        env={**os.environ, "EVENTLOG_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "", **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert script.stdin is not None
    assert script.stdout is not None
    init = float(script.stdout.readline())
    began = time.perf_counter()
    if remote is not None:
        _see_parameters(home.with_name(f"{home.name}-elsewhere"), remote)
    seen = time.perf_counter() - began
    script.stdin.write("\n")
    script.stdin.close()
    used = float(script.stdout.readline())
    began = time.perf_counter()
    if script.wait():
        raise subprocess.CalledProcessError(script.returncode, script.args)
    return init, used, time.perf_counter() - began, seen


def _see_parameters(elsewhere: Path, remote: Path) -> None:
    """Pull into another store until the task has its parameter there."""
    with Store.open(elsewhere) as store, Views.open(store) as views:
        while True:
            try:
                pull(store, remote)
            except EventlogError:
                # It is made by the first push.
                time.sleep(0.01)
                continue
            views.catch_up()
            if any(views.task(row.id).parameters for row in views.find()):
                return


BENCHMARK = Benchmark(
    title=f"a script with {CALLS:,} scalars, pushed every second to a folder, and alone",
    rows=(
        Row("init", "Task.init to its return, in a new store", "ms", budget=30),
        Row("init alone", "the same without auto_sync", "ms"),
        Row("call", "report_scalar, processor time of the script a call", "µs"),
        Row("call alone", "the same without auto_sync", "µs"),
        Row("seen", "from Task.init until another machine has the parameters", "s"),
        Row("end", "from the last call to the end of the process, all of it pushed", "ms"),
        Row("end alone", "the same without auto_sync", "ms"),
    ),
    measure=measure,
)
