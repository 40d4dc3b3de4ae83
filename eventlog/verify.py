"""Verify: is every byte of a store what was written?

Everything is read from the bytes up, as `docs/FORMAT.md` describes them, with code of its own: LMDB's pages
(`lmdb_pages`), batches (`check_batch`), chains and sessions (`check_chain`), journals (`check_journal`),
blobs (`check_blobs`) and absent lists (`check_absent`). What is found is named exactly, a line each. Nothing
is changed, and others may go on writing.

Of the views, which are folded from the log, only LMDB's structure is checked, on which a process could
crash. Not looked at are the bytes that nothing is kept in (free pages, the unused rest of a page or a chunk,
the size of LMDB's map), and `temporary`.
"""

import contextlib
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from eventlog.check_absent import read_absent
from eventlog.check_batch import BatchFacts, check_batch
from eventlog.check_blobs import check_blobs, list_blobs
from eventlog.check_chain import Chains
from eventlog.check_journal import JournalFacts, check_journals
from eventlog.check_report import Report
from eventlog.errors import DataCorrupt, NotFound, StoreInvalid, StoreNewer, in_one_line
from eventlog.held_transaction import HeldTransaction
from eventlog.kept_heads import KeptHeads
from eventlog.lmdb_pages import Snapshot, SnapshotGone

__all__ = ["verify"]

DATA = "log/data.mdb"
VIEWS = "views/data.mdb"
FORMAT = b"1"
# All that lies in a store before its first transaction.
BEFORE_FIRST = {DATA, "log/lock.mdb", "config.toml"}
DATABASES = ("batches", "heads", "meta", "sessions")
# Of the keys of batches: the id of the store, then the number.
KEY_SIZE, STORE_SIZE = 24, 16
META_SIZES = {b"format": 1, b"store": 16, b"created": 8, b"check": 32}
MAX_VALUE = 2 * (32 << 20) + 4096
# Batches read ahead of those that have been checked.
READ_AHEAD_BYTES = 64 << 20
READ_AHEAD_BATCHES = 256
WORKERS = min(8, os.cpu_count() or 1)


def verify(
    home: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    against: KeptHeads | None = None,
    quick: bool = False,
    jobs: int | None = None,
) -> Report:
    """Check every byte of the store at a folder.

    Args:
        home: the store's folder.
        progress: gets the bytes done so far, and about how many there are.
        against: heads kept elsewhere, which the log should extend.
        quick: do not read the blobs; that they are there is checked.
        jobs: how many batches, or blobs, to check at once; by default as many as there are processors, to 8.

    Raises:
        NotFound: there is nothing.
        StoreInvalid: there is something else.
        StoreNewer: a newer version of eventlog wrote it.
    """
    _refuse_foreign(home)
    blobs, foreign_blobs = list_blobs(home / "blobs")
    read = {} if quick else blobs
    meter = _Meter(progress, (home / DATA).stat().st_size + sum(read.values()))
    # Journals before the log: what a living session commits meanwhile is then in one or the other.
    journals, foreign_journals = check_journals(home)
    log = _check_log(home, meter, against, jobs or WORKERS)
    blob_problems = check_blobs(home / "blobs", read, meter.add, jobs or WORKERS)

    report = Report(log.problems, notes=list(log.chains.notes))
    report.problems += foreign_journals
    named = dict(log.chains.blobs)
    for journal in journals:
        _check_against_log(journal, log)
        report.problems += journal.problems
        named |= dict.fromkeys(journal.blobs - named.keys(), journal.name)
    report.problems += foreign_blobs + blob_problems + _check_views(home)
    absent, absent_problems = read_absent(home / "absent")
    report.problems += absent_problems
    missing = [
        digest
        for digest in sorted(named)
        if digest not in blobs and not (home / "blobs" / digest[:2] / digest).is_file()
    ]
    report.problems += [
        f"blobs/{digest[:2]}/{digest}, which {named[digest]} names, is missing"
        for digest in missing
        if digest not in absent
    ]
    report.absent = sum(digest in absent for digest in missing)
    report.count(log.chains)
    report.journals = len(journals)
    report.blobs = len(blobs)
    # Names of files are in it, which may hold anything.
    report.problems = list(map(in_one_line, report.problems))
    return report


@dataclass(slots=True)
class _Log:
    """The log's chains, and the entries of its three small databases by key."""

    chains: Chains
    databases: list[str] = field(default_factory=list)
    heads: dict[bytes, bytes] = field(default_factory=dict)
    meta: dict[bytes, bytes] = field(default_factory=dict)
    sessions: dict[bytes, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class _Meter:
    """Adds up the bytes done, from any thread."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(self._done, max(self._done, self._total))


def _refuse_foreign(home: Path) -> None:
    if (home / DATA).is_file() and (home / DATA).stat().st_size:
        return
    if not home.exists() or (home.is_dir() and _is_bare(home)):
        raise _no_store(home)
    if not (home / DATA).is_file():
        raise StoreInvalid(f"{home} does not hold a store of eventlog: it has no {DATA}")


def _is_bare(home: Path) -> bool:
    """Whether no more is there than a process leaves that was killed while it made a store."""
    return all(path.is_dir() or path.relative_to(home).as_posix() in BEFORE_FIRST for path in home.rglob("*"))


def _no_store(home: Path) -> NotFound:
    return NotFound(f"no store at {home}: set EVENTLOG_HOME, or run a script that makes one")


# The log.


def _check_log(home: Path, meter: _Meter, against: KeptHeads | None, jobs: int) -> _Log:
    path = home / DATA
    for _ in range(10):
        log = _Log(Chains("log: ", against))
        try:
            with _snapshot(path, DATA, log.problems) as (snapshot, held):
                _read_log(snapshot, log, meter, jobs)
                log.problems[:0] = snapshot.problems
                if held or not log.problems:
                    break
            with Snapshot(path, DATA) as now:
                if now.transaction == snapshot.transaction:
                    break
        except DataCorrupt as error:
            log.problems.append(str(error))
            return log
    if not (log.problems or log.meta or log.chains.batches):
        if not set(log.databases) <= set(DATABASES):
            raise StoreInvalid(f"{home} does not hold a store of eventlog: its log is of something else")
        if _is_bare(home):
            raise _no_store(home)
        raise StoreInvalid(f"{home} does not hold a store of eventlog: its log is empty")
    kind = log.meta.get(b"format", FORMAT)
    if kind != FORMAT and kind.isdigit() and not log.problems:
        raise StoreNewer(f"the store at {home} has format {kind.decode()}: upgrade eventlog to verify it")
    _check_records(log)
    return log


@contextlib.contextmanager
def _snapshot(path: Path, name: str, problems: list[str]) -> Iterator[tuple[Snapshot, bool]]:
    """A snapshot to read, and whether it is held while it is read.

    LMDB is only asked to hold one where its meta pages are sound, and where there is the right to write in
    the folder, as its lock needs.
    """
    with contextlib.ExitStack() as stack:
        newest = stack.enter_context(Snapshot(path, name, max_value=MAX_VALUE))
        snapshot: Snapshot | None = None
        if not newest.problems and os.access(path.parent, os.W_OK):
            try:
                held = stack.enter_context(HeldTransaction(path.parent))
                snapshot = stack.enter_context(_held_snapshot(path, name, held))
            except StoreInvalid as error:
                problems.append(f"{name.partition('/')[0]}: {error}")
        yield snapshot or newest, snapshot is not None


def _held_snapshot(path: Path, name: str, held: HeldTransaction) -> Snapshot:
    for _ in range(1000):
        try:
            return Snapshot(path, name, transaction=held.number, max_value=MAX_VALUE)
        except SnapshotGone:
            held.renew()
    raise StoreInvalid(f"{path} does not keep still, or has no transaction {held.number}")


def _read_log(snapshot: Snapshot, log: _Log, meter: _Meter, jobs: int) -> None:
    small = {"heads": log.heads, "meta": log.meta, "sessions": log.sessions}
    waiting: deque[tuple[bytes, int, int, Future[BatchFacts]]] = deque()
    read_ahead = 0
    with ThreadPoolExecutor(jobs, "eventlog-verify") as pool:
        for database, key, value, page in snapshot.entries():
            meter.add(len(value))
            if database != "batches":
                small.get(database, {})[key] = value
                continue
            waiting.append((key, page, len(value), pool.submit(check_batch, value)))
            read_ahead += len(value)
            while read_ahead > READ_AHEAD_BYTES or len(waiting) > READ_AHEAD_BATCHES:
                read_ahead -= waiting[0][2]
                _take_first(waiting, log.chains)
        while waiting:
            _take_first(waiting, log.chains)
    log.databases = sorted(snapshot.databases)


def _take_first(waiting: deque[tuple[bytes, int, int, Future[BatchFacts]]], chains: Chains) -> None:
    key, page, _, facts = waiting.popleft()
    if len(key) == KEY_SIZE:
        number = int.from_bytes(key[STORE_SIZE:], "big")
        chains.add(key[:STORE_SIZE], number, facts.result(), f"(page {page})")
    else:
        chains.problems.append(
            f"log: the key {key.hex()} of a batch (page {page}) is not a store and a number"
        )


def _check_records(log: _Log) -> None:
    log.chains.check_heads(log.heads)
    log.chains.check_sessions(log.sessions)
    log.chains.check_against()
    log.problems += log.chains.problems
    if log.databases != sorted(DATABASES):
        log.problems.append(f"log: its databases are {', '.join(log.databases)}, not {', '.join(DATABASES)}")
    for key in sorted(META_SIZES.keys() | log.meta.keys()):
        name = key.decode("ascii", "backslashreplace")
        value = log.meta.get(key)
        if key not in META_SIZES:
            log.problems.append(f"log: meta has an entry '{name}', which it never has")
        elif value is None:
            log.problems.append(f"log: meta has lost its entry '{name}'")
        elif len(value) != META_SIZES[key] or (key == b"format" and value != FORMAT):
            log.problems.append(f"log: meta says {value!r} for '{name}', which cannot be")
    content = b"".join(log.meta.get(key, b"") for key in (b"format", b"store", b"created"))
    if log.meta.get(b"check") != hashlib.sha256(content).digest():
        log.problems.append("log: meta does not have the hash that its entry 'check' says")


def _check_against_log(journal: JournalFacts, log: _Log) -> None:
    own = log.meta.get(b"store")
    # One that was begun before the store got a new id has the old one.
    if own is not None and journal.store not in (None, own) and journal.store not in log.heads:
        journal.problems.append(f"{journal.name} belongs to another store, {(journal.store or b'').hex()}")
    # Where the log is damaged, it is not known how far the session had got.
    if not log.problems:
        journal.check_position(*log.chains.position(journal.session))


# The views.


def _check_views(home: Path) -> list[str]:
    """What is wrong with the pages of the views; at most one line, as one thing mends it all."""
    path = home / VIEWS
    problems: list[str] = []
    for _ in range(10):
        problems = []
        try:
            status = path.stat()
            if not status.st_size:
                return []
            with _snapshot(path, VIEWS, problems) as (snapshot, held):
                snapshot.check_structure()
                problems += snapshot.problems
            with Snapshot(path, VIEWS) as now:
                moved = not held and now.transaction != snapshot.transaction
            # They are expendable, and so may have been thrown away meanwhile.
            if not problems or not (moved or not os.path.samestat(status, path.stat())):
                break
        except FileNotFoundError:
            return []
        except OSError as error:
            problems.append(f"{VIEWS} cannot be read: {error.strerror}")
            break
        except DataCorrupt as error:
            problems.append(str(error))
            break
    if not problems:
        return []
    more = f" (and {len(problems) - 1} problems more)" if problems[1:] else ""
    return [f"{problems[0]}{more}: run `eventlog rebuild`"]
