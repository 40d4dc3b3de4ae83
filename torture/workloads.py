"""What is hit by the faults: scripts as people write them, with the SDK, each noting which calls returned.

A script is one process, or several that it forks; each of them, and each thread that reports, is a writer
with a label of its own. A writer numbers what it does of each sort (scalars, parameters, artifacts …) from 0,
and notes a number once the call has returned. So for each writer and sort the log must hold the numbers 0, 1,
2 … in order, each once, up to the last that was noted; and of each writer at most one call more.
"""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from eventlog import events

if TYPE_CHECKING:
    from eventlog import Task

__all__ = [
    "CLOSE",
    "FLUSH",
    "STOP",
    "WORKLOADS",
    "Fact",
    "Noted",
    "artifact_bytes",
    "fact_of",
    "in_child",
    "noted_in",
    "raised_in",
    "raising",
    "run_script",
    "start",
]

# A sort of call, the writer's label, and the number.
Fact = tuple[str, str, int]
REPOSITORY = Path(__file__).parents[1]
PROJECT = "torture"
# What is noted of a call that is no event: all before it is committed; or the task is closed.
FLUSH = "flush"
CLOSE = "close"
ERRORS = ".errors"
# The clock of one script in so many jumps, at one reading in so many, and so far.
JUMPING = 4
JUMPS = 100
LONGEST_JUMP_NS = 6 * 3600 * 1_000_000_000
STOP = ".stop"


def start(workload: str, home: Path, notes: Path, label: str, seed: int, *, fresh: bool = False) -> int:
    """Start a script in a process of its own, which leads a process group; returns its process id.

    Args:
        workload: one of `WORKLOADS`.
        home: the store's folder.
        notes: the folder to note in what returned.
        label: of the script's first writer.
        seed: what the script's chances are drawn from.
        fresh: in a new interpreter, as a person would start it; else in a fork of this one, which is quicker.
    """
    notes.mkdir(exist_ok=True)
    environment = {**os.environ, "EVENTLOG_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
    if fresh:
        arguments = [workload, str(notes), label, str(seed)]
        process = subprocess.Popen(
            [sys.executable, "-m", "torture.workloads", *arguments], env=environment, start_new_session=True
        )
        # Waited for by its number, as a fork is.
        process.returncode = 0
        return process.pid
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            os.environ.update(environment)
            main(workload, str(notes), label, str(seed))
        finally:
            os._exit(code)
    return child


class Noted:
    """What a writer notes down, each fact after its call had returned; it outlives the process."""

    def __init__(self, folder: Path, label: str) -> None:
        self.folder = folder
        self.label = label
        self.counts: Counter[str] = Counter()
        self._waiting = b""
        self._file = os.open(folder / label, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def next(self, sort: str) -> int:
        """The number of what is done next of a sort."""
        return self.counts[sort]

    def write(self, line: str) -> None:
        """Note a line; where no file may grow just then, with the next one."""
        self._waiting += line.encode()
        with contextlib.suppress(OSError):
            while self._waiting:
                self._waiting = self._waiting[os.write(self._file, self._waiting) :]

    def add(self, sort: str) -> None:
        """Note that the call of that number has returned."""
        self.write(f"{sort} {self.counts[sort]}\n")
        self.counts[sort] += 1


def noted_in(folder: Path) -> dict[tuple[str, str], int]:
    """How many calls of each sort returned to each writer, by sort and label."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in folder.glob("w*"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            sort, number = line.decode().split()
            assert counts[sort, path.name] == int(number), (path, line)
            counts[sort, path.name] += 1
    return {(sort, label): count for (sort, label), count in counts.items() if sort not in (CLOSE, FLUSH)}


def in_child(notes: Path, work: Callable[..., None], *arguments: Any) -> int:
    """Do it in a fork; what it raises is written down. Returns the status that `os.waitpid` gives."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with raising(notes, work.__name__):
                work(*arguments)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


@contextlib.contextmanager
def raising(notes: Path, who: str) -> Iterator[None]:
    """What is raised here, as nothing may be, is written down for `raised_in`."""
    try:
        yield
    except BaseException:
        with (notes / ERRORS).open("a") as file:
            file.write(f"{who}: {traceback.format_exc()}\n")
        raise


def raised_in(notes: Path) -> str:
    """What was raised into scripts."""
    path = notes / ERRORS
    return path.read_text() if path.exists() else ""


def fact_of(event: events.Event) -> Fact | None:
    """What a writer did, by the event that it became; None for events that no writer numbers."""
    match event:
        case events.ScalarReported(title="loss", series=label, iteration=number):
            return "scalar", label, number
        case events.SingleValueReported(name=label, value=number) if label.startswith("w"):
            return "value", label, int(number)
        case events.TagsAdded(tags=[tag]):
            return _split("tag", tag)
        case events.ArtifactUploaded(name=name):
            return _split("artifact", name)
        case events.ParametersSet(parameters=parameters) if len(parameters) == 1:
            name, parameter = next(iter(parameters.items()))
            label = name.removeprefix("torture/")
            return ("parameter", label, int(parameter.value)) if label != name else None
        case events.TextReported(text=text):
            match = re.match(r"line (\S+) (\d+) ", text)
            return ("line", match[1], int(match[2])) if match else None
        case _:
            return None


def _split(sort: str, name: str) -> Fact | None:
    label, _, number = name.rpartition("#")
    return (sort, label, int(number)) if label else None


def artifact_bytes(label: str, number: int) -> bytes:
    """What a writer uploads as its artifact of that number, of varying size; no compressor makes it less."""
    chance = Random(f"{label} {number}")
    return chance.randbytes(chance.choice((10, 5_000, 100_000, 100_000, 1_500_000)))


class _Writer:
    """One process or thread that reports, and notes what returned."""

    def __init__(self, task: "Task", notes: Path, label: str, random: Random) -> None:
        self.task = task
        self.noted = Noted(notes, label)
        self.label = label
        self.random = random
        self.line_sizes = [10, 10, 100, 3000, 20_000, 70_000]

    def scalar(self) -> None:
        number = self.noted.next("scalar")
        self.task.get_logger().report_scalar("loss", self.label, value=1 / (number + 1), iteration=number)
        self.noted.add("scalar")

    def value(self) -> None:
        self.task.get_logger().report_single_value(self.label, self.noted.next("value"))
        self.noted.add("value")

    def parameter(self) -> None:
        self.task.set_parameter(f"torture/{self.label}", self.noted.next("parameter"))
        self.noted.add("parameter")

    def tag(self) -> None:
        self.task.add_tags([f"{self.label}#{self.noted.next('tag')}"])
        self.noted.add("tag")

    def artifact(self) -> None:
        number = self.noted.next("artifact")
        path = self.noted.folder.parent / f"{self.label}.bin"
        path.write_bytes(artifact_bytes(self.label, number))
        self.task.upload_artifact(f"{self.label}#{number}", path, wait_on_upload=True)
        self.noted.add("artifact")

    def line(self) -> None:
        """A line on the console; some are so long that they become blobs."""
        size = self.random.choice(self.line_sizes)
        # All at once: a thread may print between a line and its end.
        sys.stdout.write(f"line {self.label} {self.noted.next('line')} {'x' * size}\n")
        self.noted.add("line")

    def flush(self) -> None:
        """Have all that was noted before outlast a power cut."""
        self.task.flush()
        self.noted.add(FLUSH)

    def work(self) -> None:
        """A random mixture, in bursts and with rests, until one is asked to stop."""
        self._work((self.scalar, self.value, self.parameter, self.line, self.tag, self.artifact, self.flush))

    def report(self) -> None:
        """The same of calls that never raise, each of which is one event; until one is asked to stop."""
        # Where a long line cannot become a blob, it becomes several events.
        self.line_sizes.pop()
        self._work((self.scalar, self.value, self.parameter, self.line, self.tag))

    def _work(self, calls: tuple[Callable[[], None], ...]) -> None:
        weights = (120, 6, 6, 24, 2, 2, 1)[: len(calls)]
        stop = self.noted.folder / STOP
        while not stop.exists():
            for call in self.random.choices(calls, weights, k=self.random.choice((1, 30, 300))):
                call()
            if self.random.random() < 0.3:
                time.sleep(self.random.random() * 0.05)


def _init(name: str, *, monitored: bool = True) -> "Task":
    from eventlog import Task

    return Task.init(
        project_name=PROJECT,
        task_name=f"task {name}",
        reuse_last_task_id=False,
        auto_resource_monitoring=monitored,
    )


def run_script(home: Path, notes: Path, label: str) -> None:
    """Run a short script to its end: it begins a task, reports to it, and closes it."""
    os.environ["EVENTLOG_HOME"] = str(home)
    task = _init(label)
    writer = _Writer(task, notes, label, Random(label))
    for call in (writer.scalar, writer.parameter, writer.artifact, writer.flush):
        call()
    task.close()


def _scalars(notes: Path, label: str, random: Random) -> None:
    writer = _Writer(_init(label), notes, label, random)
    while True:
        writer.scalar()


def _mixture(notes: Path, label: str, random: Random) -> None:
    _Writer(_init(label), notes, label, random).work()


def _reports(notes: Path, label: str, random: Random) -> None:
    """Only what may never raise, and what is noted, to a proper end."""
    task = _init(label, monitored=False)
    writer = _Writer(task, notes, label, random)
    writer.report()
    task.close()
    # What could not be written down while the disk was full.
    writer.noted.write("")
    Noted(notes, f"{label}.done").add(CLOSE)


def _forks(notes: Path, label: str, random: Random) -> None:
    """Processes that fork while they report, and go on, all of them."""
    from eventlog import Task

    writer = _Writer(_init(label), notes, label, random)
    children = random.randint(1, 3)
    for child in range(children):
        for _ in range(random.choice((0, 1, 1000))):
            writer.scalar()
        if os.fork() == 0:
            label = f"{label}.{child}"
            task = Task.current_task()
            assert task is not None
            writer = _Writer(task, notes, label, Random(random.random()))
            if random.random() < 0.7:
                break
    writer.work()


def _threads(notes: Path, label: str, random: Random) -> None:
    task = _init(label)
    writers = [_Writer(task, notes, f"{label}.{number}", Random(random.random())) for number in range(3)]
    for writer in writers[1:]:
        threading.Thread(target=writer.work, daemon=True).start()
    writers[0].work()


def _tasks(notes: Path, label: str, random: Random) -> None:
    """Tasks that begin and end, one after the other; the store is closed with each."""
    from eventlog.sdk.stores import close_stores

    done = Noted(notes, f"{label}.done")
    for number in range(1 << 30):
        task = _init(f"{label}.{number}")
        writer = _Writer(task, notes, f"{label}.{number}", random)
        for call in random.choices(
            (writer.scalar, writer.parameter, writer.line), (9, 1, 1), k=random.choice((1, 100))
        ):
            call()
        task.close()
        done.add(CLOSE)
        if random.random() < 0.5:
            close_stores()


WORKLOADS: dict[str, Callable[[Path, str, Random], None]] = {
    "scalars": _scalars,
    "mixture": _mixture,
    "reports": _reports,
    "forks": _forks,
    "threads": _threads,
    "tasks": _tasks,
}


def _let_clock_jump(random: Random) -> None:
    """Let the clock that stores of this process see jump by hours now and then, back and forth."""
    from eventlog import store
    from eventlog.session import Session

    ahead = 0

    def wall() -> int:
        nonlocal ahead
        if random.randrange(JUMPS) == 0:
            ahead = random.randint(-LONGEST_JUMP_NS, LONGEST_JUMP_NS)
        return time.time_ns() + ahead

    patch.object(store, "Session", partial(Session, wall=wall)).start()


def main(workload: str, notes: str, label: str, seed: str) -> None:
    """What the process does: one script, until it is killed."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    chance = Random(f"clock {seed} {label}")
    if chance.randrange(JUMPING) == 0:
        _let_clock_jump(chance)
    with raising(Path(notes), f"{workload} {label}"):
        WORKLOADS[workload](Path(notes), label, Random(f"{seed} {label}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
