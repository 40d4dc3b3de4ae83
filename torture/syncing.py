"""Machines that meet through a remote in a folder, and whether a remote keeps what it promises."""

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


def sync_for_ever(home: Path, remote: Path, notes: Path, label: str, random: Random) -> None:
    """Push and pull without end, and note which heads were on the other side when a call had returned."""
    noted = Noted(notes, label)
    while True:
        with Store.open(home) as store:
            way = random.choice((push, pull, synchronise))
            before = store.heads()
            # Now and then the log alone: the blobs are then listed as absent, and follow later.
            choose = None if random.random() < 0.8 else no_blobs
            result = way(store, remote, choose=choose) if way is not pull or remote.exists() else None
            if way is not pull and result is not None and not problems_of(result):
                for copy_of, head in before.items():
                    noted.write(f"pushed {copy_of.hex()} {head.number}\n")
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
