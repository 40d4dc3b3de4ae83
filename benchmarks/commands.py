"""How long whole commands take on a large store, the start of the interpreter included.

Their output is a pipe, as in a script; where it says so, it is drawn as on a terminal, with ``FORCE_COLOR``.
"""

import os
import statistics
import subprocess
import sys
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.task_store import CHOSEN_PROJECT, CHOSEN_TAG, LONG_TASK, make_tasks

__all__ = ["BENCHMARK"]

TASKS = 100_000
SCALARS = 10_000_000
RUNS = 5
BUDGET = 300
DRAWN = {"FORCE_COLOR": "1"}
PROGRAM = "from eventlog.cli.main import main; main()"


def prepare(place: Place) -> None:
    share = 100 if place.quick else 1
    make_tasks(place.folder / "home-0", TASKS // share, SCALARS // share)


def measure(place: Place) -> dict[str, float]:
    chosen = ["--project", CHOSEN_PROJECT, "--tag", CHOSEN_TAG, "--status", "completed"]
    one = LONG_TASK[:6]
    commands: dict[str, tuple[list[str], dict[str, str]]] = {
        "ls": (["ls"], DRAWN),
        "ls_chosen": (["ls", *chosen], {}),
        "ls_text": (["ls", "--text", "run 7+$"], {}),
        "ls_sorted": (["ls", "--sort", "name", "--limit", "50"], {}),
        "ls_nothing": (["ls", "--project", "no such project"], {}),
        "ls_all": (["ls"], {}),
        "json_all": (["ls", "--json"], {}),
        "show": (["show", one], {}),
        "show_drawn": (["show", one], DRAWN),
        "scalars": (["scalars", one], {}),
        "curves": (["scalars", one, "loss"], DRAWN),
    }
    environment = {**os.environ, "EVENTLOG_HOME": str(place.folder / "home-0")}
    programs = {name: (["-c", PROGRAM, *words], more) for name, (words, more) in commands.items()}
    programs["bare"] = (["-c", "pass"], {})
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(RUNS + 1):
        for name, (words, more) in programs.items():
            start = perf_counter()
            subprocess.run(
                [sys.executable, *words], stdout=subprocess.PIPE, check=True, env={**environment, **more}
            )
            taken[name].append((perf_counter() - start) * 1e3)
    # The first start of each reads its files from the disk.
    return {name: statistics.median(values[1:]) for name, values in taken.items()}


BENCHMARK = Benchmark(
    title=f"{TASKS:,} tasks, {SCALARS:,} scalars, half of them in {LONG_TASK[:6]}; whole commands",
    rows=(
        Row("ls", "eventlog ls, drawn: the first 50", "ms", budget=BUDGET),
        Row("ls_chosen", "eventlog ls, by project, tag and status", "ms", budget=BUDGET),
        Row("ls_text", "eventlog ls --text, a regular expression", "ms", budget=BUDGET),
        Row("ls_sorted", "eventlog ls --sort name --limit 50", "ms", budget=BUDGET),
        Row("ls_nothing", "eventlog ls, of a project that there is not", "ms", budget=BUDGET),
        Row("show", "eventlog show", "ms", budget=BUDGET),
        Row("show_drawn", "eventlog show, drawn", "ms", budget=BUDGET),
        Row("scalars", "eventlog scalars TASK", "ms", budget=BUDGET),
        Row(
            "curves",
            "eventlog scalars TASK TITLE, drawn: five curves of a million points",
            "ms",
            budget=BUDGET,
        ),
        Row("ls_all", f"eventlog ls into a pipe, all {TASKS:,} tasks", "ms"),
        Row("json_all", f"eventlog ls --json, all {TASKS:,} tasks", "ms"),
        Row("bare", "raw: an interpreter that does nothing", "ms"),
    ),
    measure=measure,
    prepare=prepare,
    rounds=3,
)
