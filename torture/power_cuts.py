"""Power cuts: what may be left on a disk at random moments of a recorded run is opened and checked.

`recording.py` records what real scripts and syncs do to their files, and `disk.py` says what a cut may leave
of it. What the run itself knew to be safe at that moment has to be there: what was committed, what `flush`
had returned for, what a push had put on the remote. Of the rest a tail of each session may be missing, never
a hole.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import lmdb
import msgspec

from eventlog.errors import EventlogError
from eventlog.store import Store
from eventlog.sync import synchronise
from torture.disk import Disk
from torture.fault import Fault, Outcome, Round
from torture.promises import check_ends, check_facts, check_verified, check_views, facts_in, read_log
from torture.recorded import store_of
from torture.recording import Entry, Operation, missing, read_record, recording_environment
from torture.syncing import check_remote, copies_of, problems_of
from torture.workloads import CLOSE, FLUSH, in_child, raised_in, run_script

__all__ = ["FAULT", "Known", "check_left", "cut", "record"]

ROOT = "root"
STORES = ("home", "other")

CUTS = 12
REPOSITORY = Path(__file__).parents[1]
# Where most is under way at a cut.
TURNS = frozenset(Operation) - {Operation.STORE, Operation.NOTE}


def play(this: Round) -> Outcome:
    """Record a run of a second or so, cut the power at some moments of it, and check what is left."""
    outcome = Outcome()
    entries = record(this, outcome, this.random.choice((100, 300, 1000, 2000)))
    cut(this, outcome, entries, CUTS)
    return outcome


def cut(this: Round, outcome: Outcome, entries: list[Entry], count: int, first: int = 0) -> None:
    """Cut the power at so many random moments of a recorded run, and check what is left each time.

    Args:
        first: the operation, by its number, before which there is no cut.
    """
    moments = [place for place, entry in enumerate(entries) if entry.operation in TURNS and place >= first]
    if not outcome.check(len(moments) >= count, f"of the run only {len(moments)} operations were recorded"):
        return
    # Of what names a segment on the remote, or takes it away, all that has to be safe before is looked at.
    telling = [place for place in moments if _tells(entries[place - 1])]
    chosen = set(this.random.sample(telling, min(count // 2, len(telling))))
    chosen |= set(this.random.sample(sorted(set(moments) - chosen), count - len(chosen)))
    disk, done = Disk(this.folder / ROOT), 0
    known = Known(this.folder / "committed")
    for moment in sorted(chosen):
        for entry in entries[done:moment]:
            disk.apply(entry)
            known.note(entry, disk)
        done = moment
        left = this.folder / f"cut-{moment}"
        disk.write_left(left, this.random, entries[moment])
        outcome.faults += 1
        broken = len(outcome.broken)
        check_left(outcome, left, known)
        if len(outcome.broken) == broken:
            shutil.rmtree(left)
        else:
            outcome.broken[broken:] = [f"cut at {moment}: {line}" for line in outcome.broken[broken:]]


def _tells(entry: Entry) -> bool:
    """Whether a segment on the remote has just got its name, or lost it."""
    return entry.operation in (Operation.RENAME, Operation.UNLINK) and "/remote/stores/" in entry.paths[-1]


class Known:
    """What a run knew to be safe at a moment of it, and what else it had done."""

    def __init__(self, scratch: Path) -> None:
        # Calls that had returned, and those before a flush that had, by sort and writer.
        self.noted: Counter[tuple[str, str]] = Counter()
        self.flushed: Counter[tuple[str, str]] = Counter()
        # How far sessions were committed, by the name of the store's folder.
        self.committed: dict[str, dict[bytes, int]] = {name: {} for name in STORES}
        # The last batch of a store that a push had put on the remote.
        self.pushed: dict[bytes, int] = {}
        self._scratch = scratch

    def note(self, entry: Entry, disk: Disk) -> None:
        """Take in an operation that the disk has taken in."""
        if entry.operation is Operation.NOTE:
            path, text = entry.paths[0], entry.data.partition(b"\0")[2].decode()
            self._note_line(Path(path).name, text.split())
        elif entry.operation is Operation.WRITE_SYNCED:
            # LMDB's last write of a transaction: its meta page.
            for name in STORES:
                if disk.is_file(f"{name}/log/data.mdb", entry.file):
                    disk.write_seen(self._scratch, f"{name}/log/data.mdb")
                    self.committed[name] = _read_sessions(self._scratch)

    def _note_line(self, label: str, words: list[str]) -> None:
        match words:
            case ["pushed", store, number]:
                copy_of = bytes.fromhex(store)
                self.pushed[copy_of] = max(int(number), self.pushed.get(copy_of, -1))
            case [sort, _] if sort == FLUSH:
                self.flushed |= {fact: count for fact, count in self.noted.items() if fact[1] == label}
            case [sort, _] if sort != CLOSE:
                self.noted[sort, label] += 1


def check_left(outcome: Outcome, left: Path, known: Known) -> None:
    """Open what a cut left of two stores and a remote, and check what is promised of it."""
    heads = {}
    if known.pushed or (left / "remote" / "eventlog-remote").exists():
        heads = check_remote(outcome, left / "remote")
    for copy_of, number in known.pushed.items():
        there = heads[copy_of].number if copy_of in heads else -1
        outcome.check(
            there >= number, f"batch {number} of a store was pushed, and the remote ends at {there}"
        )
    for name in STORES:
        _check_store_left(outcome, left / name, name, known)
    if (left / "remote").exists():
        _check_meeting(outcome, left)


def _check_store_left(outcome: Outcome, home: Path, name: str, known: Known) -> None:
    committed = known.committed[name]
    flushed = {fact: count for fact, count in known.flushed.items() if store_of(fact[1]) == name}
    if not home.exists():
        outcome.check(not committed and not flushed, f"{name} is gone, with {len(committed)} sessions in it")
        outcome.lost += sum(committed.values())
        return
    try:
        with Store.open(home) as store:
            records = {record.session: record.next for record in store.sessions()}
            for session, count in committed.items():
                outcome.acknowledged += count
                lost = max(0, count - records.get(session, 0))
                outcome.lost += lost
                outcome.check(not lost, f"{name}: {lost} of {count} committed events of a session are lost")
            log = read_log(outcome, store)
            found = facts_in(store, log)
            check_facts(outcome, found, flushed, tail=False)
            for fact, numbers in found.items():
                # A writer may have one call more in the log than had returned.
                outcome.check(
                    len(numbers) <= known.noted[fact] + 1,
                    f"{name}: {fact} has events that were never appended",
                )
            check_ends(outcome, store, log)
            check_views(outcome, store)
    except EventlogError as error:
        outcome.check(False, f"{name} cannot be opened and read: {error!r}")
        outcome.lost += sum(committed.values())
    check_verified(outcome, home, f"{name}, once it was opened")


def _check_meeting(outcome: Outcome, left: Path) -> None:
    """Both go on: a script runs, they sync through the remote that is left, and then hold the same."""
    held = []
    status = in_child(left, run_script, left / STORES[0], left, "w-next")
    outcome.check(status == 0 and not raised_in(left), f"the next script fails: {status}, {raised_in(left)}")
    try:
        for name in (*STORES, *STORES):
            with Store.open(left / name) as store:
                result = synchronise(store, left / "remote")
                problems = problems_of(result)
                outcome.check(not problems, f"sync of {name} after the cut: {problems[:3]}")
                held.append(copies_of(store))
    except EventlogError as error:
        outcome.check(False, f"sync after the cut: {error!r}")
        return
    outcome.check(held[1] == held[2] == held[3], "the stores do not hold the same once they have met")
    check_remote(outcome, left / "remote")
    check_verified(outcome, left / STORES[0], f"{STORES[0]}, once they have met")


def record(this: Round, outcome: Outcome, calls: int) -> list[Entry]:
    """Record a run of two machines that work and sync, until about so many calls have returned."""
    random, folder = this.random, this.folder
    root, notes, file = folder / ROOT, folder / "notes", folder / "record"
    root.mkdir()
    notes.mkdir()
    environment = {**os.environ, **recording_environment(root, notes, file)}
    arguments = [str(root), str(notes), str(random.randrange(1 << 30)), str(calls)]
    command = [sys.executable, "-m", "torture.recorded", *arguments]
    subprocess.run(command, env=environment, cwd=REPOSITORY, check=True)
    outcome.check(not (raised := raised_in(notes)), f"raised into a script: {raised}")
    entries = list(read_record(file))
    file.unlink()
    return entries


def _read_sessions(folder: Path) -> dict[bytes, int]:
    """How far each session is committed, by LMDB's file alone."""
    with lmdb.open(str(folder), readonly=True, lock=False, max_dbs=8) as environment:
        try:
            sessions = environment.open_db(b"sessions", create=False)
        except lmdb.NotFoundError:
            return {}
        with environment.begin(db=sessions) as transaction, transaction.cursor() as cursor:
            return {bytes(key): msgspec.msgpack.decode(value)[1] for key, value in cursor}


FAULT = Fault("power cuts in recorded runs, writes lost, torn and reordered", "cuts", play, missing)
