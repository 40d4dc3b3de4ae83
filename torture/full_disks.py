"""Full disks: a small file system fills up, and has room again, while a script reports to a store on it.

Where none can be mounted, the size of files is limited instead (RLIMIT_FSIZE), from outside, while it runs.
"""

import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from unittest.mock import patch

from benchmarks.processes import end_all, kill, wait_until
from eventlog import committer, events
from eventlog.errors import EventlogError
from eventlog.store import Store
from torture.fault import Fault, Outcome, Round
from torture.promises import (
    Counts,
    check_ends,
    check_facts,
    check_living,
    check_undamaged,
    check_verified,
    check_views,
    facts_in,
    read_log,
)
from torture.workloads import STOP, noted_in, raised_in, start

__all__ = ["FAULT", "check", "fill"]

DISK_SIZE = 64 << 20
CLONE_NEWNS = 0x20000  # linux/sched.h
FILLER = "filler"
# Events that no writer notes: of the call that a kill came into, and the end of the task.
NOT_NOTED = 2
# In some rounds less may wait for room, so that a full disk makes a script drop events within a second.
LESS_WAITING, LESS_RESERVE = 2 << 20, 1 << 20


def play(this: Round) -> Outcome:
    """Fill the disk under a script some times; then let it end, or kill it while the disk is full."""
    random, outcome = this.random, Outcome()
    notes, disk = this.folder / "notes", this.folder / "disk"
    for folder in (notes, disk):
        folder.mkdir()
    mounted = _mount(disk, random.choice(("tmpfs", "ext4"))) if random.randrange(5) else False
    home = disk / "home"
    less = patch.multiple(committer, MAX_WAITING=LESS_WAITING, RESERVE=LESS_RESERVE)
    with less if random.random() < 0.4 else contextlib.nullcontext():
        script = start("reports", home, notes, "w0", random.randrange(1 << 30))
    wait_until((notes / "w0").exists, "the script begins")
    end = random.choice(("stopped", "stopped", "killed while full", "killed later"))
    safe: Counts = {}
    for turn in range(turns := random.randint(1, 3)):
        time.sleep(random.random() * 0.4)
        if turn == 0:
            # While there is room for journals, a kill loses nothing.
            safe = noted_in(notes)
        with _full(disk, script, random, mounted=mounted):
            outcome.faults += 1
            time.sleep(random.random() * 0.8)
            if turn == turns - 1 and end == "killed while full":
                kill(script)
                end_all()
    if end == "killed later":
        # Once more is committed, all that waited is.
        safe = noted_in(notes)
        check_living(outcome, home)
        # What was dropped is told as soon as there was a commit.
        time.sleep(0.3)
        kill(script)
    (notes / STOP).touch()
    if end == "stopped":
        wait_until((notes / "w0.done").exists, "the script ends, once there is room again")
        safe = noted_in(notes)
    end_all()
    outcome.check(not (raised := raised_in(notes)), f"raised into the script: {raised}")
    check(outcome, home, noted_in(notes), safe, killed=end != "stopped")
    if outcome.broken and mounted:
        # The file system goes with this process.
        shutil.copytree(disk, this.folder / "disk-as-it-was")
    return outcome


def check(outcome: Outcome, home: Path, noted: Counts, safe: Counts, *, killed: bool) -> None:
    """Check a store whose disk was full, once all its processes are dead and there is room again.

    Args:
        noted: how many calls of each sort had returned to each writer.
        safe: how many of them had to be found, had nothing been dropped: the rest may have died with the
            process, while there was no room for it.
        killed: the process was, and may have done more than it could note.
    """
    try:
        with Store.open(home) as store:
            log = read_log(outcome, store)
            found = facts_in(store, log)
            dropped = sum(one.event.count for one in log if isinstance(one.event, events.EventsDropped))
            if dropped:
                _check_dropped(outcome, found, noted, safe, dropped)
            else:
                there = {fact: min(count, len(found.get(fact, []))) for fact, count in noted.items()}
                whole = {fact: max(count, safe.get(fact, 0)) for fact, count in there.items()}
                check_facts(outcome, found, whole, tail=not killed)
            check_ends(outcome, store, log)
            check_views(outcome, store)
    except EventlogError as error:
        outcome.check(False, f"the store cannot be opened and read once there is room: {error!r}")
    left = sorted(path.name for path in (home / "journals").iterdir())
    outcome.check(not left, f"journals of dead sessions are left: {left}")
    check_verified(outcome, home, "once there is room again")
    check_undamaged(outcome, home)


def _check_dropped(
    outcome: Outcome, found: Mapping[tuple[str, str], list[int]], noted: Counts, safe: Counts, dropped: int
) -> None:
    """As many events are missing as were said to be dropped."""

    def missing(counts: Counts) -> int:
        return sum(max(0, count - len(found.get(fact, []))) for fact, count in counts.items())

    lost = max(0, missing(safe) - dropped)
    outcome.acknowledged += max(0, sum(safe.values()) - dropped)
    outcome.lost += lost
    outcome.check(not lost, f"{lost} events are missing beyond the {dropped} that were dropped")
    gone = missing(noted) + NOT_NOTED
    outcome.check(dropped <= gone, f"{dropped} events are said to be dropped, {gone} may be missing")
    for fact, numbers in found.items():
        outcome.check(numbers == sorted(set(numbers)), f"not in order: {fact}")


@contextlib.contextmanager
def _full(disk: Path, script: int, random: Random, *, mounted: bool) -> Iterator[None]:
    """The disk is full, or no file can grow; a context manager."""
    if mounted:
        filler = fill(disk, leave=random.choice((0, 0, 4096, 100_000, 5 << 20)))
        try:
            yield
        finally:
            filler.unlink()
    else:
        limits = resource.prlimit(script, resource.RLIMIT_FSIZE)
        size = random.choice((0, 4096, 1 << 20, 4 << 20))
        resource.prlimit(script, resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(script, resource.RLIMIT_FSIZE, limits)


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill a file system to its last byte but so many; returns the file that takes the room."""
    filler = folder / FILLER
    with filler.open("ab", buffering=0) as file:
        piece = bytes(1 << 20)
        while piece:
            try:
                file.write(piece)
            except OSError:
                piece = piece[: len(piece) // 2]
        os.fsync(file.fileno())
        file.truncate(max(0, file.tell() - leave))
    return filler


def _mount(folder: Path, kind: str) -> bool:
    """Mount a small file system that only this process and its children see: it goes with them."""
    if not _may_mount():
        return False
    if ctypes.CDLL(None).unshare(CLONE_NEWNS) or _run("mount", "--make-rprivate", "/"):
        return False
    if kind == "ext4" and shutil.which("mkfs.ext4"):
        image = folder.with_suffix(".image")
        image.touch()
        os.truncate(image, DISK_SIZE)
        return not (
            _run("mkfs.ext4", "-q", "-m", "0", str(image))
            or _run("mount", "-o", "loop", str(image), str(folder))
        )
    return not _run("mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(folder))


def _run(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


def _may_mount() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


def _missing() -> str:
    return "" if sys.platform == "linux" else "a process's limits are set from outside on Linux alone"


FAULT = Fault("disks that fill up under a script, and have room again", "times", play, _missing)
