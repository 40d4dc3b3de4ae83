"""The store: the log of one machine.

It holds the batches of this store and of every other that was pulled into it, in one LMDB environment.
`Store.commit` adds to its own chain, `Store.admit` lets in what another store committed; both keep, in
the same transaction, how far each session has got, which is what makes every event be there exactly
once. Batches are never changed or removed.
"""

import atexit
import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from eventlog.batch import FIRST_PREVIOUS, Batch, PackedEvents, chain_batch
from eventlog.blobs import Blobs
from eventlog.configuration import Configuration, home_folder
from eventlog.environment import Environment
from eventlog.errors import (
    DataCorrupt,
    NotFound,
    StoreForked,
    StoreInvalid,
    StoreNewer,
    StoreReadOnly,
)
from eventlog.events import Event
from eventlog.founding import FORMAT, found, make_log, sync_names
from eventlog.home import is_there, make_home, refuse_orphans
from eventlog.partial_file import sweep_temporary
from eventlog.recovery import live_sessions, recover
from eventlog.session import Session
from eventlog.session_record import SessionRecord, changes_of

__all__ = [
    "Head",
    "SessionRecord",
    "Store",
    "at_last",
    "batch_key",
    "encode_head",
    "get_head",
]

DATABASES: dict[str, dict[str, Any]] = {"meta": {}, "batches": {}, "heads": {}, "sessions": {}}
# Batches read in one transaction, so that no snapshot is held while the caller works on them.
READ_BYTES = 8 << 20


class Head(NamedTuple):
    """A store's last batch."""

    number: int
    hash: bytes


class Store:
    """The log of one machine, open in this process; get it from `Store.open`.

    Attributes:
        home: its folder.
        id: 16 random bytes that name it everywhere.
        configuration: the settings in force.
        blobs: the bytes of artifacts.
        session: this process's run of appends, begun at its first event.
        read_only: it was opened for reading alone.
    """

    def __init__(self, home: Path, *, create: bool, read_only: bool) -> None:
        self.home = home
        self.read_only = read_only
        self.configuration = Configuration.load(home)
        if not is_there(home):
            if not create or read_only:
                raise NotFound(f"no store at {home}: set EVENTLOG_HOME, or run a script that makes one")
            make_home(home)
            make_log(home, DATABASES)
        self.environment = Environment(home / "log", DATABASES, read_only=read_only)
        try:
            self.id = self._identify()
            self.blobs = Blobs(home)
        except BaseException:
            self.environment.close()
            raise
        self.session = Session(self)
        self._opened = 0

    def __repr__(self) -> str:
        return f"<Store {self.id.hex()[:8]} at {self.home}>"

    @classmethod
    def open(cls, home: Path | None = None, *, create: bool = True, read_only: bool = False) -> "Store":
        """Open the store at `home`, and commit what dead sessions left in their journals.

        One object is shared by all who open the same folder in a process; each closes it once.

        Args:
            home: the store's folder; by default ``EVENTLOG_HOME``, or ``~/.eventlog``.
            create: make a store where there is none.
            read_only: open it without changing anything, as on a file system that cannot be written.

        Raises:
            NotFound: there is none, and `create` is off.
            StoreInvalid: the folder holds something else, or its files are damaged.
            StoreNewer: it was written by a newer version of eventlog.
            StoreReadOnly, StoreFull: there is no right, or no room, to open it.
        """
        path = Path(home or home_folder()).expanduser().absolute()
        path = Path(os.path.realpath(path))
        with _opening:
            store = _open_stores.get(path)
            if store is None:
                store = cls(path, create=create, read_only=read_only)
                try:
                    if not read_only:
                        sweep_temporary(path)
                        recover(store)
                except BaseException:
                    store.environment.close()
                    raise
                _open_stores[path] = store
            elif store.read_only and not read_only:
                raise StoreReadOnly(f"this process has the store at {path} open read-only: close it first")
            store._opened += 1
            return store

    def close(self) -> None:
        """Let go of it; the last to do so ends this process's session and closes the files."""
        with _opening:
            self._opened -= 1
            if self._opened > 0 or _open_stores.get(self.home) is not self:
                return
            self.session.close()
            del _open_stores[self.home]
            self.environment.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def flush(self) -> None:
        """Commit what this process has appended, to disk.

        Raises:
            StoreFull, StoreReadOnly: it cannot be committed now; it is kept and tried again.
        """
        self.session.flush()

    def heads(self) -> dict[bytes, Head]:
        """The last batch of every store whose batches are here, by store id."""
        with self.environment.read() as transaction:
            with transaction.cursor(self.environment["heads"]) as cursor:
                return {bytes(store): _read_head(value) for store, value in cursor}

    def batches(self, store: bytes, first: int = 0, last: int | None = None) -> Iterator[Batch]:
        """The batches `first` to `last` of a store, in order, as they lie here: hashes are not checked.

        Raises:
            DataCorrupt: bytes are not a batch, or one is missing.
        """
        while last is None or first <= last:
            read = self._read_batches(store, first, last)
            if not read:
                return
            yield from read
            first += len(read)

    def sessions(self) -> list[SessionRecord]:
        """Every session known here, this store's and others', in the order of their ids."""
        with self.environment.read() as transaction:
            with transaction.cursor(self.environment["sessions"]) as cursor:
                return [SessionRecord.read(key, value) for key, value in cursor]

    def live_sessions(self) -> set[bytes]:
        """The sessions of this store whose processes are alive on this machine."""
        return live_sessions(self.home, read_only=self.read_only)

    def commit(self, session: bytes, runs: Sequence[tuple[PackedEvents, list[Event]]]) -> None:
        """Append runs of a session's events to this store's chain, in one synced transaction.

        Args:
            session: id of the session.
            runs: packed events, each continuing the one before, and the state events among them. A run
                that is committed already is passed over.

        Raises:
            StoreFull, StoreReadOnly: nothing was committed.
            DataCorrupt: a run does not continue what the session has committed.
        """

        def work(transaction: Any) -> None:
            # It may have got a new one since it was opened.
            self.id = bytes(transaction.get(b"store", db=self.environment["meta"]))
            head = get_head(transaction, self.environment["heads"], self.id)
            record = self._get_session(transaction, session) or SessionRecord(self.id, session=session)
            for packed, states in runs:
                end = packed.first + packed.states + packed.reports
                if end <= record.next:
                    continue
                if packed.first != record.next:
                    raise DataCorrupt(
                        f"session {session.hex()} goes on at event {packed.first}, not {record.next}"
                    )
                number, previous = (head.number + 1, head.hash) if head else (0, FIRST_PREVIOUS)
                batch = Batch.read(chain_batch(self.id, number, previous, session, packed))
                head = self._put(transaction, batch)
                record.advance(end, packed.last_time, states)
            self._put_session(transaction, record)

        self.environment.write(work)

    def admit(self, batches: Iterable[Batch]) -> int:
        """Let in batches that another store committed (or this one, before it was restored from a copy).

        Args:
            batches: of any stores, each store's in order.

        Returns:
            How many were not here before.

        Raises:
            DataCorrupt: a batch does not continue its store's chain, or its session. Nothing was let in.
            StoreForked: a batch differs from the one of the same number here. Nothing was let in.
            StoreFull, StoreReadOnly: nothing was let in.
        """
        # Decoded before the transaction, which keeps every other writer waiting; what is not asked for again
        # is let go of, batch by batch.
        arrived = [(batch, changes_of(batch.checked_states())) for batch in batches]

        def work(transaction: Any) -> int:
            admitted = 0
            for batch, states in arrived:
                head = get_head(transaction, self.environment["heads"], batch.store)
                if head and batch.number <= head.number:
                    key = batch_key(batch.store, batch.number)
                    if transaction.get(key, db=self.environment["batches"]) != batch.data:
                        raise StoreForked(
                            f"store {batch.store.hex()} has two histories from batch {batch.number} on:"
                            " a copy of it went on by itself; run `eventlog fork` on one of the two"
                        )
                    continue
                number, previous = (head.number + 1, head.hash) if head else (0, FIRST_PREVIOUS)
                if batch.number != number or batch.previous != previous:
                    raise DataCorrupt(
                        f"batch {batch.number} of store {batch.store.hex()} does not continue the chain"
                        f" that is here up to batch {number - 1}"
                    )
                record = self._get_session(transaction, batch.session) or SessionRecord(
                    batch.store, session=batch.session
                )
                if batch.first != record.next or batch.store != record.store:
                    raise DataCorrupt(
                        f"batch {batch.number} of store {batch.store.hex()} does not continue session"
                        f" {batch.session.hex()} at event {record.next}"
                    )
                self._put(transaction, batch)
                record.advance(batch.end, batch.last_time, states)
                self._put_session(transaction, record)
                admitted += 1
            return admitted

        return self.environment.write(work)

    def last_time(self) -> int:
        """The time of the last event committed here, in milliseconds since 1970-01-01 UTC, or 0."""
        with self.environment.read() as transaction:
            head = get_head(transaction, self.environment["heads"], self.id)
            if head is None:
                return 0
            data = transaction.get(batch_key(self.id, head.number), db=self.environment["batches"])
        return 0 if data is None else Batch.read(data).last_time

    def record_of(self, session: bytes) -> SessionRecord | None:
        """How far a session has got, or None if nothing of it is committed."""
        with self.environment.read() as transaction:
            return self._get_session(transaction, session)

    def _identify(self) -> bytes:
        with self.environment.read() as transaction:
            meta = self.environment["meta"]
            kind, identity = transaction.get(b"format", db=meta), transaction.get(b"store", db=meta)
            is_empty = not transaction.stat(self.environment["heads"])["entries"]
        if is_empty and not self.read_only:
            # Before anything is committed, whoever made the files.
            sync_names(self.home)
        if kind is None and not self.read_only:
            return self.environment.write(self._found)
        if kind != FORMAT:
            if kind is not None and kind.isdigit():
                raise StoreNewer(
                    f"the store at {self.home} has format {kind.decode()}, this eventlog reads"
                    f" {FORMAT.decode()}: upgrade eventlog"
                )
            raise StoreInvalid(f"{self.home} does not hold a store of eventlog: set EVENTLOG_HOME to one")
        if identity is None or len(identity) != 16:
            raise StoreInvalid(f"the store at {self.home} has lost its id: run `eventlog verify`")
        return bytes(identity)

    def _found(self, transaction: Any) -> bytes:
        """Make an environment a store that an older version left half made."""
        meta = self.environment["meta"]
        if transaction.get(b"store", db=meta) is None:
            refuse_orphans(self.home)
            found(transaction, meta)
        return bytes(transaction.get(b"store", db=meta))

    def _read_batches(self, store: bytes, first: int, last: int | None) -> list[Batch]:
        read: list[Batch] = []
        size = 0
        with self.environment.read() as transaction:
            head = get_head(transaction, self.environment["heads"], store)
            if head is None:
                return read
            end = head.number if last is None else min(last, head.number)
            for number in range(first, end + 1):
                data = transaction.get(batch_key(store, number), db=self.environment["batches"])
                if data is None:
                    raise DataCorrupt(f"batch {number} of store {store.hex()} is missing in {self.home}")
                read.append(Batch.read(data))
                size += len(data)
                if size > READ_BYTES:
                    break
        return read

    def _put(self, transaction: Any, batch: Batch) -> Head:
        head = Head(batch.number, batch.hash)
        if not transaction.put(
            batch_key(batch.store, batch.number), batch.data, db=self.environment["batches"], overwrite=False
        ):
            raise DataCorrupt(
                f"batch {batch.number} of store {batch.store.hex()} is in {self.home} beyond its head:"
                " run `eventlog verify`"
            )
        transaction.put(batch.store, encode_head(head), db=self.environment["heads"])
        return head

    def _get_session(self, transaction: Any, session: bytes) -> SessionRecord | None:
        value = transaction.get(session, db=self.environment["sessions"])
        return None if value is None else SessionRecord.read(session, value)

    def _put_session(self, transaction: Any, record: SessionRecord) -> None:
        transaction.put(record.session, record.encode(), db=self.environment["sessions"])


_opening = threading.RLock()
_open_stores: dict[Path, Store] = {}


_at_last: list[Callable[[], object]] = []


def at_last(call: Callable[[], object]) -> None:
    """Call this when the interpreter exits, once all sessions of it have ended; the latest first."""
    _at_last.append(call)


def _close_all() -> None:
    try:
        for store in list(_open_stores.values()):
            store.session.close()
    finally:
        for call in reversed(_at_last):
            call()


def _after_fork() -> None:
    global _opening
    _opening = threading.RLock()
    for store in _open_stores.values():
        store.session.restart_after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)


def batch_key(store: bytes, number: int) -> bytes:
    """What a batch lies under."""
    return store + struct.pack(">Q", number)


def get_head(transaction: Any, heads: Any, store: bytes) -> Head | None:
    """A store's last batch, as a transaction sees it; None where there is none."""
    value = transaction.get(store, db=heads)
    return None if value is None else _read_head(value)


def encode_head(head: Head) -> bytes:
    """What is kept of a head."""
    return struct.pack(">Q32s", head.number, head.hash)


def _read_head(value: bytes) -> Head:
    try:
        number, digest = struct.unpack(">Q32s", value)
    except struct.error:
        raise DataCorrupt("a store's head cannot be read: run `eventlog verify`") from None
    return Head(number, digest)
