"""The work that all programs are measured with, and what of it is a figure."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Row
from benchmarks.comparison.driving import Drive, bytes_on_disk
from benchmarks.comparison.program import Program
from benchmarks.comparison.work import Measured, Site, Work

__all__ = ["WORKS", "find_work"]


_CALLS = 100_000
_RATE = 2_000
_PROCESSES = 8
_POINTS = 1_000_000
_TASKS = 10_000
_ARTIFACT = 256 << 20
_SYNCED = 512 << 20
_KILL_RATE = 1_500
_KILLED_AT_ONCE = 4


def find_work(name: str) -> Work:
    """The work of a name."""
    return next(work for work in WORKS if work.name == name)


def _measure_calls(site: Site, program: Program) -> Measured:
    folder = f"store-{site.round}"
    asked = site.amount(_CALLS)
    options = {"seconds": site.seconds(3)}
    # The first run makes the store, and brings files into the page cache.
    site.drive(program, "calls", folder, name="first", count=100, **options)
    before = bytes_on_disk(site.folder / folder)
    figures = site.drive(program, "calls", folder, name="second", count=asked, **options)
    figures["bytes"] = (bytes_on_disk(site.folder / folder) - before) / figures["calls"]
    return _measured(figures, asked)


def _measure_pace(site: Site, program: Program) -> Measured:
    asked = site.amount(_RATE * 5)
    # One who cannot keep the pace does less.
    seconds = asked / _RATE * 1.5
    figures = site.drive(
        program, "pace", f"store-{site.round}", name="paced", count=asked, rate=_RATE, seconds=seconds
    )
    return _measured(figures, asked)


def _measure_processes(site: Site, program: Program) -> Measured:
    asked = site.amount(10_000)
    folder = f"store-{site.round}"
    site.drive(program, "calls", folder, name="maker", count=1, seconds=1)
    go = site.folder / f"go-{site.round}" / "go"
    go.parent.mkdir()
    names = [f"process{number}" for number in range(_PROCESSES)]
    drives: list[Drive] = []
    try:
        for name in names:
            options = {"name": name, "count": asked, "seconds": site.seconds(3), "go": str(go)}
            drive = Drive(program, "calls", site.folder / folder, site.bytecode, **options)
            # One by one, so that those begun are ended if the next cannot be.
            drives.append(drive)
        _await_all(go, drives)
        results = [drive.wait(240) for drive in drives]
    finally:
        for drive in drives:
            drive.end()
    counts = [int(result["calls"]) for result in results]
    kept = site.drive(program, "kept", folder, names=names, counts=counts)["kept"]
    done = sum(counts)
    figures: dict[str, float | list[float]] = {
        "closed": sum(result["closed"] * result["calls"] for result in results) / done,
        "lost": done - sum(kept),
    }
    return Measured(figures, done, asked * _PROCESSES)


def _await_all(go: Path, drives: list[Drive]) -> None:
    """Let the processes begin once all of them have come so far."""
    deadline = time.monotonic() + 120
    while len(list(go.parent.glob("ready-*"))) < len(drives):
        if time.monotonic() > deadline or any(drive.has_failed() for drive in drives):
            break  # whoever failed says why
        time.sleep(0.005)
    go.touch()


def _measure_training(site: Site, program: Program) -> Measured:
    figures = site.drive(program, "training", f"store-{site.round}", name="trained", seconds=site.seconds(5))
    return _measured(figures, 2_000)


def _measure_read(site: Site, program: Program) -> Measured:
    asked = site.amount(_POINTS)
    made = _made(
        site,
        lambda: site.drive(
            program,
            "write_series",
            "store",
            name="long",
            count=asked,
            seconds=site.seconds(20),
            limit=300,
        ),
    )
    figures = site.drive(program, "read_series", "store", name="long", points=made)
    return Measured({"read": figures["read"] * _POINTS / made}, made, _POINTS, is_scaled=made < _POINTS)


def _measure_tasks(site: Site, program: Program) -> Measured:
    asked = site.amount(_TASKS)
    seconds = site.seconds(30)
    made = _made(site, lambda: site.drive(program, "fill_tasks", "store", count=asked, seconds=seconds))
    figures = site.drive(program, "find_tasks", "store", tasks=made)
    figures.pop("calls")
    return Measured(figures, made, _TASKS, is_partial=made < _TASKS)


def _measure_artifacts(site: Site, program: Program) -> Measured:
    size = site.amount(_ARTIFACT)
    only_in = program.reason(("artifact_out",)) is not None
    figures = site.drive(
        program, "artifacts", f"store-{site.round}", name="holder", size=size, only_in=only_in
    )
    return _measured(figures, size)


def _measure_sync(site: Site, program: Program) -> Measured:
    size = site.amount(_SYNCED)
    return _measured(site.drive(program, "sync", f"store-{site.round}", name="holder", size=size), size)


def _measure_kills(site: Site, program: Program, *, group: bool) -> Measured:
    def kill(lane: int) -> dict[str, Any]:
        count = len(range(lane, site.kills, _KILLED_AT_ONCE))
        return site.drive(
            program,
            "kills",
            f"{'group' if group else 'process'}-{lane}",
            count=count,
            group=group,
            seed=lane,
            rate=_KILL_RATE,
            limit=60 + count * 40,
        )

    # Most of the time goes to waiting for what a killed process leaves behind.
    with ThreadPoolExecutor(_KILLED_AT_ONCE) as pool:
        parts = list(pool.map(kill, range(min(_KILLED_AT_ONCE, site.kills))))
    lost = [each for part in parts for each in part["lost"]]
    done = sum(part["calls"] for part in parts)
    values: dict[str, float | list[float]] = {
        "lost": lost,
        "total": sum(lost),
        "kills": sum(1 for each in lost if each),
    }
    return Measured(values, done, done)


def _made(site: Site, make: Callable[[], dict[str, Any]]) -> int:
    """How much the first round made for all of them."""
    note = site.folder / "made"
    if not note.exists():
        note.write_text(str(make()["calls"]))
    return int(note.read_text())


def _measured(figures: dict[str, Any], asked: float) -> Measured:
    done = figures.pop("calls")
    return Measured(figures, done, asked)


WORKS = (
    Work(
        "calls",
        f"{_CALLS:,} scalars in a loop that does nothing else, for 3 s at most",
        "calls",
        (
            Row("closed", "a call, closing included", "µs"),
            Row("call", "a call, until it returns", "µs"),
            Row("import", "import", "ms"),
            Row("init", "init, in a store that exists", "ms"),
            Row("peak", "peak memory, its own processes included", "MB"),
            Row("bytes", "on disk, a scalar", "bytes"),
        ),
        {
            "closed": ("scalars",),
            "call": ("scalars",),
            "import": ("start", "scalars"),
            "init": ("start", "scalars"),
            "peak": ("scalars",),
            "bytes": ("scalars",),
        },
        _measure_calls,
        rounds=5,
        seconds=9,
    ),
    Work(
        "pace",
        f"{_RATE:,} calls a second for 5 s",
        "calls",
        (
            Row("p999", "a call at 2,000 a second, 99.9th percentile", "µs"),
            Row("median", "a call at 2,000 a second, median", "µs"),
        ),
        {"p999": ("scalars",), "median": ("scalars",)},
        _measure_pace,
        seconds=13,
    ),
    Work(
        "processes",
        f"{_PROCESSES} processes with a run each in one store, 10,000 calls each, for 3 s at most",
        "calls",
        (
            Row("closed", "a call, eight processes at once, closing included", "µs"),
            Row("lost", "of all values, not found afterwards", "values"),
        ),
        {"closed": ("scalars",), "lost": ("scalars",)},
        _measure_processes,
        seconds=12,
    ),
    Work(
        "training",
        "2,000 steps of an MLP of scikit-learn's on its digits, three scalars a step, for 5 s at most",
        "steps",
        (
            Row("slower_closed", "training slowed down, closing included", "%"),
            Row("slower", "training slowed down, until its last step", "%"),
            Row("work", "processor time of training, all threads and processes, more by", "%"),
        ),
        dict.fromkeys(("slower_closed", "slower", "work"), ("scalars",)),
        _measure_training,
        rounds=5,
        seconds=7,
    ),
    Work(
        "read",
        f"one series of {_POINTS:,} points, or as many as 20 s write, read back in a new process",
        "points",
        (Row("read", "reading a million points", "ms"),),
        {"read": ("scalars", "read")},
        _measure_read,
        seconds=15,
    ),
    Work(
        "tasks",
        f"{_TASKS:,} finished runs, or as many as 30 s make; those with a tag, one in ten",
        "runs",
        (
            Row("first", "filtering 10,000 runs, the first time", "ms"),
            Row("later", "filtering 10,000 runs, again", "ms"),
        ),
        {"first": ("tasks",), "later": ("tasks",)},
        _measure_tasks,
        seconds=18,
    ),
    Work(
        "artifacts",
        f"one file of {_ARTIFACT >> 20} MiB that does not compress, until its run is closed; a copy of it",
        "bytes",
        (
            Row("in", "an artifact in", "GB/s", at_least=True),
            Row("out", "an artifact out", "GB/s", at_least=True),
        ),
        {"in": ("artifacts",), "out": ("artifacts", "artifact_out")},
        _measure_artifacts,
        rounds=5,
        seconds=4,
    ),
    Work(
        "sync",
        f"a run with a file of {_SYNCED >> 20} MiB to another folder, until it outlasts a power cut",
        "bytes",
        (Row("sync", "sync to a folder", "GB/s", at_least=True),),
        {"sync": ("sync",)},
        _measure_sync,
        rounds=5,
        seconds=6,
    ),
    *(
        Work(
            name,
            f"SIGKILL for a process{whom} that reports {_KILL_RATE:,} scalars a second,"
            " 0.2 to 0.8 s after its first call; what is left has 20 s",
            "acknowledged",
            (
                Row("total", f"acknowledged and lost, {what} killed, of all kills", "values"),
                Row("lost", f"acknowledged and lost, {what} killed, a kill", "values"),
                Row("kills", f"kills of {what} that lost something", "kills"),
            ),
            dict.fromkeys(("total", "lost", "kills"), ("scalars",)),
            partial(_measure_kills, group=group),
            rounds=1,
            seconds=90,
            lanes=2,
        )
        for name, whom, what, group in (
            ("killed", "", "the process", False),
            ("group_killed", " and its group", "its group", True),
        )
    ),
)
