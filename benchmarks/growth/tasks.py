"""Stores of ten tasks to a million: one task more, finding some, listing them, and their size."""

import os
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.growth.curve import Curve, Figures, Line, Panel, milliseconds
from benchmarks.task_store import CHOSEN_PROJECT, CHOSEN_TAG, make_tasks

__all__ = ["CURVE"]

STARTS = 5
INIT = """
import time
from eventlog import Task
start = time.perf_counter()
task = Task.init(project_name="benchmarks/growth", task_name="one more", auto_resource_monitoring=False)
print(time.perf_counter() - start)
task.close()
"""
CHOSEN: dict[str, Any] = {
    "project_name": CHOSEN_PROJECT,
    "tags": [CHOSEN_TAG],
    "task_filter": {"status": ["completed"]},
}


def measure(size: int, folder: Path) -> Figures:
    start = process_time()
    make_tasks(folder / "home", size)
    made = process_time() - start
    log, views = (_allocated(folder / "home" / name) for name in ("log", "views"))

    eventlog = [sys.executable, "-c", "from eventlog.cli.main import main; main()"]
    first = ["ls", "--limit", "50"]
    chosen = [*first, "--project", CHOSEN_PROJECT, "--tag", CHOSEN_TAG, "--status", "completed"]
    figures: Figures = {
        "made": made / size * 1e6,
        "log": log / size,
        "views": views / size,
        "ls": _run([*eventlog, *first]),
        "ls_chosen": _run([*eventlog, *chosen]),
        "ls_text": _run([*eventlog, *first, "--text", "run 7+$"]),
        "show": _run([*eventlog, "show", f"{CHOSEN_PROJECT}/run 0"]),
        "bare": _run([sys.executable, "-c", "pass"]),
        "get_tasks": _get_tasks(),
    }
    # Each makes a task more, so the other figures come first.
    inits = [float(_output([sys.executable, "-c", INIT])) * 1e3 for _ in range(STARTS)]
    return {**figures, "init": min(inits)}


def _get_tasks() -> float:
    from eventlog import Task

    # The first opens the store and the views.
    Task.get_tasks(**CHOSEN)
    return milliseconds(lambda: Task.get_tasks(**CHOSEN), times=20)


def _run(command: list[str]) -> float:
    """Milliseconds of a processor that a command takes: the least of some runs."""
    taken = []
    for _ in range(STARTS):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        taken.append((used.ru_utime + used.ru_stime) * 1e3)
    return min(taken)


def _output(command: list[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ).stdout


def _allocated(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


CURVE = Curve(
    title="Tasks in a store",
    across="tasks",
    sizes=(10, 100, 1_000, 10_000, 100_000, 1_000_000),
    quick=1_000,
    measure=measure,
    panels=(
        Panel(
            "commands, from start to end",
            "ms of a processor",
            (
                Line("ls", "eventlog ls --limit 50"),
                Line("ls_chosen", "eventlog ls, by project, tag and status"),
                Line("ls_text", "eventlog ls --text, a regular expression"),
                Line("show", "eventlog show"),
                Line("bare", "an interpreter that does nothing", limit=True),
            ),
        ),
        Panel(
            "calls",
            "ms",
            (
                Line("init", "Task.init"),
                Line("get_tasks", "Task.get_tasks by project, tag and status"),
            ),
        ),
        Panel(
            "on the disk",
            "bytes a task",
            (Line("views", "views/, which can be made anew"), Line("log", "log/")),
        ),
        Panel(
            "appending and folding",
            "µs of a processor a task",
            (Line("made", "seven events, and their folding"),),
        ),
    ),
    room=lambda size: 6_000 * size + (1 << 28),
)
