"""A segment's bytes: a magic, then each batch behind its length; and the check of a chain.

The magic is ``EVSEG001``, a length has four bytes, big-endian, and a batch is byte for byte as it was
committed.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from eventlog.batch import MAX_BATCH_SIZE, Batch
from eventlog.errors import DataCorrupt, StoreNewer
from eventlog.sync.copying import OnBytes

__all__ = ["confirmed", "read_batches", "segment_pieces", "segment_size"]

MAGIC = b"EVSEG001"
LENGTH = struct.Struct(">I")
# Two frames and a header: no batch is longer, and nothing that claims to be is taken into memory.
MAX_LENGTH = 2 * MAX_BATCH_SIZE + 4096


def segment_pieces(batches: Iterable[Batch]) -> Iterator[bytes]:
    """The bytes of a segment of these batches, piece by piece."""
    yield MAGIC
    for batch in batches:
        yield LENGTH.pack(len(batch.data))
        yield batch.data


def segment_size(batches: Iterable[Batch]) -> int:
    """How many bytes a segment of these batches has."""
    return len(MAGIC) + sum(LENGTH.size + len(batch.data) for batch in batches)


def read_batches(file: BinaryIO, size: int, progress: OnBytes) -> Iterator[Batch]:
    """The batches of a segment, one by one; only the framing is checked.

    Args:
        size: bytes that the segment has, as listed: nothing larger is taken into memory.
        progress: gets the number of bytes of each piece.

    Raises:
        DataCorrupt: the bytes are not a whole segment.
        StoreNewer: a later version of the format.
    """
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        if len(magic) == len(MAGIC) and magic[:5] == MAGIC[:5] and magic[5:].isdigit():
            raise StoreNewer("it was written by a newer eventlog: upgrade eventlog to read it")
        raise DataCorrupt("it does not begin as a segment does")
    progress(len(MAGIC))
    rest = size - len(MAGIC)
    while length_bytes := file.read(LENGTH.size):
        if len(length_bytes) < LENGTH.size:
            raise DataCorrupt("it is cut short")
        (length,) = LENGTH.unpack(length_bytes)
        rest -= LENGTH.size + length
        if length > MAX_LENGTH or rest < 0:
            raise DataCorrupt(f"it claims a batch of {length} bytes, more than it has")
        data = file.read(length)
        if len(data) < length:
            raise DataCorrupt("it is cut short")
        progress(LENGTH.size + length)
        yield Batch.read(data)


def confirmed(
    batches: Iterable[Batch], store: bytes, first: int, last: int, ends_with: Callable[[bytes], bool]
) -> Iterator[tuple[Batch, bytes]]:
    """Batches and their hashes, each given only once the next one has confirmed its bytes.

    Args:
        batches: should be those numbered `first` to `last` of `store`; not taken at their word.
        ends_with: whether the last batch may have this hash.

    Raises:
        DataCorrupt: a batch is missing, out of place, or not what its successor says.
    """
    held: tuple[Batch, bytes] | None = None
    number = first
    for batch in batches:
        if batch.store != store or batch.number != number or number > last:
            raise DataCorrupt(
                f"batch {batch.number} of store {batch.store.hex()} is where batch {number} should be"
            )
        if held is not None:
            if batch.previous != held[1]:
                raise DataCorrupt(f"the chain breaks between the batches {number - 1} and {number}")
            yield held
        held = (batch, batch.hash)
        number += 1
    if held is None or number != last + 1:
        raise DataCorrupt(f"batch {number} is missing")
    if not ends_with(held[1]):
        raise DataCorrupt(f"batch {last} does not have the hash that it should have")
    yield held
