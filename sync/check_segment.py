"""What verify finds in one segment: read from its bytes as `docs/FORMAT.md` describes them.

Nothing here is shared with `eventlog.sync.segment`, which writes segments: the two have to agree by way of
the document.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from eventlog.check_batch import BatchFacts, check_batch

__all__ = ["SegmentFacts", "check_segment", "last_batch"]

MAGIC = b"EVSEG001"
LENGTH = struct.Struct(">I")
PIECE_SIZE = 1 << 20
# Two frames of 32 MiB, incompressible, and a header: nothing that claims to be more is taken into memory.
MAX_LENGTH = 2 * (32 << 20) + 4096
# A batch's header. What is smaller would cost more memory to tell of than it has bytes.
MIN_LENGTH = 124
MOST_ILLEGIBLE = 100


@dataclass(slots=True)
class SegmentFacts:
    """What a segment holds, and what is wrong with it.

    Attributes:
        batches: of each batch, at which byte it begins, and what it says.
        linked: each batch names the hash of the one before it.
        problems: what is wrong with its framing, in words that follow its name.
    """

    batches: list[tuple[int, BatchFacts]] = field(default_factory=list)
    linked: bool = True
    problems: list[str] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """What its name should end with: the first 16 digits of the last batch's hash."""
        return self.batches[-1][1].hash.hex()[:16] if self.batches else ""


class _Wrong(Exception):
    """The segment cannot be read further."""


def check_segment(file: BinaryIO, size: int, count: Callable[[int], None]) -> SegmentFacts:
    """Everything that can be said of a segment by itself.

    Args:
        file: its bytes.
        size: how many there are, as listed.
        count: gets the number of bytes of each piece.
    """
    facts = SegmentFacts()
    illegible = 0
    try:
        for start, data in _batches(file, size, count):
            batch = check_batch(data)
            if facts.batches and facts.batches[-1][1].hash != batch.previous:
                facts.linked = False
            facts.batches.append((start, batch))
            illegible += not batch.legible
            if illegible > MOST_ILLEGIBLE:
                raise _Wrong(f"holds no batches from byte {start} on")
    except _Wrong as wrong:
        facts.problems.append(str(wrong))
    return facts


def last_batch(file: BinaryIO, size: int) -> BatchFacts | None:
    """What the last batch of a segment says, or None where its bytes are not those of a segment.

    The batches before it are passed over.
    """
    if file.read(len(MAGIC)) != MAGIC:
        return None
    position = len(MAGIC)
    while position < size:
        head = file.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack(head)
        position += LENGTH.size + length
        if length > MAX_LENGTH or position > size:
            return None
        if position == size:
            return check_batch(file.read(length))
        _pass_over(file, length)
    return None


def _pass_over(file: BinaryIO, count: int) -> None:
    if file.seekable():
        file.seek(count, io.SEEK_CUR)
        return
    while count and (piece := file.read(min(count, PIECE_SIZE))):
        count -= len(piece)


def _batches(file: BinaryIO, size: int, count: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    magic = file.read(len(MAGIC))
    count(len(magic))
    if magic != MAGIC:
        if magic[:5] == MAGIC[:5] and magic[5:].isdigit():
            raise _Wrong("was written by a newer eventlog, or changed: upgrade eventlog to verify it")
        raise _Wrong(f"begins with {magic!r}, not {MAGIC!r}")
    position = len(MAGIC)
    while head := file.read(LENGTH.size):
        if len(head) < LENGTH.size:
            raise _Wrong(f"is cut short at byte {position + len(head)}")
        (length,) = LENGTH.unpack(head)
        position += LENGTH.size
        if length > MAX_LENGTH or position + length > size:
            raise _Wrong(f"claims a batch of {length} bytes at byte {position}, more than it has")
        if length < MIN_LENGTH:
            raise _Wrong(f"claims a batch of {length} bytes at byte {position}, fewer than a batch has")
        data = file.read(length)
        count(LENGTH.size + len(data))
        if len(data) < length:
            raise _Wrong(f"is cut short at byte {position + len(data)}")
        yield position, data
        position += length
    if position != size:
        raise _Wrong(f"has {position} bytes, listed were {size}")
    if position == len(MAGIC):
        raise _Wrong("holds no batch")
