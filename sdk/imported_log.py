"""A log made from what another program recorded: a chain of batches of its own, let in like a pulled one.

What is imported has times of its own, long past, which a living session must not have: its times only grow.
So it becomes a session in a store that never was, whose id is derived from what is imported. Two machines
that import the same thing make the same batches, byte for byte, and hold them once when they meet; an import
that is cut off goes on where it stopped.

When the same thing is imported again and has grown, what earlier imports of it brought is left out: a report
that is the same in all its fields, its time too; a fact about the task that is the same but for its time.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator

import msgspec
import zstandard

from eventlog import __version__
from eventlog.batch import FIRST_PREVIOUS, Batch, chain_batch
from eventlog.committer import pack_run
from eventlog.errors import DataCorrupt, StoreNewer
from eventlog.events import Event, SessionEnded, SessionStarted, encode_event
from eventlog.session import MAX_EVENT_SIZE
from eventlog.store import Store

__all__ = ["ImportedLog"]

_PROGRAM = "eventlog import"
_BATCH_EVENTS = 20_000
_BATCH_BYTES = 8 << 20


class ImportedLog:
    """The log of one import, being written.

    Args:
        store: where it is let in.
        source: what names the thing that is imported, the same at every import of it.
        fingerprint: differs when the thing does, or what is made of it.

    Attributes:
        added: events let in that were not here before, without those about the session itself.
    """

    def __init__(self, store: Store, source: str, fingerprint: bytes) -> None:
        self.added = 0
        self._store = store
        self._source = source
        earlier = _imports_of(store, source)
        self._id, known = _choose_id(fingerprint, source, earlier)
        self._session = hashlib.sha256(b"session" + self._id).digest()[:16]
        self._known, self._floor = _contents(store, known)
        head = store.heads().get(self._id)
        self._there = -1 if head is None else head.number
        self._previous = FIRST_PREVIOUS if head is None else head.hash
        self._number = 0
        self._first = 0
        self._time = 0
        self._payloads: list[bytes] = []
        self._places: list[int] = []
        self._bytes = 0
        self._late: list[Event] = []

    def __repr__(self) -> str:
        return f"<ImportedLog of {self._source}: {self._first + len(self._payloads)} events>"

    def add(self, event: Event) -> None:
        """Append an event at its own time, or at that of the last one where that is later.

        Raises:
            StoreFull, StoreReadOnly: it cannot be let in.
        """
        if self._known and self._known[key := _key(event)] > 0:
            self._known[key] -= 1
        elif self._floor and not event.is_report:
            # What was imported before comes first, so that this is what is true in the end.
            self._late.append(event)
        else:
            self._append(event)

    def finish(self) -> int:
        """Let in what is left, and return how many events were new."""
        late, self._late = self._late, []
        for event in late:
            self._append(msgspec.structs.replace(event, time=max(event.time, self._floor)))
        if self._first or self._payloads:
            self._put(SessionEnded(self._time, "", "imported"))
            self._let_in()
        return self.added

    def _append(self, event: Event) -> None:
        if not self._first and not self._payloads:
            self._time = event.time
            program = f"{_PROGRAM} {__version__}"
            self._put(SessionStarted(event.time, "", "", "", 0, program, "", [_PROGRAM, self._source]))
        self._put(event)
        if self._number > self._there:
            self.added += 1
        if len(self._payloads) >= _BATCH_EVENTS or self._bytes >= _BATCH_BYTES:
            self._let_in()

    def _put(self, event: Event) -> None:
        if event.time < self._time:
            event = msgspec.structs.replace(event, time=self._time)
        self._time = event.time
        payload = encode_event(event)
        if len(payload) > MAX_EVENT_SIZE:
            raise DataCorrupt(f"{type(event).__name__} has {len(payload)} bytes, more than an event can have")
        if self._payloads and self._bytes + len(payload) > MAX_EVENT_SIZE:
            self._let_in()
        if not event.is_report:
            self._places.append(len(self._payloads))
        self._payloads.append(payload)
        self._bytes += len(payload)

    def _let_in(self) -> None:
        if not self._payloads:
            return
        count = len(self._payloads)
        if self._number > self._there:
            packed, _ = pack_run(self._first, self._payloads, self._places)
            data = chain_batch(self._id, self._number, self._previous, self._session, packed)
            batch = Batch.read(data)
            self._store.admit([batch])
            self._previous = batch.hash
        self._number += 1
        self._first += count
        self._payloads, self._places, self._bytes = [], [], 0


def _imports_of(store: Store, source: str) -> set[bytes]:
    """The stores that were made by importing the same thing."""
    found = set()
    for identity in store.heads():
        if identity == store.id:
            continue
        try:
            for batch in store.batches(identity, 0, 0):
                for numbered in batch.state_events()[:1]:
                    event = numbered.event
                    if isinstance(event, SessionStarted) and event.command == [_PROGRAM, source]:
                        found.add(identity)
        except (DataCorrupt, StoreNewer):
            continue
    return found


def _choose_id(fingerprint: bytes, source: str, earlier: set[bytes]) -> tuple[bytes, set[bytes]]:
    """The id for this import, and the earlier ones whose content is to be left out of it."""
    parts = (__version__, str(zstandard.ZSTD_VERSION), source)
    base = hashlib.sha256("\0".join(parts).encode() + fingerprint).digest()[:16]

    def after(others: set[bytes]) -> bytes:
        return hashlib.sha256(base + b"".join(sorted(others))).digest()[:16] if others else base

    for one in sorted(earlier):
        # One that was cut off goes on under the id that it began with.
        if after(earlier - {one}) == one:
            return one, earlier - {one}
    if base in earlier:
        return base, set()
    return after(earlier), earlier


def _contents(store: Store, imports: set[bytes]) -> tuple[Counter[bytes], int]:
    """How often each event is in some imports, by its key; and a time after all of them, or 0."""
    known: Counter[bytes] = Counter()
    floor = 0
    for event in _events_of(store, imports):
        floor = max(floor, event.time + 1)
        if not isinstance(event, SessionStarted | SessionEnded):
            known[_key(event)] += 1
    return known, floor


def _events_of(store: Store, imports: set[bytes]) -> Iterator[Event]:
    for identity in sorted(imports):
        for batch in store.batches(identity):
            yield from (numbered.event for numbered in batch.events())


def _key(event: Event) -> bytes:
    if not event.is_report:
        event = msgspec.structs.replace(event, time=0)
    return hashlib.blake2b(encode_event(event), digest_size=16).digest()
