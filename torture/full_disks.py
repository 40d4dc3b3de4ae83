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
from collections.abc import Iterator
from pathlib import Path
from random import Random

from benchmarks.processes import end_all, kill, wait_until
from eventlog import events
from eventlog.errors import EventlogError
from eventlog.store import Store
from torture.fault import Fault, Outcome, Round
from torture.promises import check_ends, check_facts, check_verified, check_views, facts_in, read_log
from torture.workloads import STOP, noted_in, raised_in, start

__all__ = ["FAULT", "fill"]

DISK_SIZE = 64 << 20
CLONE_NEWNS = 0x20000  # linux/sched.h
FILLER = "filler"


def play(this: Round) -> Outcome:
    """Fill the disk under a script some times; then let it end, or kill it while the disk is full."""
    random, outcome = this.random, Outcome()
    notes, disk = this.folder / "notes", this.folder / "disk"
    for folder in (notes, disk):
        folder.mkdir()
    mounted = _mount(disk, random.choice(("tmpfs", "ext4"))) if random.randrange(5) else False
    home = disk / "home"
    script = start("reports", home, notes, "w0", random.randrange(1 << 30))
    wait_until((notes / "w0").exists, "the script begins")
    killed = False
    for turn in range(turns := random.randint(1, 3)):
        time.sleep(random.random() * 0.4)
        with _full(disk, script, random, mounted=mounted):
            outcome.faults += 1
            time.sleep(random.random() * 0.8)
            if turn == turns - 1 and random.random() < 0.3:
                killed = kill(script)
                end_all()
    (notes / STOP).touch()
    if not killed:
        wait_until((notes / "w0.done").exists, "the script ends, once there is room again")
    end_all()
    outcome.check(not (raised := raised_in(notes)), f"raised into the script: {raised}")
    _check(outcome, home, notes, killed=killed)
    if outcome.broken and mounted:
        # The file system goes with this process.
        shutil.copytree(disk, this.folder / "disk-as-it-was")
    return outcome


def _check(outcome: Outcome, home: Path, notes: Path, *, killed: bool) -> None:
    noted = noted_in(notes)
    try:
        with Store.open(home) as store:
            log = read_log(outcome, store)
            found = facts_in(store, log)
            dropped = sum(one.event.count for one in log if isinstance(one.event, events.EventsDropped))
            if killed:
                # What had no room on the disk died with the process; it has to be a tail.
                noted = {fact: min(count, len(found.get(fact, []))) for fact, count in noted.items()}
            if dropped:
                missing = sum(count - len(found.get(fact, [])) for fact, count in noted.items())
                outcome.acknowledged += sum(noted.values())
                outcome.check(missing <= dropped, f"{missing} events are missing, {dropped} were dropped")
                for fact, numbers in found.items():
                    outcome.check(numbers == sorted(set(numbers)), f"not in order: {fact}")
            else:
                check_facts(outcome, found, noted, tail=not killed)
            check_ends(outcome, store, log)
            check_views(outcome, store)
    except EventlogError as error:
        outcome.check(False, f"the store cannot be opened and read once there is room: {error!r}")
    left = sorted(path.name for path in (home / "journals").iterdir())
    outcome.check(not left, f"journals of dead sessions are left: {left}")
    check_verified(outcome, home, "once there is room again")


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
