"""Cut syncs: two machines and a remote; pushes and pulls are killed on the way, and in the end all meet."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from eventlog import events
from eventlog.errors import EventlogError
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.sync import compaction, meeting, pull, push, synchronise
from torture.fault import Fault, Outcome, Round
from torture.promises import Counts, check_facts, check_verified, check_views, facts_in
from torture.syncing import check_remote, copies_of, no_blobs, problems_of
from torture.workloads import Noted, in_child, noted_in, raised_in

__all__ = ["FAULT"]

TURNS = 14
# About as many operations on files as a merge of a few segments does.
MERGE_OPERATIONS = 30
# What Python tells its audit hooks of a process's doings with files.
OPERATIONS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.scandir", "os.listdir", "os.chmod"})
MARKER = "eventlog-remote"


def play(this: Round) -> Outcome:
    """Cut syncs some times, looking at what is left; then sync without a cut, and compare the machines."""
    random, outcome = this.random, Outcome()
    notes, remote = this.folder / "notes", this.folder / "remote"
    notes.mkdir()
    # In some rounds as few segments as two are merged, so that merges are cut off, too.
    compaction.FACTOR = random.choice((compaction.FACTOR, 1))
    homes = [this.folder / name for name in ("laptop", "cluster")]
    for turn, home in enumerate([*homes, *random.choices(homes, k=TURNS)]):
        if turn < len(homes) or random.random() < 0.5:
            in_child(notes, _grow, home, notes, Random(random.random()))
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
    _check_met(outcome, homes, remote, noted_in(notes))
    _check_flipped(outcome, this.folder, homes[0], remote, random)
    outcome.check(not (raised := raised_in(notes)), f"raised: {raised}")
    return outcome


def _check_met(outcome: Outcome, homes: list[Path], remote: Path, flushed: Counts) -> None:
    """Both machines and the remote hold the same, byte for byte, all that was flushed, and show the same.

    Args:
        flushed: how many scalars of each task were noted, once a flush had returned.
    """
    held, shown, blobs = [], [], []
    for home in homes:
        with Store.open(home) as store:
            held.append(copies_of(store))
            blobs.append(sorted(store.blobs))
            log = [one for key in store.heads() for batch in store.batches(key) for one in batch.events()]
            counted = Outcome()
            check_facts(counted, facts_in(store, log), flushed, tail=False)
            # What was acknowledged is looked for on both machines, and counted once.
            outcome.acknowledged, counted.acknowledged = counted.acknowledged, 0
            outcome.add(counted)
            check_views(outcome, store)
            with Views.open(store) as views:
                shown.append(sorted(repr(state) for state in views.every_task()))
        check_verified(outcome, home, "once the machines have met")
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
    """Sync, and be killed before some operation on a file, now and then of a merge; rarely get to the end."""
    if way is pull and not (remote / MARKER).exists():
        way = push
    with Store.open(home) as store:
        count, last = 0, int(random.choice((20, 60, 200, 600)) * random.random())
        counts = True
        if random.random() < 0.3:
            last, counts = random.randrange(MERGE_OPERATIONS), False

            def count_from_here(*arguments: Any) -> list[str]:
                nonlocal counts
                counts = True
                return compaction.merge_small(*arguments)

            patch.object(meeting, "merge_small", count_from_here).start()

        def count_down(event: str, _: tuple[Any, ...]) -> None:
            nonlocal count
            if counts and event in OPERATIONS:
                count += 1
                if count > last:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count_down)
        # Now and then the log alone: the blobs are then listed as absent, and follow later.
        choose = None if random.random() < 0.7 else no_blobs
        problems = problems_of(way(store, remote, choose=choose))
    if problems:
        raise EventlogError(f"problems of a sync: {problems[:3]}")


def _grow(home: Path, notes: Path, random: Random) -> None:
    """Append some batches to a store, with blobs; and be killed at the end of them, or not."""
    store = Store.open(home)
    task = random.randbytes(16).hex()
    append = store.session.append
    if random.random() < 0.7:
        _edit(store, random)
    noted, count = Noted(notes, f"w-{task}"), 0
    append(events.TaskCreated, task, "a task", "torture")
    append(events.TaskStarted, task)
    for batch in range(random.randint(1, 6)):
        for _ in range(random.choice((1, 10, 300))):
            append(events.ScalarReported, task, "loss", noted.label, count, random.random())
            count += 1
        if random.random() < 0.7:
            data = random.randbytes(random.choice((10, 1000, 1000, 100_000, 5_000_000)))
            digest = store.blobs.put_bytes(data)
            append(events.ArtifactUploaded, task, f"artifact {batch}", "file", digest, len(data), "data.bin")
        store.flush()
        while noted.next("scalar") < count:
            noted.add("scalar")
    if random.random() < 0.3:
        os.kill(os.getpid(), signal.SIGKILL)
    append(events.TaskCompleted, task)
    store.close()


def _edit(store: Store, random: Random) -> None:
    """Edit tasks of either machine, which the other one may be editing, too."""
    with Views.open(store) as views:
        views.catch_up()
        known = sorted(state.id for state in views.every_task())
    for task in random.sample(known, min(len(known), 3)):
        store.session.append(events.TagsAdded, task, [f"tag {random.randrange(100)}"])
        store.session.append(events.TaskRenamed, task, f"name {random.randrange(100)}")


def _check_flipped(outcome: Outcome, folder: Path, home: Path, remote: Path, random: Random) -> None:
    """Whoever pulls from a remote with a changed byte is told, and takes in nothing that is not right."""
    copy, fresh = folder / "flipped", folder / "fresh"
    shutil.copytree(remote, copy)
    path = random.choice(sorted(path for path in copy.rglob("*") if path.is_file() and _is_read(path)))
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.chmod(0o600)
    path.write_bytes(data)
    where = f"after a byte of {path.relative_to(copy)} was changed"
    with Store.open(home) as store:
        truth = copies_of(store)
    with Store.open(fresh) as store:
        try:
            problems = problems_of(pull(store, copy))
        except EventlogError as error:
            problems = [str(error)]
        outcome.check(problems, f"a pull says nothing {where}")
        for copy_of, batches in copies_of(store).items():
            if copy_of != store.id:
                outcome.check(
                    batches == truth.get(copy_of, [])[: len(batches)], f"a pull lets in what is wrong {where}"
                )
    outcome.faults += 1
    check_verified(outcome, fresh, f"of who has pulled {where}")
    shutil.rmtree(copy)
    shutil.rmtree(fresh)


def _is_read(path: Path) -> bool:
    """Whether a pull reads all of a file: it may pass over a segment whose batches another has as well."""
    first, last = path.name.split("-")[:2] if path.suffix == ".segment" else ("", "")
    others = [other.name.split("-") for other in path.parent.glob("*.segment") if other != path]
    return path.stat().st_size > 0 and not any(other[0] <= last and first <= other[1] for other in others)


FAULT = Fault("pushes and pulls killed, between two machines and a remote", "cuts", play)
