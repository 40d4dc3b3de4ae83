import hashlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.batch import FIRST_PREVIOUS, Batch, encode_batch
from eventlog.errors import DataCorrupt, StoreNewer
from eventlog.events import ProgressSet, ScalarReported, encode_event
from eventlog.sync.segment import MAX_LENGTH, confirmed, read_batches, segment_pieces, segment_size
from tests.sync.machines import segment_batches

STORE = bytes(range(16))
SESSION = bytes(range(16, 32))
TASK = "0" * 32


def chain(count: int, first: int = 0) -> list[Batch]:
    batches: list[Batch] = []
    previous = FIRST_PREVIOUS
    for number in range(first + count):
        events = [
            encode_event(ProgressSet(number, TASK, number)),
            encode_event(ScalarReported(number, TASK, "loss", "train", number, 0.5)),
        ]
        data = encode_batch(
            store=STORE,
            number=number,
            previous=previous,
            session=SESSION,
            first=2 * number,
            events=events,
            states=[0],
            first_time=number,
            last_time=number,
        )
        batches.append(Batch.read(data))
        previous = hashlib.sha256(data).digest()
    return batches[first:]


def read_checked(data: bytes, first: int, last: int, mark: bytes) -> list[bytes]:
    batches = read_batches(io.BytesIO(data), len(data), [].append)
    return [batch.data for batch, _ in confirmed(batches, STORE, first, last, mark.__eq__)]


def test_a_segment_holds_the_batches_byte_for_byte() -> None:
    batches = chain(4, first=3)
    data = b"".join(segment_pieces(batches))
    assert segment_size(batches) == len(data)
    assert list(segment_batches(data)) == [batch.data for batch in batches]
    assert read_checked(data, 3, 6, batches[-1].hash) == [batch.data for batch in batches]


def test_a_segment_cut_short_anywhere_is_found() -> None:
    batches = chain(3)
    data = b"".join(segment_pieces(batches))
    for length in range(len(data)):
        with pytest.raises(DataCorrupt):
            read_checked(data[:length], 0, 2, batches[-1].hash)


def test_any_flipped_bit_of_a_segment_is_found() -> None:
    batches = chain(3)
    data = b"".join(segment_pieces(batches))
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            with pytest.raises((DataCorrupt, StoreNewer)):
                read_checked(bytes(changed), 0, 2, batches[-1].hash)


@given(st.data())
def test_batches_that_are_not_the_ones_named_are_found(data: st.DataObject) -> None:
    batches = chain(5)
    shown = data.draw(st.permutations(batches))
    shown = shown[: data.draw(st.integers(0, 5))]
    if shown == batches[1:4]:
        return
    with pytest.raises(DataCorrupt):
        list(confirmed(shown, STORE, 1, 3, batches[3].hash.__eq__))


def test_a_length_beyond_the_segment_is_not_taken_into_memory() -> None:
    for length in (100, MAX_LENGTH + 1, 2**32 - 1):
        data = b"EVSEG001" + struct.pack(">I", length) + b"x" * 50
        with pytest.raises(DataCorrupt, match="more than it has"):
            list(read_batches(io.BytesIO(data), len(data), [].append))


def test_a_segment_of_a_newer_version_says_so() -> None:
    with pytest.raises(StoreNewer, match="upgrade"):
        list(read_batches(io.BytesIO(b"EVSEG002abc"), 11, [].append))
