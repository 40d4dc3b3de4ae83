"""Runs benchmarks, each round in a fresh process, and collects what the rounds measured."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.benchmark import Benchmark, Place

__all__ = ["NAMES", "find_benchmark", "fresh_environment", "main", "run_rounds"]

NAMES = (
    "report_scalar",
    "call_latency",
    "log_size",
    "monitor",
    "import_time",
    "task_init",
    "rebuild",
    "export_parquet",
    "read_series",
    "get_tasks",
    "commands",
    "sync_artifacts",
    "sync_events",
    "sync_s3",
    "sync_nothing",
    "auto_sync",
    "console",
    "add_scalar",
    "savefig",
    "torch_save",
)


def find_benchmark(name: str) -> Benchmark:
    """The benchmark that a module of this package holds."""
    benchmark = importlib.import_module(f"benchmarks.{name}").BENCHMARK
    assert isinstance(benchmark, Benchmark)
    return benchmark


def run_rounds(
    name: str, folder: Path, *, quick: bool, rounds: int | None, notify: Callable[[str], None]
) -> list[dict[str, float]]:
    """Prepare a benchmark and run its rounds; what each measured, in order.

    Args:
        folder: empty, and the benchmark's own.
        rounds: how many rounds, or None for as many as the benchmark asks for.
        notify: told what runs now.

    Raises:
        subprocess.CalledProcessError: the benchmark failed.
    """
    benchmark = find_benchmark(name)
    if benchmark.prepare:
        notify(f"{name}: preparing")
        _run_fresh(name, "prepare", Place(folder, 0, quick))
    measured = []
    count = rounds or (min(benchmark.rounds, 3) if quick else benchmark.rounds)
    for number in range(count):
        notify(f"{name}: round {number + 1} of {count}")
        measured.append(_run_fresh(name, "measure", Place(folder, number, quick)))
    return measured


def fresh_environment(home: Path, bytecode: Path) -> dict[str, str]:
    """The environment of a process that measures.

    Args:
        home: its store.
        bytecode: where byte code is kept, as it is wherever a package is installed, but not in the tree;
            unless the environment names a place already.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EVENTLOG_")}
    environment["EVENTLOG_HOME"] = str(home)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.setdefault("PYTHONPYCACHEPREFIX", str(bytecode))
    return environment


def _run_fresh(name: str, step: str, place: Place) -> dict[str, float]:
    result = place.folder / "result.json"
    result.unlink(missing_ok=True)
    environment = fresh_environment(place.home, place.folder / "bytecode")
    command = [
        sys.executable,
        "-m",
        __name__,
        name,
        step,
        place.folder,
        place.round,
        int(place.quick),
        result,
    ]
    subprocess.run([str(part) for part in command], env=environment, stdout=subprocess.DEVNULL, check=True)
    values: dict[str, float] = json.loads(result.read_text())
    return values


def main(name: str, step: str, folder: str, number: str, quick: str, result: str) -> None:
    """What the fresh process does: one step of one benchmark, its values into the file `result`."""
    benchmark = find_benchmark(name)
    place = Place(Path(folder), int(number), bool(int(quick)))
    values: dict[str, float] = {}
    if step == "measure":
        values = benchmark.measure(place)
        if set(values) != {row.name for row in benchmark.rows}:
            raise ValueError(f"{name} measured {sorted(values)}, which are not its rows")
    elif benchmark.prepare:
        benchmark.prepare(place)
    Path(result).write_text(json.dumps(values))


if __name__ == "__main__":
    main(*sys.argv[1:])
