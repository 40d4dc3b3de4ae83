"""How long `Task.init` takes to return in a git repository with uncommitted changes.

In a new store, whose files it makes, and in one that holds 2,000 tasks. The raw line runs the two git
commands that the same facts would take (`git rev-parse HEAD`, `git diff HEAD`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.task_store import make_tasks

__all__ = ["BENCHMARK"]

FILES = 500
TASKS = 2_000
SCRIPT = """
import json, time
started = time.perf_counter()
from eventlog import Task
imported = time.perf_counter()
task = Task.init(project_name="benchmarks/init", task_name="in a repository")
print(json.dumps(time.perf_counter() - imported))
task.close()
"""


def prepare(place: Place) -> None:
    repository = place.folder / "repository"
    (repository / "library").mkdir(parents=True)
    for number in range(FILES):
        (repository / "library" / f"module_{number}.py").write_text(f"VALUE = {number}\n" * 50)
    (repository / "train.py").write_text(SCRIPT)
    git = ["git", "-C", str(repository), "-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all of it"]):
        subprocess.run([*git, *command], check=True)
    for number in range(0, FILES, 50):
        (repository / "library" / f"module_{number}.py").write_text("VALUE = 'changed'\n" * 50)
    make_tasks(place.folder / "full", TASKS)


def measure(place: Place) -> dict[str, float]:
    repository = place.folder / "repository"
    start = perf_counter()
    for command in (["rev-parse", "HEAD"], ["diff", "HEAD"]):
        subprocess.run(["git", *command], cwd=repository, stdout=subprocess.DEVNULL, check=True)
    raw = perf_counter() - start
    return {
        "new": _init(repository, place.home) * 1e3,
        "full": _init(repository, place.folder / "full") * 1e3,
        "git": raw * 1e3,
    }


def _init(repository: Path, home: Path) -> float:
    """Seconds from the call of Task.init to its return, in a process of its own."""
    output = subprocess.run(
        [sys.executable, "train.py"],
        cwd=repository,
        # As everywhere, all but the first start find the modules compiled.
        env={**os.environ, "EVENTLOG_HOME": str(home), "PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return float(json.loads(output.splitlines()[-1]))


BENCHMARK = Benchmark(
    title=f"a git repository of {FILES} files, 10 of them changed; the import is not counted",
    rows=(
        Row("full", f"Task.init to its return, in a store of {TASKS:,} tasks", "ms", budget=30),
        Row("new", "Task.init to its return, making a new store", "ms", budget=30),
        Row("git", "raw: git rev-parse and git diff", "ms"),
    ),
    measure=measure,
    prepare=prepare,
    rounds=7,
)
