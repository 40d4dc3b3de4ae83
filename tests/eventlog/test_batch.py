"""Batches: written and read back the same, chained by hash, and named when they are damaged or hostile."""

import contextlib
import hashlib
import struct
from collections.abc import Sequence

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as some

from eventlog import events
from eventlog.batch import (
    FIRST_PREVIOUS,
    HEADER,
    MAGIC,
    MAX_BATCH_SIZE,
    Batch,
    NumberedEvent,
    chain_batch,
    encode_batch,
    pack_events,
)
from eventlog.errors import DataCorrupt, StoreNewer
from eventlog.events import Event, encode_event
from tests.eventlog.memory import at_most
from tests.eventlog.processes import TASK

STORE, SESSION = bytes(range(16)), bytes(range(16, 32))
# The places of fields in a header.
STATES, REPORTS, FIRST_TIME, LAST_TIME = range(6, 10)
STATE_LENGTH, STATE_SIZE, REPORT_LENGTH, REPORT_SIZE = range(10, 14)


def batch_of(
    written: Sequence[Event], *, number: int = 0, previous: bytes = FIRST_PREVIOUS, first: int = 0
) -> bytes:
    return encode_batch(
        store=STORE,
        number=number,
        previous=previous,
        session=SESSION,
        first=first,
        events=[encode_event(event) for event in written],
        states=[place for place, event in enumerate(written) if not event.is_report],
        first_time=written[0].time,
        last_time=written[-1].time,
    )


def with_fields(data: bytes, **fields: int) -> bytes:
    """The batch with other values in its header."""
    values = list(HEADER.unpack_from(data))
    for name, value in fields.items():
        values[globals()[name]] = value
    return HEADER.pack(*values) + data[HEADER.size :]


def with_frames(data: bytes, *, state: bytes | None = None, report: bytes | None = None) -> bytes:
    """The batch with other frames, its header saying their lengths as they are."""
    values = list(HEADER.unpack_from(data))
    middle = HEADER.size + values[STATE_LENGTH]
    frames = [
        data[HEADER.size : middle] if state is None else state,
        data[middle:] if report is None else report,
    ]
    values[STATE_LENGTH], values[REPORT_LENGTH] = map(len, frames)
    return HEADER.pack(*values) + b"".join(frames)


def read_all(data: bytes) -> list[NumberedEvent]:
    """Everything that can be asked of a batch."""
    batch = Batch.read(data)
    repr(batch)
    assert batch.hash == hashlib.sha256(data).digest()
    state_events, report_events, all_events = batch.state_events(), batch.report_events(), batch.events()
    batch.checked_states()
    assert len(state_events) == batch.states
    assert len(report_events) == batch.reports
    assert len(all_events) == batch.end - batch.first
    return all_events


REPORT = events.ScalarReported(5, TASK, "loss", "train", 0, 0.5)
STATE = events.ProgressSet(5, TASK, 5)
mixed = some.lists(some.sampled_from([REPORT, STATE, events.TextReported(5, TASK, "x" * 300)]), min_size=1)


@given(mixed, some.integers(0, 2**40), some.integers(0, 2**40))
def test_a_batch_is_read_back_as_it_was_written(written: list[Event], number: int, first: int) -> None:
    previous = hashlib.sha256(b"previous").digest()
    data = batch_of(written, number=number, previous=previous, first=first)
    batch = Batch.read(data)
    assert (batch.store, batch.session, batch.number, batch.previous) == (STORE, SESSION, number, previous)
    assert (batch.first, batch.end) == (first, first + len(written))
    assert (batch.first_time, batch.last_time) == (5, 5)
    assert batch.data == data
    assert [one.event for one in batch.events()] == written
    assert [one.number for one in batch.events()] == list(range(first, first + len(written)))
    states = [
        NumberedEvent(SESSION, first + n, event) for n, event in enumerate(written) if not event.is_report
    ]
    assert batch.state_events() == states
    assert batch.report_events() == [event for event in written if event.is_report]
    assert batch.checked_states() == [one.event for one in states]


def test_a_batch_says_what_it_is() -> None:
    batch = Batch.read(batch_of([STATE, REPORT], number=7, first=3))
    assert repr(batch) == "<Batch 7 of store 00010203: events 3-4 of session 10111213>"
    assert batch.events()[0].order == (5, SESSION, 3)


def test_the_frames_can_be_packed_before_their_place_in_the_chain_is_known() -> None:
    written = [STATE, REPORT, REPORT]
    packed = pack_events(4, [encode_event(event) for event in written], [0], 5, 5)
    for number in (0, 9):
        previous = bytes([number]) * 32
        data = chain_batch(STORE, number, previous, SESSION, packed)
        assert data == batch_of(written, number=number, previous=previous, first=4)


def test_states_are_read_without_the_reports() -> None:
    data = with_frames(batch_of([STATE, REPORT]), report=b"no frame")
    assert [one.event for one in Batch.read(data).state_events()] == [STATE]
    with pytest.raises(DataCorrupt, match="batch 0 of store 00010203"):
        Batch.read(data).report_events()


def test_events_of_an_unknown_kind_are_forwarded_byte_for_byte() -> None:
    newer = msgspec.msgpack.encode(["Invented", 5, TASK, {"a": [1, 2.5]}, None])
    packed = pack_events(0, [encode_event(STATE), newer, encode_event(REPORT)], [0, 1], 5, 5)
    batch = Batch.read(chain_batch(STORE, 0, FIRST_PREVIOUS, SESSION, packed))
    unknown = batch.events()[1].event
    assert isinstance(unknown, events.Unknown)
    assert (unknown.kind, unknown.raw) == ("Invented", newer)
    assert batch.checked_states() == [STATE, unknown]


def test_fields_that_a_newer_version_added_do_not_matter() -> None:
    newer = msgspec.msgpack.encode([*msgspec.msgpack.decode(encode_event(REPORT)), "added", 7])
    packed = pack_events(0, [encode_event(STATE), newer], [0], 5, 5)
    batch = Batch.read(chain_batch(STORE, 0, FIRST_PREVIOUS, SESSION, packed))
    assert [one.event for one in batch.events()] == [STATE, REPORT]


def test_a_batch_of_a_newer_format_is_named_so() -> None:
    data = batch_of([STATE])
    with pytest.raises(StoreNewer, match="upgrade eventlog"):
        Batch.read(b"EVB2" + data[4:])


@pytest.mark.parametrize("data", [b"", MAGIC, b"x" * 200, batch_of([STATE])[: HEADER.size - 1]])
def test_what_is_no_batch_is_named_so(data: bytes) -> None:
    with pytest.raises(DataCorrupt, match="not a batch"):
        Batch.read(data)


@given(mixed, some.data())
@settings(max_examples=300)
def test_a_batch_that_is_cut_or_longer_is_named_so(written: list[Event], data: some.DataObject) -> None:
    whole = batch_of(written)
    cut = data.draw(some.integers(HEADER.size, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\0", whole + whole):
        with pytest.raises(DataCorrupt, match=r"batch 0 of store 00010203\S* is cut short or"):
            Batch.read(wrong)


WHOLE = batch_of([STATE, REPORT, STATE, REPORT])


def frame(*parts: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(b"".join(parts))


def states_frame(positions: list[int], count: int = 2) -> bytes:
    return frame(b"\x92", msgspec.msgpack.encode(positions), msgspec.msgpack.encode([STATE] * count))


@pytest.mark.parametrize(
    "data",
    [
        with_fields(WHOLE, STATES=1),
        with_fields(WHOLE, STATES=3),
        with_fields(WHOLE, REPORTS=1),
        with_fields(WHOLE, REPORTS=2**32 - 1),
        with_fields(WHOLE, STATES=0),
        with_fields(WHOLE, FIRST_TIME=6),
        with_fields(WHOLE, LAST_TIME=4),
        with_fields(WHOLE, LAST_TIME=2**64 - 1),
        with_fields(WHOLE, STATE_SIZE=5),
        with_fields(WHOLE, REPORT_SIZE=2**32 - 1),
        with_fields(WHOLE, REPORT_SIZE=MAX_BATCH_SIZE),
        with_frames(WHOLE, state=states_frame([2, 0])),
        with_frames(WHOLE, state=states_frame([0, 0])),
        with_frames(WHOLE, state=states_frame([0, 4])),
        with_frames(WHOLE, state=states_frame([-1, 2])),
        with_frames(WHOLE, state=states_frame([0])),
        with_frames(WHOLE, state=states_frame([0, 2], count=3)),
        with_frames(WHOLE, state=frame(b"\x05")),
        with_frames(WHOLE, state=b""),
        with_frames(WHOLE, report=b""),
        with_frames(WHOLE, report=b"\x28\xb5\x2f\xfd" + b"\xff" * 30),
        with_frames(WHOLE, report=WHOLE[HEADER.size + HEADER.unpack_from(WHOLE)[STATE_LENGTH] :] + b"\0"),
    ],
)
def test_a_batch_that_is_not_as_its_header_says_is_named(data: bytes) -> None:
    with pytest.raises(DataCorrupt, match=r"batch 0 of store 00010203\S* |not an? (event|array)"):
        read_all(data)


def test_a_batch_without_events_is_none() -> None:
    packed = pack_events(0, [], [], 0, 0)
    with pytest.raises(DataCorrupt, match="batch 0 of store 00010203"):
        Batch.read(chain_batch(STORE, 0, FIRST_PREVIOUS, SESSION, packed))


@given(some.data())
@settings(max_examples=500)
def test_a_damaged_batch_is_read_or_named_as_damaged(data: some.DataObject) -> None:
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(some.integers(1, 3))):
        damaged[data.draw(some.integers(0, len(WHOLE) - 1))] ^= data.draw(some.integers(1, 255))
    with contextlib.suppress(DataCorrupt, StoreNewer):
        read_all(bytes(damaged))


@given(some.binary(min_size=1, max_size=300))
def test_frames_of_arbitrary_bytes_are_named_as_damaged(noise: bytes) -> None:
    for data in (with_frames(WHOLE, state=noise), with_frames(WHOLE, report=noise)):
        with pytest.raises(DataCorrupt):
            read_all(data)
    with pytest.raises(DataCorrupt):
        read_all(with_fields(with_frames(WHOLE, state=frame(noise)), STATE_SIZE=len(noise)))


def test_a_frame_that_unpacks_to_much_more_than_its_header_says_takes_no_memory() -> None:
    # Each of these claims, truly or not, to be gigabytes once it is unpacked.
    zeros = zstandard.ZstdCompressor(level=1).compress(bytes(64 << 20))
    claiming = zstandard.ZstdCompressor().compress(b"x" * 100)
    assert zstandard.frame_content_size(claiming) == 100
    huge = bytearray(b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + b"\x01\x00\x00")
    for report in (zeros, bytes(huge)):
        for size in (100, MAX_BATCH_SIZE, MAX_BATCH_SIZE + 1, 2**32 - 1):
            data = with_fields(with_frames(WHOLE, report=report), REPORT_SIZE=size)
            with at_most(1 << 20):
                with pytest.raises(DataCorrupt):
                    Batch.read(data).report_events()


def test_deeply_nested_events_are_damage_and_no_crash() -> None:
    nested = b"\x93\xa3New\x05" + b"\x91" * 200_000 + b"\xc0"
    data = with_frames(WHOLE, report=frame(b"\x92", nested, nested))
    size = len(zstandard.ZstdDecompressor().decompress(frame(b"\x92", nested, nested)))
    with pytest.raises(DataCorrupt):
        Batch.read(with_fields(data, REPORT_SIZE=size)).report_events()
