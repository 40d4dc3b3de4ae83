"""What watching the machine takes of a core, as often as a task does it by default.

The search for child processes goes by how many processes the machine has; it is given a thousandth of a core
at most, and counted here as that.
"""

import time

from benchmarks.benchmark import Benchmark, Place, Row

__all__ = ["BENCHMARK"]

LOOKS = 500
SEARCH = 0.001


def measure(place: Place) -> dict[str, float]:
    from eventlog.configuration import Configuration
    from eventlog.sdk.automatic.machine import Machine
    from eventlog.sdk.automatic.monitor_options import MonitorOptions

    machine = Machine()
    looks = place.size(LOOKS)
    look = _seconds(machine.now, looks)
    report = _seconds(machine.since_last, looks)
    of_core = look / MonitorOptions().sample + report / Configuration().monitor_interval_seconds + SEARCH
    return {"look": look * 1e6, "report": report * 1e6, "core": of_core * 100}


def _seconds(work: object, times: int) -> float:
    """The CPU time of one call, the interpreter's and the kernel's."""
    assert callable(work)
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times


BENCHMARK = Benchmark(
    title="CPU, memory, disk and network; CPU time, without GPUs",
    rows=(
        Row("core", "watching the machine, of a core", "%", budget=0.5),
        Row("look", "a look, once a second", "µs"),
        Row("report", "what a report takes, every 5 s", "µs"),
    ),
    measure=measure,
)
