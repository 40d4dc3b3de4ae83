"""Batches: a run of one session's events, compressed, numbered within its store, and chained by hash.

A batch is the unit of commit, of proof and of transfer; its bytes never change and are the same in every
store and on every remote. `docs/FORMAT.md` describes them to the byte. State events and reports lie in
two frames, so that whoever wants to know what a task is never pays for its scalars.
"""

import hashlib
import struct
from collections.abc import Sequence
from itertools import islice, pairwise
from operator import le
from typing import NamedTuple

import msgspec
import zstandard

from eventlog.clock import MAX_TIME
from eventlog.errors import DataCorrupt, StoreNewer
from eventlog.events import Event, decode_events

__all__ = [
    "FIRST_PREVIOUS",
    "MAX_BATCH_EVENTS",
    "MAX_BATCH_SIZE",
    "Batch",
    "NumberedEvent",
    "PackedEvents",
    "chain_batch",
    "encode_batch",
    "moved_batch",
    "pack_events",
]

MAGIC = b"EVB1"
HEADER = struct.Struct(">4s16sQ32s16sQIIQQIIII")
FIRST_PREVIOUS = bytes(32)
# Twice the largest event, and many times what a commit interval fills: nothing that came from elsewhere makes
# a reader take more memory than this for the content of one frame, or make objects of more events.
MAX_BATCH_SIZE = 32 << 20
MAX_BATCH_EVENTS = 1 << 20


class NumberedEvent(NamedTuple):
    """An event and its place: the session that appended it and its number there."""

    session: bytes
    number: int
    event: Event

    @property
    def order(self) -> tuple[int, bytes, int]:
        """What state events sort by, the same on every machine."""
        return (self.event.time, self.session, self.number)


class Batch(msgspec.Struct, frozen=True, gc=False):
    """A batch's header, and the bytes that it was read from.

    Attributes:
        store: id of the store that committed it, 16 bytes.
        number: its place in that store's chain, from 0.
        previous: SHA-256 of the batch before it; zeros for batch 0.
        session: id of the session whose events it holds, 16 bytes.
        first: number of its first event within the session.
        states: how many state events it holds.
        reports: how many reports.
        first_time: the earliest event's time, in milliseconds since 1970-01-01 UTC.
        last_time: the latest event's time.
        data: the whole batch, header included.
    """

    store: bytes
    number: int
    previous: bytes
    session: bytes
    first: int
    states: int
    reports: int
    first_time: int
    last_time: int
    data: bytes

    def __repr__(self) -> str:
        return (
            f"<Batch {self.number} of store {self.store.hex()[:8]}: events {self.first}-{self.end - 1}"
            f" of session {self.session.hex()[:8]}>"
        )

    @classmethod
    def read(cls, data: bytes) -> "Batch":
        """The batch that these bytes are; only the header is looked at.

        Raises:
            DataCorrupt: the bytes are not a batch, or not a whole one.
            StoreNewer: a later version of the format.
        """
        data = bytes(data)
        if len(data) < HEADER.size or data[:3] != MAGIC[:3]:
            raise DataCorrupt("the bytes are not a batch")
        if data[:4] != MAGIC:
            raise StoreNewer("a batch was written by a newer eventlog: upgrade eventlog to read it")
        (_, store, number, previous, session, first, states, reports, first_time, last_time, *frames) = (
            HEADER.unpack_from(data)
        )
        if len(data) != HEADER.size + frames[0] + frames[2]:
            raise DataCorrupt(f"batch {number} of store {store.hex()} is cut short or too long")
        if not states + reports or bool(states) != bool(frames[0]) or bool(reports) != bool(frames[2]):
            raise DataCorrupt(f"batch {number} of store {store.hex()} has a frame of nothing, or none")
        if states + reports > MAX_BATCH_EVENTS:
            raise DataCorrupt(f"batch {number} of store {store.hex()} claims {states + reports} events")
        return cls(store, number, previous, session, first, states, reports, first_time, last_time, data)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the batch's bytes: what the next batch names as its previous."""
        return hashlib.sha256(self.data).digest()

    @property
    def end(self) -> int:
        """One past the number of its last event."""
        return self.first + self.states + self.reports

    @property
    def content_size(self) -> int:
        """How many bytes its events have, by its header; a few bytes may stand for very many."""
        _, states, _, reports = HEADER.unpack_from(self.data)[-4:]
        return int(states + reports)

    def state_events(self) -> list[NumberedEvent]:
        """Its state events, in their session's order."""
        if not self.states:
            return []
        return [
            NumberedEvent(self.session, self.first + position, event)
            for position, event in zip(*self._states(), strict=True)
        ]

    def report_events(self) -> list[Event]:
        """Its reports, in their session's order."""
        if not self.reports:
            return []
        reports = decode_events(self._frame(1))
        if len(reports) != self.reports:
            raise self._corrupt(f"holds {len(reports)} reports, not the {self.reports} of its header")
        return reports

    def events(self) -> list[NumberedEvent]:
        """All its events, in their session's order."""
        positions, states = self._states() if self.states else ([], [])
        reports = iter(self.report_events())
        state_at = dict(zip(positions, states, strict=True))
        return [
            NumberedEvent(
                self.session,
                self.first + position,
                state_at[position] if position in state_at else next(reports),
            )
            for position in range(self.states + self.reports)
        ]

    def checked_states(self) -> list[Event]:
        """Its state events, once all its events are known to be as its header says.

        Raises:
            DataCorrupt: they are not, or cannot be read, or have times that no clock gives.
        """
        positions, states = self._states() if self.states else ([], [])
        of_reports = [report.time for report in self.report_events()]
        times: list[int] = []
        start = 0
        for place, (position, state) in enumerate(zip(positions, states, strict=True)):
            times += of_reports[start : position - place]
            times.append(state.time)
            start = position - place
        times += of_reports[start:]
        if not times or (times[0], times[-1]) != (self.first_time, self.last_time):
            raise self._corrupt("has events whose times are not those of its header")
        if times[0] < 0 or times[-1] > MAX_TIME or not all(map(le, times, islice(times, 1, None))):
            raise self._corrupt("has events whose times go back, or are none")
        return states

    def _states(self) -> tuple[list[int], list[Event]]:
        try:
            positions, raw = _states_decoder.decode(self._frame(0))
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._corrupt(f"has state events that cannot be read ({error})") from None
        events = decode_events(raw)
        count = self.states + self.reports
        if not (
            len(positions) == len(events) == self.states
            and all(a < b for a, b in pairwise(positions))
            and 0 <= positions[0]
            and positions[-1] < count
        ):
            raise self._corrupt("has state events at places that cannot be")
        return positions, events

    def _frame(self, which: int) -> bytes:
        lengths = HEADER.unpack_from(self.data)[-4:]
        start = HEADER.size + (lengths[0] if which else 0)
        length, size = lengths[which * 2 : which * 2 + 2]
        if size > MAX_BATCH_SIZE:
            raise self._corrupt(f"claims a frame of {size} bytes")
        frame = self.data[start : start + length]
        try:
            # The decompressor takes as much memory as the frame itself asks for.
            if zstandard.frame_content_size(frame) != size:
                raise self._corrupt(f"has a frame of another size than the {size} of its header")
            data = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise self._corrupt(f"cannot be decompressed ({error})") from None
        return data

    def _corrupt(self, what: str) -> DataCorrupt:
        return DataCorrupt(f"batch {self.number} of store {self.store.hex()} {what}")


_states_decoder = msgspec.msgpack.Decoder(tuple[list[int], msgspec.Raw])


class PackedEvents(NamedTuple):
    """Events compressed into a batch's two frames: all of a batch but its place in the chain."""

    first: int
    states: int
    reports: int
    first_time: int
    last_time: int
    state_frame: bytes
    state_size: int
    report_frame: bytes
    report_size: int


def pack_events(
    first: int, events: Sequence[bytes], states: Sequence[int], first_time: int, last_time: int
) -> PackedEvents:
    """Compress a run of one session's events.

    Args:
        first: number of the first event within its session.
        events: the encoded events, in their session's order.
        states: the places in `events`, growing, of those that are state events.
        first_time, last_time: the earliest and the latest event's time, in milliseconds.
    """
    compress = zstandard.ZstdCompressor(level=1).compress
    state_frame = report_frame = b""
    if states:
        state_frame = b"\x92" + msgspec.msgpack.encode(list(states)) + _array([events[at] for at in states])
    if len(states) < len(events):
        report_frame = _array(_without(events, states))
    return PackedEvents(
        first,
        len(states),
        len(events) - len(states),
        first_time,
        last_time,
        compress(state_frame) if state_frame else b"",
        len(state_frame),
        compress(report_frame) if report_frame else b"",
        len(report_frame),
    )


def chain_batch(store: bytes, number: int, previous: bytes, session: bytes, packed: PackedEvents) -> bytes:
    """The bytes of the batch that gives packed events of a session their place in a store's chain."""
    header = HEADER.pack(
        MAGIC,
        store,
        number,
        previous,
        session,
        packed.first,
        packed.states,
        packed.reports,
        packed.first_time,
        packed.last_time,
        len(packed.state_frame),
        packed.state_size,
        len(packed.report_frame),
        packed.report_size,
    )
    return header + packed.state_frame + packed.report_frame


def encode_batch(
    *,
    store: bytes,
    number: int,
    previous: bytes,
    session: bytes,
    first: int,
    events: Sequence[bytes],
    states: Sequence[int],
    first_time: int,
    last_time: int,
) -> bytes:
    """The bytes of a batch; the arguments are those of `pack_events` and `chain_batch`."""
    packed = pack_events(first, events, states, first_time, last_time)
    return chain_batch(store, number, previous, session, packed)


def moved_batch(
    batch: Batch, *, store: bytes, number: int, previous: bytes, session: bytes, first: int
) -> Batch:
    """A batch of the same events, byte for byte, at another place; arguments as of `encode_batch`."""
    fields = list(HEADER.unpack_from(batch.data))
    fields[1:6] = [store, number, previous, session, first]
    return Batch.read(HEADER.pack(*fields) + batch.data[HEADER.size :])


def _array(items: Sequence[bytes]) -> bytes:
    """A MessagePack array 32 of items that are encoded already."""
    return b"\xdd" + struct.pack(">I", len(items)) + b"".join(items)


def _without(events: Sequence[bytes], places: Sequence[int]) -> Sequence[bytes]:
    if not places:
        return events
    kept: list[bytes] = []
    start = 0
    for place in places:
        kept += events[start:place]
        start = place + 1
    kept += events[start:]
    return kept
