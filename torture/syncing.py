"""Machines that meet through a remote in a folder, and whether a remote keeps what it promises."""

import fcntl
import os
import time
from pathlib import Path
from random import Random

from eventlog.errors import EventlogError
from eventlog.kept_heads import KeptHead
from eventlog.store import Store
from eventlog.sync import pull, push, synchronise
from eventlog.sync.check_remote import verify_remote
from eventlog.sync.urls import objects_at
from torture.fault import Outcome
from torture.workloads import Noted

__all__ = ["check_remote", "copies_of", "no_blobs", "problems_of", "sync_for_ever"]

TURNS = ".turns"


def sync_for_ever(home: Path, remote: Path, notes: Path, label: str, random: Random) -> None:
    """Push and pull without end, and note which heads were on the other side when a call had returned.

    What others are putting there just then may not be synced yet: so whoever notes has been alone meanwhile.
    """
    noted = Noted(notes, label)
    turns = os.open(notes / TURNS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        alone = random.random() < 0.5
        fcntl.flock(turns, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        way = random.choice((push, pull, synchronise))
        # Now and then the log alone: the blobs are then listed as absent, and follow later.
        choose = None if random.random() < 0.8 else no_blobs
        if way is not pull or remote.exists():
            with Store.open(home) as store:
                before = store.heads()
                problems = problems_of(way(store, remote, choose=choose))
                for copy_of, head in before.items() if alone and way is not pull and not problems else ():
                    noted.write(f"pushed {copy_of.hex()} {head.number}\n")
        fcntl.flock(turns, fcntl.LOCK_UN)
        time.sleep(random.random() * 0.1)


def check_remote(outcome: Outcome, remote: Path) -> dict[bytes, KeptHead]:
    """`eventlog verify` finds nothing on a remote; returns the heads of what it holds."""
    try:
        report = verify_remote(objects_at(str(remote)))
    except EventlogError as error:
        outcome.check(False, f"verify of the remote: {error!r}")
        return {}
    outcome.check(not report.problems, f"verify of the remote: {report.problems[:5]}")
    return report.heads


def copies_of(store: Store) -> dict[bytes, list[bytes]]:
    """Every batch that a store holds, byte for byte, by the store that committed it."""
    return {copy_of: [batch.data for batch in store.batches(copy_of)] for copy_of in store.heads()}


def no_blobs(_digests: object) -> set[str]:
    """Chooses none of the blobs to travel with the log."""
    return set()


def problems_of(result: object) -> list[str]:
    """What a push, a pull or both could not do."""
    parts = [result, getattr(result, "pull", None), getattr(result, "push", None)]
    return [problem for part in parts for problem in getattr(part, "problems", [])]
