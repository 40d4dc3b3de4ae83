"""A fork resolved: the batches that one copy of a store committed by itself become those of another store.

Two copies of a store went on from the same batch, each by itself. The batches that one of them committed
since are taken out of the chain that both share, and chained anew, under an id that is derived from the first
of them. So whoever holds that side gets the same new store from it, byte for byte. Where several copies went
on, batches that some of them share are one store's, and each goes on from there as one of its own.

No event is changed: batches keep their frames, and get new headers. Sessions get ids that are derived
likewise, since the process whose session it was may have gone on in both copies, as in a copy of a running
machine. Of one that began before the two parted, the new one begins with a copy of its `SessionStarted`.
"""

import copy
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from eventlog.batch import FIRST_PREVIOUS, Batch, encode_batch, moved_batch
from eventlog.errors import DataCorrupt, InputInvalid, StoreForked
from eventlog.events import SessionStarted, encode_event
from eventlog.founding import put_identity
from eventlog.recovery import at_rest
from eventlog.session_record import SessionRecord
from eventlog.store import Head, Store, batch_key, encode_head, get_head

__all__ = ["Destination", "Parted", "derived_store", "part", "session_start", "start_in"]


class Parted(NamedTuple):
    """What came of a part of a store.

    Attributes:
        store: the id that the last of its batches have now.
        batches: how many they were, in the old chain.
    """

    store: bytes
    batches: int


def part(store: Store, copy_of: bytes, common: int, *, create: bool = True) -> Parted:
    """Chain the batches of a store after a certain one anew, as those of another store.

    If it is this machine's own store, the new id is this machine's from now on. It is one transaction.

    Args:
        copy_of: id of the store.
        common: number of the last batch that stays in its chain; -1 for none.
        create: the batches may become a store that is not here yet.

    Raises:
        InputInvalid: there is no batch after that one.
        StoreForked: processes are writing to the store; or what the batches become is not all here.
        DataCorrupt: the batches here are damaged. Nothing was changed.
        StoreFull, StoreReadOnly: there is no room, or no right. Nothing was changed.
    """
    if copy_of == store.id:
        store.session.close()
    with at_rest(store.home) as alive:
        if copy_of == store.id and alive:
            raise StoreForked(
                f"the store at {store.home} cannot get a new id while {len(alive)} of its sessions are"
                " running: wait for them, or stop them, and try again"
            )
        head = store.heads().get(copy_of)
        if head is None or not -1 <= common < head.number:
            last = "none" if head is None else f"batch {head.number}"
            raise InputInvalid(f"store {copy_of.hex()} has no batch after {common}: its last here is {last}")
        is_own = copy_of == store.id
        parted = store.environment.write(_Parting(store, copy_of, common, head, create=create).move)
        if is_own:
            store.id = parted.store
        return parted


def derived_store(digest: bytes) -> bytes:
    """The id of the store that a side of a fork becomes, from the hash of that side's first batch."""
    return _derived(b"store", digest)


def session_start(store: Store, copy_of: bytes, session: bytes) -> SessionStarted:
    """How a session of a store began, as far as it is known here."""
    for batch in store.batches(copy_of):
        if batch.session == session and batch.first == 0:
            return start_in(batch)
    return SessionStarted(0, "", "", "", 0)


def start_in(batch: Batch) -> SessionStarted:
    """How a session began, from its first batch."""
    started = batch.events()[0].event
    return started if isinstance(started, SessionStarted) else SessionStarted(0, "", "", "", 0)


class Destination:
    """Where the batches of one side of a fork go: followed batch by batch, from the first that differs.

    Args:
        find: the bytes of a batch that is here, by its store and number, or None.
        start_of: how a session began.
        create: what is not here yet is made.

    Attributes:
        store: id of the store that the last batch went to.
        head: that store's last batch so far.
        is_new: it was not here.
        start_of: how a session began.
    """

    store: bytes
    head: Head
    is_new: bool

    def __init__(
        self,
        find: Callable[[bytes, int], bytes | None],
        start_of: Callable[[bytes], SessionStarted],
        *,
        create: bool,
    ) -> None:
        self._find = find
        self.start_of = start_of
        self._create = create
        self._chain: Rechaining | None = None

    def __repr__(self) -> str:
        return f"<Destination {self._chain}>"

    def copy(self) -> "Destination":
        """Another, for a side that shares the batches so far."""
        other = copy.copy(self)
        other._chain = copy.copy(self._chain)
        return other

    def take(self, batch: Batch) -> list[Batch] | None:
        """The batches that one becomes and that are not here yet; None if it has no place to go to."""
        if self._chain is not None:
            new = list(self._chain.take(batch))
            self.head = self._chain.head
            if self.is_new:
                return new
            if self._are_here(new):
                return []
        # It begins a store, or parts from the one that those before it went to.
        self._chain = Rechaining(batch, self.start_of)
        self.store = self._chain.store
        self.is_new = self._find(self.store, 0) is None
        new = list(self._chain.take(batch))
        self.head = self._chain.head
        if self.is_new:
            return new if self._create else None
        return [] if self._are_here(new) else None

    def _are_here(self, batches: list[Batch]) -> bool:
        return all(self._find(one.store, one.number) == one.data for one in batches)


class Rechaining:
    """Batches of one side of a fork, from the first that is its alone, as those of the store they become.

    Args:
        first: that first batch.
        start_of: how a session began that had begun before.

    Attributes:
        store: the new id.
        head: the last batch of the new chain so far.
    """

    def __init__(self, first: Batch, start_of: Callable[[bytes], SessionStarted]) -> None:
        self.store = derived_store(first.hash)
        self.head = Head(-1, FIRST_PREVIOUS)
        self._start_of = start_of
        # By how much the events of each session have moved, by its old id. Replaced, so that copies differ.
        self._moved: dict[bytes, int] = {}

    def __repr__(self) -> str:
        return f"<Rechaining as store {self.store.hex()[:8]}: {self.head.number + 1} batches>"

    def take(self, batch: Batch) -> Iterator[Batch]:
        """The batch that one becomes, behind the one that begins its session where that is needed."""
        session = _derived(b"session", self.store + batch.session)
        if batch.session not in self._moved:
            self._moved = {**self._moved, batch.session: max(0, batch.first - 1)}
            if batch.first:
                yield self._chained(self._beginning(batch, session))
        yield self._chained(
            moved_batch(
                batch,
                store=self.store,
                number=self.head.number + 1,
                previous=self.head.hash,
                session=session,
                first=batch.first - self._moved[batch.session],
            )
        )

    def _beginning(self, batch: Batch, session: bytes) -> Batch:
        of_old = self._start_of(batch.session)
        started = SessionStarted(batch.first_time, *[getattr(of_old, name) for name in _START_FIELDS])
        return Batch.read(
            encode_batch(
                store=self.store,
                number=self.head.number + 1,
                previous=self.head.hash,
                session=session,
                first=0,
                events=[encode_event(started)],
                states=[0],
                first_time=batch.first_time,
                last_time=batch.first_time,
            )
        )

    def _chained(self, batch: Batch) -> Batch:
        self.head = Head(batch.number, batch.hash)
        return batch


_START_FIELDS = SessionStarted.__struct_fields__[1:]


def _derived(what: bytes, source: bytes) -> bytes:
    return hashlib.sha256(b"eventlog fork: " + what + b"\n" + source).digest()[:16]


class _Parting:
    """The transaction in which the batches of a store after a certain one become another store's."""

    def __init__(self, store: Store, copy_of: bytes, common: int, head: Head, *, create: bool) -> None:
        self._store = store
        self._copy_of = copy_of
        self._common = common
        self._head = head
        self._create = create
        self._records, self._starts = self._before()

    def move(self, transaction: Any) -> Parted:
        """Move them; run again, whole, when the map had to grow."""
        environment = self._store.environment
        heads, batches, sessions = environment["heads"], environment["batches"], environment["sessions"]
        if get_head(transaction, heads, self._copy_of) != self._head:
            raise StoreForked(f"store {self._copy_of.hex()} has grown meanwhile: try again")

        def find(store: bytes, number: int) -> bytes | None:
            data: bytes | None = transaction.get(batch_key(store, number), db=batches)
            return data

        reached = common = self._last_common(transaction)
        destination = Destination(find, self._start_of, create=self._create)
        records: dict[bytes, SessionRecord] = {}
        for number in range(self._common + 1, self._head.number + 1):
            batch = self._get(transaction, number)
            if batch.previous != reached.hash:
                raise self._broken(number)
            reached = Head(number, batch.hash)
            new = destination.take(batch)
            if new is None:
                raise StoreForked(
                    f"store {self._copy_of.hex()} has two histories, and what is here from batch {number} on"
                    " is another machine's: run `eventlog fork` there, and then here; or here with --store,"
                    " if that one is no more"
                )
            for one in new:
                self._add(transaction, one, records)
            if new:
                transaction.put(destination.store, encode_head(destination.head), db=heads)
            transaction.delete(batch_key(self._copy_of, number), db=batches)
            transaction.delete(batch.session, db=sessions)
        if reached != self._head:
            raise self._broken(self._head.number)
        if self._common < 0:
            transaction.delete(self._copy_of, db=heads)
        else:
            transaction.put(self._copy_of, encode_head(common), db=heads)
        for record in [*self._records.values(), *records.values()]:
            transaction.put(record.session, record.encode(), db=sessions)
        identity = destination.store
        if self._copy_of == self._store.id:
            # A store that was here already is another machine's.
            identity = identity if destination.is_new else os.urandom(16)
            put_identity(transaction, environment["meta"], identity)
        return Parted(identity, self._head.number - self._common)

    def _start_of(self, session: bytes) -> SessionStarted:
        if session not in self._starts:
            self._starts[session] = SessionStarted(0, "", "", "", 0)
        return self._starts[session]

    def _add(self, transaction: Any, batch: Batch, records: dict[bytes, SessionRecord]) -> None:
        environment = self._store.environment
        key = batch_key(batch.store, batch.number)
        transaction.put(key, batch.data, db=environment["batches"])
        record = records.get(batch.session)
        if record is None:
            value = transaction.get(batch.session, db=environment["sessions"])
            record = (
                SessionRecord(batch.store, session=batch.session)
                if value is None
                else SessionRecord.read(batch.session, value)
            )
            records[batch.session] = record
        record.advance(batch.end, batch.last_time, batch.checked_states())

    def _before(self) -> tuple[dict[bytes, SessionRecord], dict[bytes, SessionStarted]]:
        """How far the sessions on both sides had got; and how all of the batches that move began."""
        begun: set[bytes] = set()
        divided: set[bytes] = set()
        starts: dict[bytes, SessionStarted] = {}
        for batch in self._store.batches(self._copy_of, self._common + 1):
            if batch.first == 0:
                begun.add(batch.session)
                starts[batch.session] = start_in(batch)
            elif batch.session not in begun:
                divided.add(batch.session)
        records = {session: SessionRecord(self._copy_of, session=session) for session in divided}
        if divided:
            for batch in self._store.batches(self._copy_of, 0, self._common):
                if batch.session in divided:
                    records[batch.session].advance(batch.end, batch.last_time, batch.checked_states())
                    if batch.first == 0:
                        starts[batch.session] = start_in(batch)
        return records, starts

    def _last_common(self, transaction: Any) -> Head:
        if self._common < 0:
            return Head(-1, FIRST_PREVIOUS)
        return Head(self._common, self._get(transaction, self._common).hash)

    def _get(self, transaction: Any, number: int) -> Batch:
        data = transaction.get(batch_key(self._copy_of, number), db=self._store.environment["batches"])
        if data is None:
            raise self._broken(number)
        return Batch.read(data)

    def _broken(self, number: int) -> DataCorrupt:
        return DataCorrupt(
            f"the chain of store {self._copy_of.hex()} breaks at batch {number} in {self._store.home}: run"
            " `eventlog verify`"
        )
