"""A folder with one store to a thousand in it: a sync that has nothing to do, and a first pull of all."""

import os
import shutil
import subprocess
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.curve import noisy_loss
from benchmarks.growth.curve import Curve, Figures, Line, Panel, milliseconds

__all__ = ["CURVE"]

SCALARS = 100


def measure(size: int, folder: Path) -> Figures:
    from eventlog.store import Store
    from eventlog.sync import pull, synchronise

    remote = folder / "remote"
    for number in range(size):
        _push_one(folder / "other", number, remote)

    with Store.open(folder / "own") as store:
        start = perf_counter()
        pulled = pull(store, remote)
        first = perf_counter() - start
        if pulled.problems or len(store.heads()) < size:
            raise AssertionError(f"not all was pulled: {pulled}")
        synchronise(store, remote)

        def again() -> None:
            done = synchronise(store, remote)
            if done.problems or done.pull.batches or (done.push and done.push.batches):
                raise AssertionError(f"there was something to do: {done}")

        nothing = milliseconds(again, clock=process_time)
    return {
        "pull": first * 1e3,
        "nothing": nothing,
        "listing": milliseconds(lambda: _list(remote), clock=process_time),
        "copy": milliseconds(lambda: _copy(remote, folder / "copy"), times=1),
    }


def _push_one(home: Path, number: int, remote: Path) -> None:
    """Push a store with one task and some scalars, and delete it."""
    from eventlog.events import ScalarReported, TaskCompleted, TaskCreated, TaskStarted
    from eventlog.store import Store
    from eventlog.sync import push

    task = f"{number:032x}"
    with Store.open(home) as store:
        append = store.session.append
        append(TaskCreated, task, f"run {number}", "benchmarks/growth")
        append(TaskStarted, task)
        for step, value in enumerate(noisy_loss(SCALARS, number)):
            append(ScalarReported, task, "loss", "train", step, value)
        append(TaskCompleted, task)
        store.flush()
        if problems := push(store, remote).problems:
            raise AssertionError(problems[0])
    shutil.rmtree(home)


def _list(folder: Path) -> None:
    for _ in os.walk(folder):
        pass


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)
    subprocess.run(["sync", "-f", target], check=True)


CURVE = Curve(
    title="Stores on a remote, which is a folder",
    across="stores",
    sizes=(1, 10, 100, 1_000),
    quick=10,
    measure=measure,
    panels=(
        Panel(
            "a sync that has nothing to do",
            "ms of a processor",
            (Line("nothing", "synchronise"), Line("listing", "walking through the folders", limit=True)),
        ),
        Panel(
            "a first pull of all of them",
            "ms",
            (Line("pull", "pull"), Line("copy", "cp -r and sync", limit=True)),
        ),
    ),
    room=lambda size: 100_000 * size + (1 << 28),
)
