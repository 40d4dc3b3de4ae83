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
PROCESSOR = ("ls", "show", "scalars", "curves", "ls_all", "bare")
DRAWN = {"FORCE_COLOR": "1"}
# Of what was named and is not there.
STATUSES = {"ls_nothing": 1}
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
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for _ in range(2 if place.quick else RUNS + 1):
        for name, (words, more) in programs.items():
            taken[name].append(_run([sys.executable, *words], {**environment, **more}, STATUSES.get(name, 0)))
    # The first start of each reads its files from the disk.
    medians = {
        name: [statistics.median(its) for its in zip(*runs[1:], strict=True)] for name, runs in taken.items()
    }
    walls = {name: wall for name, (wall, _) in medians.items()}
    return walls | {f"{name}_processor": medians[name][1] for name in PROCESSOR}


def _run(command: list[str], environment: dict[str, str], expected: int) -> tuple[float, float]:
    """Milliseconds that a command takes: by the clock, and of a processor."""
    start = perf_counter()
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL if expected else None
    with subprocess.Popen(command, stdout=pipe, stderr=nowhere, env=environment) as process:
        assert process.stdout is not None
        process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        taken = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise subprocess.CalledProcessError(process.returncode, command)
    return taken * 1e3, (used.ru_utime + used.ru_stime) * 1e3


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
        *(
            Row(f"{name}_processor", f"processor time of {name.replace('_', ' ')}", "ms")
            for name in PROCESSOR
        ),
    ),
    measure=measure,
    prepare=prepare,
    rounds=3,
)
