"""Runs one piece of work with one program, in that program's environment.

    python -P driver.py ADAPTER WORK OPTIONS RESULT

ADAPTER is the path of an adapter, OPTIONS a JSON object with the work's arguments, RESULT the file that takes
what it measured, as JSON. It imports the standard library, the adapter and, for the training loop,
scikit-learn: what one program is measured with is what all are.
"""

import contextlib
import importlib.util
import json
import math
import mmap
import os
import random
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

Figures = dict[str, Any]

_BLOCK = 250
_SHORT = "short"
_COUNTER = struct.Struct("<q")
_TRAINED = struct.Struct("<qdd")
_STEPS_OF_TRAINING = 2_000
_TURNS = 10
_PIECE = 1 << 20


def main(adapter: str, work: str, options: str, result: str) -> None:
    """Do the work, and write what it measured; or "failed", and why, in one line."""
    try:
        figures = WORKS[work](load_adapter(Path(adapter)), **json.loads(options))
    except Exception as error:
        said = str(error).strip().splitlines() or [""]
        Path(result).write_text(json.dumps({"failed": f"{type(error).__name__}: {said[0][:200]}"}))
        raise
    Path(result).write_text(json.dumps(figures))


def load_adapter(path: Path) -> Any:
    """The module at a path, under a name that hides no program's own package."""
    spec = importlib.util.spec_from_file_location(f"adapter_of_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def describe(adapter: Any) -> Figures:
    """What the adapter says of itself, and the version of what is installed."""
    return {"version": version(adapter.DISTRIBUTION) if adapter.DISTRIBUTION else ""}


def calls(adapter: Any, folder: str, name: str, count: int, seconds: float, go: str = "") -> Figures:
    """Report scalars in a loop that does nothing else, then close.

    Args:
        count: how many calls, unless they take more than so many seconds.
        go: a file to wait for once the run has begun, so that several processes begin at once.
    """
    imported = _import(adapter, folder)
    values = list(_losses(count))
    start = perf_counter()
    run = adapter.begin(Path(folder), name)
    begun = perf_counter() - start
    report = adapter.scalar(run)
    if go:
        _meet(Path(go), name)
    start = perf_counter()
    called = _loop(report, values, seconds)
    looped = perf_counter() - start
    peak = _peak_memory()
    closing = perf_counter()
    adapter.finish(run)
    closed = looped + perf_counter() - closing
    return {
        "calls": called,
        "call": looped / called * 1e6,
        "closed": closed / called * 1e6,
        "import": imported * 1e3,
        "init": begun * 1e3,
        "peak": peak / 1e6,
    }


def pace(adapter: Any, folder: str, name: str, count: int, rate: int, seconds: float) -> Figures:
    """Report scalars at a rate, and say how long each call took; gives up after so many seconds."""
    _import(adapter, folder)
    run = adapter.begin(Path(folder), name)
    report = adapter.scalar(run)
    taken = []
    clock = time.perf_counter_ns
    start = clock()
    for step, value in enumerate(_losses(count)):
        early = start + step * 1_000_000_000 // rate - clock()
        if early > 0:
            time.sleep(early / 1e9)
        before = clock()
        report(step, value)
        taken.append(clock() - before)
        if before - start > seconds * 1e9:
            break
    lasted = (clock() - start) / 1e9
    adapter.finish(run)
    taken.sort()
    return {
        "calls": len(taken),
        "rate": len(taken) / lasted,
        "median": taken[len(taken) // 2] / 1e3,
        "p999": taken[min(int(len(taken) * 0.999), len(taken) - 1)] / 1e3,
    }


def training(adapter: Any, folder: str, name: str, seconds: float) -> Figures:
    """Train a small network with the program and without: three scalars a step.

    Two processes take turns, one of which never imports the program: how fast a machine is changes by more
    than what is measured, but not as often as they do.
    """
    train = partial(_train, steps=_STEPS_OF_TRAINING // _TURNS, seconds=seconds / _TURNS)
    bare = _Beside(lambda: train(lambda step, values: None))
    _import(adapter, folder)
    run = adapter.begin(Path(folder), name)
    report = adapter.metrics(run)
    # The first turn loads what training needs.
    bare.turn()
    train(lambda step, values: None)
    without, recorded = _Trained(0, 0, 0), _Trained(0, 0, 0)
    for _ in range(_TURNS):
        without = without.and_then(bare.turn())
        recorded = recorded.and_then(train(partial(_report_from, report, recorded.steps)))
    bare.end()
    closing = perf_counter()
    adapter.finish(run)
    closing = perf_counter() - closing
    step = without.seconds / without.steps
    return {
        "calls": recorded.steps,
        "step": step * 1e6,
        "work": (recorded.work / recorded.steps / (without.work / without.steps) - 1) * 100,
        "slower": (recorded.seconds / recorded.steps / step - 1) * 100,
        "slower_closed": ((recorded.seconds + closing) / recorded.steps / step - 1) * 100,
    }


def write_series(adapter: Any, folder: str, name: str, count: int, seconds: float) -> Figures:
    """Make the series that `read_series` reads; how many points it has."""
    _import(adapter, folder)
    short = adapter.begin(Path(folder), _SHORT)
    _loop(adapter.scalar(short), [0.5] * 10, seconds)
    adapter.finish(short)
    run = adapter.begin(Path(folder), name)
    made = _loop(adapter.scalar(run), list(_losses(count)), seconds)
    adapter.finish(run)
    _index(adapter, folder)
    return {"calls": made}


def read_series(adapter: Any, folder: str, name: str, points: int) -> Figures:
    """Read a series back, in a process that has read only a short one, which loads what reading needs."""
    _import(adapter, folder)
    adapter.read(Path(folder), _SHORT)
    start = perf_counter()
    values = adapter.read(Path(folder), name)
    taken = perf_counter() - start
    if len(values) != points:
        raise ValueError(f"read {len(values)} points of {points}")
    return {"calls": points, "read": taken * 1e3}


def fill_tasks(adapter: Any, folder: str, count: int, seconds: float) -> Figures:
    """Make the runs that `find_tasks` looks through, for so many seconds at most; how many there are."""
    _import(adapter, folder)
    deadline = perf_counter() + seconds
    made = adapter.fill_tasks(Path(folder), count, lambda: perf_counter() < deadline)
    if not made:
        raise TimeoutError(f"made no run in {seconds:.0f} s")
    _index(adapter, folder)
    return {"calls": made}


def find_tasks(adapter: Any, folder: str, tasks: int) -> Figures:
    """Find one run in ten by its tag, the first time in a process, and then twice more."""
    _import(adapter, folder)
    taken = []
    for _ in range(3):
        start = perf_counter()
        found = adapter.find_tasks(Path(folder))
        taken.append(perf_counter() - start)
        if found != sum(1 for number in range(tasks) if number % 10 == 3):
            raise ValueError(f"found {found} runs among {tasks}")
    return {"calls": tasks, "first": taken[0] * 1e3, "later": min(taken[1:]) * 1e3}


def artifacts(adapter: Any, folder: str, name: str, size: int, only_in: bool = False) -> Figures:
    """A file of so many bytes as an artifact of a run, and a copy of it back."""
    source = Path(folder) / "artifact.bin"
    _make_file(source, size)
    _import(adapter, folder)
    run = adapter.begin(Path(folder), name)
    os.sync()
    start = perf_counter()
    adapter.put_file(run, source)
    adapter.finish(run)
    figures = {"calls": size, "in": size / (perf_counter() - start) / 1e9}
    if not only_in:
        _index(adapter, folder)
        target = Path(folder) / "target"
        target.mkdir()
        os.sync()
        start = perf_counter()
        copy = Path(adapter.get_file(Path(folder), name, target))
        figures["out"] = size / (perf_counter() - start) / 1e9
        if copy.stat().st_size != size:
            raise ValueError(f"the copy has {copy.stat().st_size} bytes of {size}")
    return figures


def sync(adapter: Any, folder: str, name: str, size: int) -> Figures:
    """What a run with an artifact holds, to another folder, until it outlasts a power cut."""
    source = Path(folder) / "artifact.bin"
    _make_file(source, size)
    _import(adapter, folder)
    run = adapter.begin(Path(folder), name)
    adapter.put_file(run, source)
    adapter.finish(run)
    remote = Path(folder) / "remote"
    remote.mkdir()
    os.sync()
    start = perf_counter()
    adapter.sync_files(Path(folder), remote)
    return {"calls": size, "sync": size / (perf_counter() - start) / 1e9}


def kept(adapter: Any, folder: str, names: list[str], counts: list[int]) -> Figures:
    """How many of the first `counts` steps of each run are found."""
    _import(adapter, folder)
    _index(adapter, folder)
    return {"kept": [_kept(adapter, folder, name, count) for name, count in zip(names, counts, strict=True)]}


def kills(adapter: Any, folder: str, count: int, group: bool, seed: int, rate: int) -> Figures:
    """Kill processes that report scalars at a rate, and count what they were told is kept and is not.

    Each is a new process, in a process group and with a folder of its own, forked from this one, where the
    program is imported already unless it must know the folder then. It is killed with SIGKILL, alone or with
    its group, 0.2 to 0.8 s after its first call returned. What lives on after it has 20 s to end by itself;
    only then is its folder looked into.
    """
    _become_reaper()
    if not getattr(adapter, "SETTLED_BY_IMPORT", False):
        _import(adapter, folder)
    generator = random.Random(seed)
    acknowledged, lost, unread = [], [], 0
    for number in range(count):
        place = Path(folder) / str(number)
        place.mkdir()
        counter = mmap.mmap(-1, mmap.PAGESIZE)
        child = os.fork()
        if not child:
            _report_until_killed(adapter, place, counter, rate)
        _await(partial(_has_begun, counter), 60, "its first call")
        time.sleep(generator.uniform(0.2, 0.8))
        os.killpg(child, signal.SIGKILL) if group else os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        _reap(20)
        reported = _COUNTER.unpack_from(counter)[0]
        acknowledged.append(reported)
        found = _kept_apart(adapter, place, reported)
        unread += found is None
        lost.append(reported - (found or 0))
    if unread == count:
        raise RuntimeError("nothing of what the killed processes left can be read")
    return {"calls": sum(acknowledged), "lost": lost, "unread": unread}


WORKS: dict[str, Callable[..., Figures]] = {
    work.__name__: work
    for work in (
        describe,
        calls,
        pace,
        training,
        write_series,
        read_series,
        fill_tasks,
        find_tasks,
        artifacts,
        sync,
        kept,
        kills,
    )
}


def _import(adapter: Any, folder: str) -> float:
    """Import the program as a script would; seconds."""
    adapter.settle(Path(folder))
    start = perf_counter()
    exec(adapter.IMPORT, {})
    return perf_counter() - start


def _index(adapter: Any, folder: str) -> None:
    """Have found what was written, where a program needs more for it than to be asked."""
    if hasattr(adapter, "index"):
        adapter.index(Path(folder))


def _losses(count: int) -> Iterator[float]:
    """A loss that falls, with noise in every bit: a smooth one would compress to less than any real one."""
    generator = random.Random(0)
    return (math.exp(-step / (count / 4)) + 0.1 * generator.random() for step in range(count))


def _loop(report: Callable[[int, float], object], values: list[float], seconds: float) -> int:
    """Report the values, and look at the clock once in a while; how many calls there were."""
    deadline = perf_counter() + seconds
    for first in range(0, len(values), _BLOCK):
        for step, value in enumerate(values[first : first + _BLOCK], first):
            report(step, value)
        if perf_counter() > deadline:
            return min(first + _BLOCK, len(values))
    return len(values)


class _Trained(NamedTuple):
    """Steps of training; the seconds, and those of processors, that they took."""

    steps: int
    seconds: float
    work: float

    def and_then(self, more: "_Trained") -> "_Trained":
        return _Trained(self.steps + more.steps, self.seconds + more.seconds, self.work + more.work)


class _Beside:
    """A process forked from this one, as it is now, that trains whenever it is its turn."""

    def __init__(self, train: Callable[[], _Trained]) -> None:
        self._parent, child = socket.socketpair()
        self._process = os.fork()
        if not self._process:
            self._parent.close()
            try:
                while child.recv(1):
                    child.sendall(_TRAINED.pack(*train()))
            finally:
                os._exit(0)
        child.close()

    def turn(self) -> _Trained:
        """What it did, once it is done."""
        self._parent.sendall(b".")
        return _Trained(*_TRAINED.unpack(self._parent.recv(_TRAINED.size, socket.MSG_WAITALL)))

    def end(self) -> None:
        self._parent.close()
        os.waitpid(self._process, 0)


def _report_from(
    report: Callable[[int, dict[str, float]], object], first: int, step: int, values: dict[str, float]
) -> None:
    report(first + step, values)


def _train(report: Callable[[int, dict[str, float]], object], steps: int, seconds: float) -> _Trained:
    """Train a small network on the digits that come with scikit-learn."""
    import numpy
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    pixels, digits = load_digits(return_X_y=True)
    pixels = pixels / 16
    classes = numpy.arange(10)
    network = MLPClassifier(hidden_layer_sizes=(64,), solver="sgd", random_state=0)
    with _on_one_processor():
        start, work = perf_counter(), _processor_seconds()
        for step in range(steps):
            first = step * 32 % (len(pixels) - 32)
            network.partial_fit(pixels[first : first + 32], digits[first : first + 32], classes=classes)
            report(step, {"loss": network.loss_, "rate": 0.001, "weight": float(network.coefs_[0][0, 0])})
            if perf_counter() - start > seconds:
                break
        return _Trained(step + 1, perf_counter() - start, _processor_seconds() - work)


@contextlib.contextmanager
def _on_one_processor() -> Iterator[None]:
    """Keep this thread on the same processor as others in such a block: another one may be slower."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _report_until_killed(adapter: Any, folder: Path, counter: mmap.mmap, rate: int) -> None:
    os.setpgid(0, 0)
    try:
        _import(adapter, str(folder))
        run = adapter.begin(folder, "killed")
        report = adapter.scalar(run)
        start = perf_counter()
        for step in range(1_000_000):
            if (early := start + step / rate - perf_counter()) > 0:
                time.sleep(early)
            report(step, 1 / (step + 1))
            _COUNTER.pack_into(counter, 0, step + 1)
    finally:
        os._exit(1)


def _has_begun(counter: mmap.mmap) -> bool:
    return bool(_COUNTER.unpack_from(counter)[0])


def _kept_apart(adapter: Any, folder: Path, count: int) -> int | None:
    """As `_kept`, in a process of its own, as whoever comes after would look; None if it cannot be read."""
    result = mmap.mmap(-1, mmap.PAGESIZE)
    child = os.fork()
    if not child:
        try:
            _import(adapter, str(folder))
            _index(adapter, str(folder))
            _COUNTER.pack_into(result, 0, _kept(adapter, str(folder), "killed", count))
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(1)
    failed = os.waitpid(child, 0)[1]
    _reap(5)
    return None if failed else int(_COUNTER.unpack_from(result)[0])


def _kept(adapter: Any, folder: str, name: str, count: int) -> int:
    return len({int(step) for step in adapter.kept(Path(folder), name)}.intersection(range(count)))


def _meet(go: Path, name: str) -> None:
    """Say that this process is ready, and return once all are."""
    go.with_name(f"ready-{name}").touch()
    _await(go.exists, 120, "the others")


def _await(reached: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = perf_counter() + seconds
    while not reached():
        if perf_counter() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.001)


def _become_reaper() -> None:
    """Have the processes that killed ones leave behind as children of this one, where there is a way to."""
    with contextlib.suppress(Exception):
        import ctypes

        pr_set_child_subreaper = 36
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def _reap(seconds: float) -> None:
    """Wait until there are no children any more; those still there after so many seconds are killed."""
    deadline = perf_counter() + seconds
    while True:
        try:
            ended = os.waitpid(-1, os.WNOHANG)[0]
        except ChildProcessError:
            return
        if not ended:
            if perf_counter() > deadline:
                for child in _descendants(os.getpid()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
            time.sleep(0.005)


def _descendants(parent: int) -> list[int]:
    """The processes that a process has started, and those that they have; none where there is no /proc."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _processor_seconds() -> float:
    """Seconds of processor time that this process and those it has started have taken."""
    seconds = time.process_time()
    for process in _descendants(os.getpid()):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _peak_memory() -> int:
    """Bytes that this process and those it has started have had in memory at most, shared pages in each.

    `getrusage` would count what the process had before it became this program.
    """
    total = 0
    for process in (os.getpid(), *_descendants(os.getpid())):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) * 1024
    if not total:
        import resource

        total = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return total


def _make_file(path: Path, size: int) -> None:
    """A file of bytes that do not compress."""
    with path.open("wb") as file:
        for _ in range(0, size, _PIECE):
            file.write(os.urandom(_PIECE))
        file.truncate(size)


if __name__ == "__main__":
    main(*sys.argv[1:])
