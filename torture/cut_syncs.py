"""Cut syncs: two machines and a remote; pushes and pulls are killed on the way, and in the end all meet."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from eventlog import events
from eventlog.errors import EventlogError
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.sync import pull, push, synchronise
from torture.fault import Fault, Outcome, Round
from torture.promises import check_verified, check_views
from torture.syncing import check_remote, copies_of, no_blobs, problems_of
from torture.workloads import in_child, raised_in

__all__ = ["FAULT"]

TURNS = 14
# What Python tells its audit hooks of a process's doings with files.
OPERATIONS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.scandir", "os.listdir", "os.chmod"})
MARKER = "eventlog-remote"


def play(this: Round) -> Outcome:
    """Cut syncs some times, looking at what is left; then sync without a cut, and compare the machines."""
    random, outcome = this.random, Outcome()
    notes, remote = this.folder / "notes", this.folder / "remote"
    notes.mkdir()
    homes = [this.folder / name for name in ("laptop", "cluster")]
    for turn, home in enumerate([*homes, *random.choices(homes, k=TURNS)]):
        if turn < len(homes) or random.random() < 0.5:
            in_child(notes, _grow, home, Random(random.random()))
        way = random.choice((push, push, pull, synchronise))
        status = in_child(notes, _sync, way, home, remote, Random(random.random()))
        outcome.faults += os.WIFSIGNALED(status)
        if (remote / MARKER).exists():
            check_remote(outcome, remote)
        check_verified(outcome, home, "after a sync was cut")
    # One after the other, until each has had what the other gave.
    for home in (*homes, *homes):
        with Store.open(home) as store:
            problems = problems_of(synchronise(store, remote))
            outcome.check(not problems, f"a sync that is not cut: {problems[:3]}")
    _check_met(outcome, homes, remote)
    outcome.check(not (raised := raised_in(notes)), f"raised: {raised}")
    return outcome


def _check_met(outcome: Outcome, homes: list[Path], remote: Path) -> None:
    """Both machines and the remote hold the same, byte for byte, and show the same."""
    held, shown, blobs = [], [], []
    for home in homes:
        with Store.open(home) as store:
            held.append(copies_of(store))
            blobs.append(sorted(store.blobs))
            own = list(store.batches(store.id))
            outcome.acknowledged += sum(batch.end - batch.first for batch in own)
            check_views(outcome, store)
            with Views.open(store) as views:
                shown.append(sorted(repr(state) for state in views.every_task()))
        check_verified(outcome, home, "once the machines have met")
    for copy_of, batches in held[0].items():
        outcome.lost += abs(len(batches) - len(held[1].get(copy_of, [])))
    outcome.check(held[0] == held[1], "the machines do not hold the same batches once they have met")
    outcome.check(blobs[0] == blobs[1], "the machines do not hold the same blobs once they have met")
    outcome.check(shown[0] == shown[1], "the machines do not show the same tasks once they have met")
    heads = check_remote(outcome, remote)
    there = {copy_of: head.number + 1 for copy_of, head in heads.items()}
    here = {copy_of: len(batches) for copy_of, batches in held[0].items()}
    outcome.check(there == here, "the remote does not hold what the machines hold")
    lists = list((remote / "absent").glob("*"))
    outcome.check(not lists, f"the remote still says that blobs are absent, in {len(lists)} lists")


def _sync(way: Callable[..., Any], home: Path, remote: Path, random: Random) -> None:
    """Sync, and be killed before some operation on a file; rarely get to the end."""
    if way is pull and not (remote / MARKER).exists():
        way = push
    with Store.open(home) as store:
        count, last = 0, int(random.choice((20, 60, 200, 600)) * random.random())

        def count_down(event: str, _: tuple[Any, ...]) -> None:
            nonlocal count
            if event in OPERATIONS:
                count += 1
                if count > last:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count_down)
        # Now and then the log alone: the blobs are then listed as absent, and follow later.
        choose = None if random.random() < 0.7 else no_blobs
        problems = problems_of(way(store, remote, choose=choose))
    if problems:
        raise EventlogError(f"problems of a sync: {problems[:3]}")


def _grow(home: Path, random: Random) -> None:
    """Append some batches to a store, with blobs; and be killed at the end of them, or not."""
    store = Store.open(home)
    task = random.randbytes(16).hex()
    append = store.session.append
    append(events.TaskCreated, task, "a task", "torture")
    append(events.TaskStarted, task)
    for batch in range(random.randint(1, 6)):
        for step in range(random.choice((1, 10, 300))):
            append(events.ScalarReported, task, "loss", "train", step, random.random())
        if random.random() < 0.7:
            data = random.randbytes(random.choice((10, 1000, 1000, 100_000, 5_000_000)))
            digest = store.blobs.put_bytes(data)
            append(events.ArtifactUploaded, task, f"artifact {batch}", "file", digest, len(data), "data.bin")
        store.flush()
    if random.random() < 0.3:
        os.kill(os.getpid(), signal.SIGKILL)
    append(events.TaskCompleted, task)
    store.close()


FAULT = Fault("pushes and pulls killed, between two machines and a remote", "cuts", play)
