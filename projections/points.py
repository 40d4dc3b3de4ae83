"""Points of a series in columns of little-endian 64-bit numbers, and the order that they have."""

import struct
from typing import NamedTuple

__all__ = ["Buffer", "Points", "bits_key", "value_key"]

Buffer = bytes | memoryview
_MAX = (1 << 63) - 1
_int, _float = struct.Struct("<q"), struct.Struct("<d")


class Points(NamedTuple):
    """Points in columns (iterations, times, values), and whether they are known to be in order."""

    columns: tuple[Buffer, Buffer, Buffer]
    is_sorted: bool = True

    @property
    def rows(self) -> int:
        return len(self.columns[0]) // 8

    def part(self, first: int, end: int) -> "Points":
        iterations, times, values = (column[first * 8 : end * 8] for column in self.columns)
        return Points((iterations, times, values), self.is_sorted)

    def row(self, at: int) -> tuple[int, int, int]:
        """A point as it sorts."""
        iterations, times, values = self.columns
        (iteration,), (time,) = _int.unpack_from(iterations, at * 8), _int.unpack_from(times, at * 8)
        return time, iteration, value_key(_float.unpack_from(values, at * 8)[0])

    def comes_before(self, other: "Points") -> bool:
        """Whether both are in order, and this one's last point is not after the other's first."""
        return self.is_sorted and other.is_sorted and self.row(self.rows - 1) <= other.row(0)

    def ends_before(self, time: int) -> bool:
        """Whether it is in order, and all its points are of before a time."""
        return self.is_sorted and self.row(self.rows - 1)[0] < time

    def followed_by(self, other: "Points") -> "Points":
        iterations, times, values = map(b"".join, zip(self.columns, other.columns, strict=True))
        return Points((iterations, times, values), self.comes_before(other))


def value_key(value: float) -> int:
    """Integers that sort like the values, NaN at the ends by its sign, each bit pattern apart."""
    return bits_key(_int.unpack(_float.pack(value))[0])


def bits_key(bits: int) -> int:
    return bits if bits >= 0 else bits ^ _MAX
