"""What recording a model by itself costs: `torch.save` and `torch.load` of small weights, and the import.

Processes with a task that hears PyTorch, with a task that does not, and without any take turns. The file is
saved again and again, which is the worst case: a training does it once in minutes.
"""

import json
import statistics
import subprocess
import sys

from benchmarks.benchmark import Benchmark, Place, Row

__all__ = ["BENCHMARK"]

CALLS = 400
TURNS = 3
TASK = """
from eventlog import Task
task = Task.init("benchmarks/models", "saved", auto_connect_streams=False, auto_connect_frameworks={hears})
"""
SCRIPT = """
import json, statistics, sys
from time import perf_counter
start = perf_counter()
import torch
taken = {"import": (perf_counter() - start) * 1e3}
path, calls = sys.argv[1], int(sys.argv[2])
weights = {str(number): torch.randn(64, 64) for number in range(8)}
for name, call in (("save", lambda: torch.save(weights, path)), ("load", lambda: torch.load(path))):
    each = []
    for _ in range(calls + 20):
        start = perf_counter()
        call()
        each.append(perf_counter() - start)
    taken[name] = statistics.median(each[20:]) * 1e6
print(json.dumps(taken))
"""
KINDS = {"plain": "", "deaf": TASK.format(hears=False), "hears": TASK.format(hears=True)}


def measure(place: Place) -> dict[str, float]:
    taken: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    path = place.folder / "weights.pt"
    for _ in range(TURNS):
        for kind, begin in KINDS.items():
            output = subprocess.run(
                [sys.executable, "-c", begin + SCRIPT, str(path), str(place.size(CALLS))],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            ).stdout
            taken[kind].append(json.loads(output.splitlines()[-1]))
    median = {
        kind: {what: statistics.median(turn[what] for turn in turns) for what in turns[0]}
        for kind, turns in taken.items()
    }
    plain, deaf, hears = median["plain"], median["deaf"], median["hears"]
    return {
        "save": hears["save"] - deaf["save"],
        "save_ratio": hears["save"] / deaf["save"],
        "load_ratio": hears["load"] / deaf["load"],
        "import_ratio": hears["import"] / plain["import"],
        "raw_save": plain["save"],
        "raw_load": plain["load"],
        "raw_import": plain["import"],
    }


BENCHMARK = Benchmark(
    title=f"weights of 131 kB, {CALLS} times into one file, medians",
    rows=(
        Row("save", "torch.save, what recording it adds to a call", "µs"),
        Row("save_ratio", "torch.save, a task that hears it to one that does not", "×"),
        Row("load_ratio", "torch.load, the same", "×"),
        Row("import_ratio", "import torch, a task that hears it to no eventlog at all", "×"),
        Row("raw_save", "raw: torch.save", "µs"),
        Row("raw_load", "raw: torch.load", "µs"),
        Row("raw_import", "raw: import torch", "ms"),
    ),
    measure=measure,
    rounds=3,
    needs=("torch",),
)
