"""Sets of small integers: as one big integer in memory, in chunks of 65,536 on disk.

In memory a set is an int whose bit *i* says whether *i* is in it, so that `&`, `|` and `& ~` are its
operations: a microsecond each over 100,000. On disk a chunk of few is an array and one of many a bitmap,
as in S. Chambi et al., "Better bitmap performance with Roaring bitmaps", 2016.
"""

import sys
from array import array
from collections.abc import Collection, Iterable
from itertools import compress

__all__ = ["CHUNK", "change_chunk", "from_numbers", "join_chunks", "numbers"]

CHUNK = 1 << 16
_BITMAP_SIZE = CHUNK // 8
# A longer array would save little room and cost a loop in Python over it.
_MAX_ARRAY = 512
_DIGITS = bytes.maketrans(b"01", b"\0\1")


def from_numbers(members: Iterable[int], size: int) -> int:
    """The set of these numbers, each below `size`."""
    bits = bytearray((size + 7) // 8)
    for number in members:
        bits[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(bits, "little")


def numbers(bits: int) -> list[int]:
    """The members of a set, growing."""
    digits = bin(bits)[:1:-1].encode().translate(_DIGITS)
    return list(compress(range(len(digits)), digits))


def change_chunk(data: bytes | None, added: Collection[int], removed: Collection[int]) -> bytes | None:
    """The bytes of a chunk after some numbers below 65,536 came and went; None is a chunk without any."""
    if data is None or len(data) != _BITMAP_SIZE:
        members = {*_read_array(data or b""), *added}.difference(removed)
        if len(members) <= _MAX_ARRAY:
            return _write_array(sorted(members)) or None
        return from_numbers(members, CHUNK).to_bytes(_BITMAP_SIZE, "little")
    bits = int.from_bytes(data, "little") | from_numbers(added, CHUNK)
    bits &= ~from_numbers(removed, CHUNK)
    if bits.bit_count() <= _MAX_ARRAY:
        return _write_array(numbers(bits)) or None
    return bits.to_bytes(_BITMAP_SIZE, "little")


def join_chunks(chunks: Iterable[tuple[int, bytes]]) -> int:
    """The set that some chunks hold, each given by its number and its bytes."""
    joined = 0
    for number, data in chunks:
        if len(data) == _BITMAP_SIZE:
            bits = int.from_bytes(data, "little")
        else:
            bits = from_numbers(_read_array(data), CHUNK)
        joined |= bits << (number * CHUNK)
    return joined


def _read_array(data: bytes) -> "array[int]":
    few = array("H", data)
    if sys.byteorder == "big":
        few.byteswap()
    return few


def _write_array(members: list[int]) -> bytes:
    few = array("H", members)
    if sys.byteorder == "big":
        few.byteswap()
    return few.tobytes()
